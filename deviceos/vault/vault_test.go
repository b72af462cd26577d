package vault_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hybridos-net/hybridos/deviceos/vault"
	"github.com/hybridos-net/hybridos/deviceos/vault/vaulttest"
)

func open(t testing.TB, fs vault.FS) *vault.Vault {
	t.Helper()
	v, err := vault.Open("device", vault.Config{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func lane(n uint32) []byte {
	return vault.FamilyLane.Key(binary.BigEndian.AppendUint32(nil, n)...)
}

func put(k []byte, v ...byte) vault.Write { return vault.Write{Key: k, Value: v} }

func TestVault_Records(t *testing.T) {
	for name, fs := range map[string]vault.FS{"memory": vaulttest.New(), "disk": nil} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b")
			again := func() *vault.Vault {
				v, err := vault.Open(dir, vault.Config{FS: fs})
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			v := again()
			if err := v.Commit(put(lane(1), 'a'), put(lane(2), 'b'), put(vault.FamilyTail.Key(), 't'), vault.Write{Key: lane(3), Value: []byte{}}); err != nil {
				t.Fatal(err)
			}
			if err := v.Commit(put(lane(1), 'x'), vault.Write{Key: lane(1)}, vault.Write{Key: lane(9)}); err != nil {
				t.Fatal(err)
			}
			if _, err := vault.Open(dir, vault.Config{FS: fs}); !errors.Is(err, vault.Locked) {
				t.Fatalf("opened twice: %v", err)
			}
			if err := v.Blob(vault.FamilyHead).Save([]byte("head")); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(v.Close(), v.Close()); err != nil {
				t.Fatal(err)
			}
			if err := v.Commit(put(lane(1), 'x')); !errors.Is(err, vault.Closed) {
				t.Fatalf("wrote to a closed store: %v", err)
			}
			if _, err := v.Get(lane(1)); !errors.Is(err, vault.Closed) {
				t.Fatalf("read from a closed store: %v", err)
			}
			v = again()
			defer v.Close()
			var got []string
			err := v.Each(vault.FamilyLane, func(rest, value []byte) error {
				got = append(got, fmt.Sprintf("%x=%s", rest, value))
				return nil
			})
			if err != nil || strings.Join(got, " ") != "00000002=b 00000003=" {
				t.Fatalf("%v, %v", got, err)
			}
			if raw, err := v.Blob(vault.FamilyHead).Load(); string(raw) != "head" || err != nil {
				t.Fatalf("%s, %v", raw, err)
			}
			if raw, err := v.Get(lane(1)); raw != nil || err != nil {
				t.Fatalf("removed record: %x, %v", raw, err)
			}
			if raw, err := v.Get(lane(3)); raw == nil || len(raw) != 0 || err != nil {
				t.Fatalf("empty record: %x, %v", raw, err)
			}
			stop := errors.New("stop")
			if err := v.Each(vault.FamilyLane, func(_, _ []byte) error { return stop }); !errors.Is(err, stop) {
				t.Fatalf("got %v", err)
			}
			for name, w := range map[string]vault.Write{
				"empty key": put(nil, 1), "long key": put(make([]byte, 300), 1), "long value": {Key: lane(1), Value: make([]byte, 1<<20)},
			} {
				if err := v.Commit(w); !errors.Is(err, vault.BadWrite) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if err := v.Commit(); err != nil {
				t.Errorf("nothing to write: %v", err)
			}
			if err := v.Commit(put(lane(5), 1)); err != nil {
				t.Errorf("after refusals: %v", err)
			}
		})
	}
}

// What survives a power cut is a prefix of what was queued, and includes all
// that was reported done; also while files are rewritten.
func TestQueue_OrderSurvivesPowerCuts(t *testing.T) {
	for seed := range uint64(40) {
		disk := vaulttest.New()
		v := open(t, disk)
		var wg sync.WaitGroup
		var order sync.Mutex
		next, done := uint32(0), uint32(0)
		var crashed *vaulttest.Disk
		value := bytes.Repeat([]byte{7}, 9000) // rewrites every hundred or so
		for range 4 {
			wg.Go(func() {
				for range 60 {
					order.Lock()
					next++
					n := next
					p := v.Queue(put(vault.FamilyTail.Key(), binary.BigEndian.AppendUint32(nil, n)...), put(lane(n), byte(n)),
						vault.Write{Key: vault.FamilyHead.Key(), Value: value})
					order.Unlock()
					if err := p.Wait(); err != nil {
						t.Error(err)
						return
					}
					order.Lock()
					if crashed == nil {
						done = max(done, n)
						if n > 30+uint32(seed)*5 {
							crashed = disk.Crash(seed)
						}
					}
					order.Unlock()
				}
			})
		}
		wg.Wait()
		after := open(t, crashed)
		raw, err := after.Get(vault.FamilyTail.Key())
		if err != nil || len(raw) != 4 {
			t.Fatalf("seed %d: tail %x, %v", seed, raw, err)
		}
		tail := binary.BigEndian.Uint32(raw)
		if tail < done {
			t.Fatalf("seed %d: tail %d, but %d was reported done", seed, tail, done)
		}
		count := uint32(0)
		err = after.Each(vault.FamilyLane, func(rest, _ []byte) error {
			if count++; binary.BigEndian.Uint32(rest) != count {
				return fmt.Errorf("record %d is missing", count)
			}
			return nil
		})
		if err != nil || count != tail {
			t.Fatalf("seed %d: %d records, tail %d, %v", seed, count, tail, err)
		}
		if err := after.Commit(put(lane(9999), 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// Writers that come while the disk is busy share its next sync.
func TestQueue_SharesSyncs(t *testing.T) {
	disk := vaulttest.New()
	v := open(t, disk)
	var pending []*vault.Pending
	for n := range uint32(100) {
		pending = append(pending, v.Queue(put(lane(n), 1)))
	}
	before := disk.Syncs()
	for _, p := range pending {
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if n := disk.Syncs() - before; n != 1 {
		t.Fatalf("%d syncs for 100 writers", n)
	}
}

func TestVault_StaysSmall(t *testing.T) {
	disk := vaulttest.New()
	v := open(t, disk)
	value := make([]byte, 50_000)
	for n := range 200 {
		value[0] = byte(n)
		if err := v.Blob(vault.FamilyHead).Save(value); err != nil {
			t.Fatal(err)
		}
	}
	disk.Rot("log-", func(data []byte) int {
		if len(data) > 2<<20 {
			t.Errorf("file of %d bytes for one record", len(data))
		}
		return -1
	})
	if names, err := disk.List("device"); err != nil || len(names) != 1 {
		t.Fatalf("files %v, %v", names, err)
	}
	if raw, err := v.Blob(vault.FamilyHead).Load(); err != nil || raw[0] != 199 {
		t.Fatalf("%v", err)
	}
}

// The first fault stops the store with one clear error, and what was confirmed
// before is there afterwards.
func TestVault_FullOrFailingDisk(t *testing.T) {
	for room := range 40 {
		disk := vaulttest.New()
		v := open(t, disk)
		if err := v.Commit(put(lane(0), 1)); err != nil {
			t.Fatal(err)
		}
		disk.Fill(room * 7)
		if room == 39 {
			disk.Fill(-1)
			disk.FailSync(errors.New("the cable is loose"))
		}
		var wg sync.WaitGroup
		for n := range uint32(10) {
			wg.Go(func() {
				err := v.Commit(vault.Write{Key: lane(n + 1), Value: make([]byte, 200_000)})
				if want := vault.Full; room < 39 && !errors.Is(err, want) || err == nil {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		<-v.Failed()
		if err := v.Commit(put(lane(0), 2)); err == nil || !errors.Is(err, v.Err()) {
			t.Fatalf("wrote after a fault: %v", err)
		}
		after := open(t, disk.Crash(uint64(room)))
		if raw, err := after.Get(lane(0)); err != nil || len(raw) != 1 || raw[0] != 1 {
			t.Fatalf("room %d: confirmed record: %x, %v", room, raw, err)
		}
	}
}

// A rotten byte in a group that others follow is refused: going on without it
// would forget nonces. In the last group it cannot be told from a torn write.
func TestOpen_Rot(t *testing.T) {
	mark := []byte("HVG1")
	for _, at := range []int{0, 5, 12, 20, 30} {
		disk := vaulttest.New()
		v := open(t, disk)
		for n := range uint32(5) {
			if err := v.Commit(put(lane(n), byte(n))); err != nil {
				t.Fatal(err)
			}
		}
		v.Close()
		disk.Rot("log-", func(data []byte) int {
			second := bytes.Index(data, mark) + 4
			return second + bytes.Index(data[second:], mark) + at
		})
		if _, err := vault.Open("device", vault.Config{FS: disk}); !errors.Is(err, vault.Corrupt) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	for _, c := range []struct {
		at   int
		want vault.ErrorKind
	}{{0, vault.Corrupt}, {11, vault.WrongLayout}} {
		disk := vaulttest.New()
		open(t, disk).Close()
		disk.Rot("log-", func([]byte) int { return c.at })
		if _, err := vault.Open("device", vault.Config{FS: disk}); !errors.Is(err, c.want) {
			t.Errorf("header byte %d: %v", c.at, err)
		}
	}
	disk := vaulttest.New()
	v := open(t, disk)
	if err := v.Commit(put(lane(1), 'a', 'b', 'c')); err != nil {
		t.Fatal(err)
	}
	disk.Rot("log-", func(data []byte) int { return bytes.Index(data, []byte("abc")) })
	if _, err := v.Get(lane(1)); !errors.Is(err, vault.Corrupt) {
		t.Errorf("read a rotten record: %v", err)
	}
}

// Whatever a file holds, opening it neither panics nor takes for valid what it
// cannot read back.
func FuzzOpen(f *testing.F) {
	disk := vaulttest.New()
	v := open(f, disk)
	if err := v.Commit(put(lane(1), 'a'), vault.Write{Key: lane(2)}); err != nil {
		f.Fatal(err)
	}
	if err := v.Commit(put(lane(2), 'b')); err != nil {
		f.Fatal(err)
	}
	disk.Rot("log-", func(data []byte) int {
		f.Add(bytes.TrimRight(data, "\x00"))
		return -1
	})
	f.Add([]byte{})
	f.Add([]byte("HOSVAULT\x00\x00\x00\x01HVG1\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		disk := vaulttest.New()
		file, err := disk.Open("device/log-0000000000000001", true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(raw, 0); err != nil {
			t.Fatal(err)
		}
		v, err := vault.Open("device", vault.Config{FS: disk})
		if err != nil {
			return
		}
		defer v.Close()
		if err := v.Each(vault.FamilyLane, func(_, _ []byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := v.Commit(put(lane(7), 7)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestError_KindsAndHints(t *testing.T) {
	hinted := 0
	for _, k := range vault.Kinds() {
		err := error(&vault.Error{Kind: k, Dir: "d", Detail: "x", Cause: os.ErrClosed})
		if !errors.Is(err, k) || !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s is lost", k)
		}
		if (&vault.Error{Kind: k}).Hint() != "" {
			hinted++
		}
	}
	if hinted != 5 {
		t.Errorf("%d kinds with a hint", hinted)
	}
}

func TestKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock.key")
	made, err := vault.CreateKey(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if loaded, err := vault.LoadKey(path); err != nil || !loaded.Equal(made) {
		t.Fatalf("other key than made: %v", err)
	}
	public, err := os.ReadFile(path + ".pub")
	if err != nil || string(public) != fmt.Sprintf("%x\n", made.Public()) {
		t.Fatalf("%s, %v", public, err)
	}
	if _, err := vault.CreateKey(path, rand.Reader); !errors.Is(err, vault.ErrExists) {
		t.Fatalf("overwrote a key: %v", err)
	}
	if _, err := vault.CreateKey(path+"2", strings.NewReader("")); err == nil {
		t.Fatal("made a key without randomness")
	}
}

// intruder makes a file while keys are drawn.
type intruder struct{ path string }

func (i intruder) Read(b []byte) (int, error) {
	return len(b), errors.Join(os.WriteFile(i.path, []byte("other"), 0o600), func() error { _, err := rand.Read(b); return err }())
}

// TestCreateIdentity_Undone: keys that cannot all be written leave nothing
// behind, and nothing of others is touched.
func TestCreateIdentity_Undone(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "device.key")
	if _, err := vault.CreateIdentity(dir, intruder{other}); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("got %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "device.key" {
		t.Fatalf("left %v, %v", left, err)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.CreateIdentity(dir, rand.Reader); err != nil {
		t.Fatalf("second try: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	made, err := vault.CreateIdentity(dir, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := vault.LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !made.Device.Public().Equal(loaded.Device.Public()) || !made.Seal.Equal(loaded.Seal) ||
		!made.Transport.Equal(loaded.Transport) || !made.Bus.Equal(loaded.Bus) || !bytes.Equal(made.Secret, loaded.Secret) {
		t.Fatal("other keys were loaded than made")
	}
	if made.Transport.Equal(made.Bus) || len(made.Secret) != vault.SecretSize || bytes.Equal(made.Secret, make([]byte, vault.SecretSize)) {
		t.Fatal("keys are not apart")
	}
	if s := fmt.Sprint(made); strings.Contains(s, "key") && !strings.Contains(s, "hidden") {
		t.Fatal("prints its secrets")
	}
	if _, err := vault.CreateIdentity(dir, rand.Reader); !errors.Is(err, vault.ErrExists) {
		t.Fatalf("overwrote keys: %v", err)
	}
	for _, name := range []string{"device.key", "seal.key", "transport.key", "bus.key", "claim.secret"} {
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
			if _, err := vault.LoadIdentity(dir); err == nil {
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
	if _, err := vault.LoadIdentity(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.CreateIdentity(dir, strings.NewReader("")); err == nil {
		t.Fatal("made keys without randomness")
	}
}
