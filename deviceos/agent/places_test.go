package agent

import (
	"context"
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

// TestPlaces: callers who prove nothing lose their place to whoever comes;
// those who know the secret keep it.
func TestPlaces(t *testing.T) {
	p := &places{most: 3}
	take := func(from peer.ID) (context.Context, *place) {
		t.Helper()
		ctx, c, ok := p.take(t.Context(), from)
		if !ok || ctx.Err() != nil {
			t.Fatalf("%s gets no place", from)
		}
		return ctx, c
	}
	ended := func(ctx context.Context) bool { return context.Cause(ctx) == errMadeRoom }

	owner, own := take("owner")
	own.prove()
	again, _ := take("stranger")
	first, _ := take("stranger")
	if !ended(again) {
		t.Fatal("one peer has two places")
	}
	second, _ := take("other")
	for i := range 10 {
		take(peer.ID(fmt.Sprint("more ", i)))
	}
	if !ended(first) || !ended(second) || ended(owner) {
		t.Fatal("the strangers stay, or the owner is thrown out")
	}
	_, b := take("b")
	b.prove()
	_, c := take("c")
	c.prove()
	if ctx, _, ok := p.take(t.Context(), "late"); ok || ctx.Err() == nil {
		t.Fatal("a place where all are held by those who know the secret")
	}
	own.leave()
	own.leave()
	take("late")
	if len(p.open) != 3 {
		t.Fatalf("%d places", len(p.open))
	}
}
