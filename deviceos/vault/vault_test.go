package vault

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/kvtest"
)

func open(t *testing.T, fs kv.FS) *Vault {
	t.Helper()
	v, err := Open("device", Config{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func TestVault_Records(t *testing.T) {
	v := open(t, kv.NewMemFS())
	if err := v.Commit(Write{Key: FamilyLane.Key(1), Value: []byte("a")}, Write{Key: FamilyLane.Key(2), Value: []byte("b")}, Write{Key: FamilyTail.Key(), Value: []byte("t")}); err != nil {
		t.Fatal(err)
	}
	if err := v.Commit(Write{Key: FamilyLane.Key(1)}); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := v.Each(FamilyLane, func(rest, value []byte) error {
		got = append(got, fmt.Sprintf("%x=%s", rest, value))
		return nil
	})
	if err != nil || len(got) != 1 || got[0] != "02=b" {
		t.Fatalf("%v, %v", got, err)
	}
	stop := errors.New("stop")
	if err := v.Each(FamilyLane, func(_, _ []byte) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("got %v", err)
	}
	b := v.Blob(FamilyHead)
	if raw, err := b.Load(); raw != nil || err != nil {
		t.Fatalf("%x, %v", raw, err)
	}
	if err := b.Save([]byte("head")); err != nil {
		t.Fatal(err)
	}
	if raw, err := b.Load(); string(raw) != "head" || err != nil {
		t.Fatalf("%s, %v", raw, err)
	}
}

// What survives a power cut is a prefix of what was queued, and includes all
// that was reported done.
func TestQueue_OrderSurvivesPowerCuts(t *testing.T) {
	for seed := range uint64(12) {
		disk := kvtest.New()
		v := open(t, disk)
		var wg sync.WaitGroup
		var order sync.Mutex
		next, done := byte(0), byte(0)
		for range 8 {
			wg.Go(func() {
				for range 20 {
					order.Lock()
					next++
					n := next
					p := v.Queue(Write{Key: FamilyTail.Key(), Value: []byte{n}}, Write{Key: FamilyLane.Key(n), Value: []byte{n}})
					order.Unlock()
					if err := p.Wait(); err != nil {
						t.Error(err)
						return
					}
					order.Lock()
					done = max(done, n)
					order.Unlock()
				}
			})
		}
		wg.Wait()
		after := open(t, disk.Crash(seed))
		tail, err := after.Get(FamilyTail.Key())
		if err != nil || len(tail) != 1 || tail[0] < done || done != 160 {
			t.Fatalf("tail %x of %d, %v", tail, done, err)
		}
		count := byte(0)
		err = after.Each(FamilyLane, func(rest, _ []byte) error {
			if count++; rest[0] != count {
				return fmt.Errorf("record %d is missing", count)
			}
			return nil
		})
		if err != nil || count != tail[0] {
			t.Fatalf("%d records, tail %d, %v", count, tail[0], err)
		}
	}
}

// Writers that come while the disk is busy share its next sync.
func TestQueue_SharesSyncs(t *testing.T) {
	v := open(t, kv.NewMemFS())
	var pending []*Pending
	for n := range byte(100) {
		pending = append(pending, v.Queue(Write{Key: FamilyLane.Key(n), Value: []byte{n}}))
	}
	v.mu.Lock()
	waiting := len(v.queue)
	v.mu.Unlock()
	if err := pending[0].Wait(); err != nil || waiting != 100 {
		t.Fatalf("%d queued, %v", waiting, err)
	}
	v.mu.Lock()
	left := len(v.queue)
	v.mu.Unlock()
	if left != 0 {
		t.Fatalf("%d writes wait for a second sync", left)
	}
	for _, p := range pending[1:] {
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVault_FullDisk(t *testing.T) {
	disk := kvtest.New()
	v := open(t, disk)
	disk.Fill("")
	var wg sync.WaitGroup
	for n := range byte(10) {
		wg.Go(func() {
			if err := v.Commit(Write{Key: FamilyLane.Key(n), Value: []byte{n}}); !errors.Is(err, kv.Full) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	<-v.Failed()
	if !errors.Is(v.Err(), kv.Full) {
		t.Fatalf("got %v", v.Err())
	}
}

func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	made, err := CreateIdentity(dir, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !made.Device.Public().Equal(loaded.Device.Public()) || !made.Seal.Equal(loaded.Seal) ||
		!made.Transport.Equal(loaded.Transport) || !made.Bus.Equal(loaded.Bus) || !bytes.Equal(made.Secret, loaded.Secret) {
		t.Fatal("other keys were loaded than made")
	}
	if made.Transport.Equal(made.Bus) || len(made.Secret) != SecretSize || bytes.Equal(made.Secret, make([]byte, SecretSize)) {
		t.Fatal("keys are not apart")
	}
	if s := fmt.Sprint(made); strings.Contains(s, "key") && !strings.Contains(s, "hidden") {
		t.Fatal("prints its secrets")
	}
	if _, err := CreateIdentity(dir, rand.Reader); !errors.Is(err, ErrExists) {
		t.Fatalf("overwrote keys: %v", err)
	}
	for _, name := range []string{deviceFile, sealFile, transportFile, busFile, secretFile} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v, %v", name, info, err)
		}
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		try := func(what string, spoil func() error) {
			t.Helper()
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadIdentity(dir); err == nil {
				t.Errorf("%s: %s was accepted", name, what)
			}
		}
		try("readable by others", func() error { return os.Chmod(path, 0o640) })
		os.Chmod(path, 0o600)
		try("cut off", func() error { return os.WriteFile(path, good[:9], 0o600) })
		try("not hex", func() error { return os.WriteFile(path, []byte("open sesame\n"), 0o600) })
		try("missing", func() error { return os.Remove(path) })
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := LoadIdentity(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateIdentity(dir, strings.NewReader("")); err == nil {
		t.Fatal("made keys without randomness")
	}
}
