package home

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hybridos-net/hybridos/chain/store/durable"
)

func open(t *testing.T, dir string) *Home {
	t.Helper()
	h, err := Open(dir, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHome_SecretsStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "home")
	h := open(t, dir)
	first, err := h.Delegate()
	if err != nil {
		t.Fatal(err)
	}
	object, err := h.ObjectKey()
	if err != nil {
		t.Fatal(err)
	}
	again, err := open(t, dir).Delegate()
	if err != nil || !again.Public().Equal(first.Public()) {
		t.Errorf("another delegate key: %v", err)
	}
	if b, err := open(t, dir).ObjectKey(); err != nil || !bytes.Equal(b, object) {
		t.Errorf("another object key: %v", err)
	}
	for _, name := range []string{delegateFile, objectFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
}

func TestHome_MadeAtOnce(t *testing.T) {
	dir := t.TempDir()
	keys := make([]string, 8)
	var makers sync.WaitGroup
	for i := range keys {
		h := open(t, dir)
		makers.Go(func() {
			k, err := h.Delegate()
			if err != nil {
				t.Errorf("delegate: %v", err)
				return
			}
			keys[i] = k.Public().String()
		})
	}
	makers.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Errorf("two delegate keys: %s and %s", k, keys[0])
		}
	}
}

func TestHome_RefusesDamage(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "short": "abcd\n", "not hex": strings.Repeat("x", 64), "long": strings.Repeat("a", 70),
		"zero key": strings.Repeat("0", 64), "over the order": strings.Repeat("f", 64),
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, delegateFile)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, dir).Delegate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if after, _ := os.ReadFile(path); string(after) != text {
			t.Errorf("%s: file was overwritten", name)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, objectFile), []byte(strings.Repeat("a", 64)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir).ObjectKey(); !errors.Is(err, durable.ErrMode) {
		t.Errorf("mode 0644: %v", err)
	}
	if _, err := Open("", rand.Reader); err == nil {
		t.Error("no folder accepted")
	}
}
