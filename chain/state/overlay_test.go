package state_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
)

// ordered is a tree that notes the order of writes.
type ordered struct {
	statetest.Tree
	keys []string
}

func (o *ordered) Set(k, v []byte) error {
	o.keys = append(o.keys, string(k))
	return o.Tree.Set(k, v)
}

// TestOverlay_AnyNumberOfWrites: few writes and many, in one overlay and in one
// over another, read and reach the tree alike, each key in the place of its
// first writing.
func TestOverlay_AnyNumberOfWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 40 {
		var tree ordered
		outer := state.NewOverlay(&tree)
		want := map[string]string{}
		var order []string
		for range 1 + n/10 {
			inner := state.NewOverlay(outer)
			for i := range n {
				k, v := fmt.Sprint("key ", r.IntN(30)), fmt.Sprint("value ", i)
				if _, ok := want[k]; !ok {
					order = append(order, k)
				}
				want[k] = v
				if err := inner.Set([]byte(k), []byte(v)); err != nil {
					t.Fatal(err)
				}
				if got, err := inner.Get([]byte(k)); err != nil || string(got) != v {
					t.Fatalf("%d writes: %q reads %q, want %q", n, k, got, v)
				}
			}
			if err := inner.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := inner.Flush(); err != nil { // it is empty
				t.Fatal(err)
			}
		}
		for k, v := range want {
			if got, err := outer.Get([]byte(k)); err != nil || string(got) != v {
				t.Fatalf("%d writes: %q reads %q, want %q", n, k, got, v)
			}
		}
		if got, err := outer.Get([]byte("none")); err != nil || got != nil || len(tree.keys) != 0 {
			t.Fatalf("%d writes: got %q, %v and %d writes in the tree", n, got, err, len(tree.keys))
		}
		if err := outer.Flush(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tree.keys, order) {
			t.Fatalf("%d writes: written as %q, want %q", n, tree.keys, order)
		}
	}
}
