package engine

import (
	"testing"

	"github.com/cometbft/cometbft/config"

	"github.com/hybridos-net/hybridos/node/cometdb"
)

// CometBFT closes a store and goes on reading it; only after our own Close does
// a late reader end, and then without a panic.
func TestStores_LateReader(t *testing.T) {
	s := newStores(cometdb.NewProvider(nil))
	defer close(s.begun)
	d, err := s.Open(&config.DBContext{ID: "blockstore", Config: config.DefaultConfig().SetRoot(t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetSync([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if v, err := d.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Fatalf("after CometBFT's Close: %q, %v", v, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(){
		"get":         func() { _, _ = d.Get([]byte("k")) },
		"has":         func() { _, _ = d.Has([]byte("k")) },
		"set":         func() { _ = d.Set([]byte("k"), []byte("v")) },
		"set sync":    func() { _ = d.SetSync([]byte("k"), []byte("v")) },
		"delete":      func() { _ = d.Delete([]byte("k")) },
		"delete sync": func() { _ = d.DeleteSync([]byte("k")) },
		"iterator":    func() { _, _ = d.Iterator(nil, nil) },
		"reverse":     func() { _, _ = d.ReverseIterator(nil, nil) },
	} {
		returned, ended := false, make(chan struct{})
		go func() {
			defer close(ended)
			call()
			returned = true
		}()
		<-ended
		if returned {
			t.Errorf("%s: the late caller goes on", name)
		}
	}
}
