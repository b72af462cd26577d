package kv_test

import (
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/store/kv"
)

// A snapshot shows nothing of what is written after it.
func TestSnapshot_StaysAsItWas(t *testing.T) {
	db := open(t, "d", kv.Options{FS: kv.NewMemFS(), Layout: "test", LayoutVersion: 1})
	put(t, db, "a", "1")
	s, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, "a", "2")
	put(t, db, "b", "2")
	if v, err := s.Get([]byte("a")); err != nil || string(v) != "1" {
		t.Errorf("got %q, %v", v, err)
	}
	if v, err := s.Get([]byte("b")); err != nil || v != nil {
		t.Errorf("a later key: %q, %v", v, err)
	}
	if _, err := s.Get([]byte("\x00a")); !errors.Is(err, kv.BadKey) {
		t.Errorf("a reserved key: %v", err)
	}
	it, err := s.NewIterator(nil, nil, kv.Forward)
	if err != nil {
		t.Fatal(err)
	}
	if string(it.Key()) != "a" || string(it.Value()) != "1" {
		t.Errorf("iterates %q %q", it.Key(), it.Value())
	}
	if it.Next(); it.Valid() {
		t.Errorf("iterates a later key %q", it.Key())
	}
	if err := errors.Join(it.Close(), s.Close(), s.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.NewSnapshot(); !errors.Is(err, kv.Closed) {
		t.Errorf("of a closed store: %v", err)
	}
}
