package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/node/home"
)

// A state that the blocks do not lead to is told, not served and not mended.
func TestStateDoesNotFitBlocks(t *testing.T) {
	dir := t.TempDir()
	vendor := secret(t, "vendor")
	doc, peers := makeHomes(t, dir, vendor, 1)
	p := startHome(t, dir, 0, peers)
	<-p.step
	post(t, p, register(t, doc, vendor, 0))
	if err := p.end(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	tree, err := store.Open(store.Config{Dir: home.Dir(filepath.Join(dir, "0")).StateDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Set([]byte("x"), []byte("somebody was here")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tree.Commit(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, _, err := tree.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	_, addr, _ := strings.Cut(peers[0], "@")
	_, err = spawn(dir, os.Environ(), "--home", "0", "--p2p-listen", addr, "--http-listen", "127.0.0.1:0", "--mesh-listen", "127.0.0.1:0")
	if err == nil || !strings.Contains(err.Error(), "the blocks of this home do not fit its state") || !strings.Contains(err.Error(), "\ntry: check the disk") {
		t.Errorf("got %v", err)
	}
}
