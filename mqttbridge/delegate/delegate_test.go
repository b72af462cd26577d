package delegate_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/mqttbridge/delegate"
	"github.com/hybridos-net/hybridos/mqttbridge/settings"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/sdk/sdktest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/libp2p/go-libp2p/p2p/host/resource-manager.(*resourceManager).background"))
}

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// world is an owned lock, a node, and a bridge with a key.
type world struct {
	ledger        *sdktest.Ledger
	owner, bridge *key.Private
	lock          *sdktest.Device
	node          *sdktest.Node
	settings      settings.Settings
}

func newWorld(t *testing.T) *world {
	t.Helper()
	l, k := sdktest.New(t), sdktest.Key(t)
	w := &world{ledger: l, owner: sdktest.Key(t), bridge: sdktest.Key(t)}
	l.Register(k.Public())
	l.Claim(w.owner, k)
	w.lock, w.node = sdktest.NewDevice(t, l, k), sdktest.Serve(t, l)
	path := filepath.Join(t.TempDir(), "genesis.json")
	if err := os.WriteFile(path, l.Doc.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	w.settings = settings.Settings{
		Genesis: path, Nodes: []string{w.node.Addr},
		Devices: []settings.Device{{ID: w.id().String(), Name: "Door", Addrs: []string{w.lock.Addr}}},
	}
	return w
}

func (w *world) id() key.DeviceID { return w.lock.Key.Public().DeviceID() }

// grant lets the bridge call methods.
func (w *world) grant(methods ...string) tx.ID {
	id := w.ledger.Grant(w.owner, w.bridge.Public(), w.id(), methods...)
	w.settings.Devices[0].Grant = id.String()
	return id
}

func (w *world) open(t *testing.T) *delegate.Invoker {
	t.Helper()
	i, err := delegate.Open(delegate.Config{Settings: w.settings, Key: w.bridge, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

func TestInvoke_UnderAGrant(t *testing.T) {
	w := newWorld(t)
	w.grant("open")
	i := w.open(t)
	out, err := i.Invoke(patience(t), w.id().String(), "lock", "open", []byte("p"))
	if err != nil {
		t.Fatal(err)
	}
	if out.Status != command.Executed.String() || out.Code != command.OK.String() || string(out.Result) != "p" {
		t.Errorf("%+v", out)
	}
	r, err := command.DecodeReceipt(out.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(w.ledger.Doc.Chain(), w.lock.Key.Public(), command.ID(out.CommandID)); err != nil {
		t.Error(err)
	}
}

// TestInvoke_Lanes: no two commands are the same, also at once and of two runs.
func TestInvoke_Lanes(t *testing.T) {
	w := newWorld(t)
	w.grant("open")
	var wg sync.WaitGroup
	for range 2 {
		i := w.open(t)
		for range 5 {
			wg.Go(func() {
				if _, err := i.Invoke(patience(t), w.id().String(), "lock", "open", nil); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	seen := map[command.ID]bool{}
	for _, id := range w.lock.Ran() {
		seen[id] = true
	}
	if len(seen) != 10 {
		t.Errorf("%d different commands, want 10", len(seen))
	}
}

// TestInvoke_CountsPerDevice: a device takes no number far ahead of what it has
// seen, so busy neighbours must not use up its numbers.
func TestInvoke_CountsPerDevice(t *testing.T) {
	w := newWorld(t)
	k := sdktest.Key(t)
	w.ledger.Register(k.Public())
	w.ledger.Claim(w.owner, k)
	quiet := sdktest.NewDevice(t, w.ledger, k)
	w.settings.Devices = append(w.settings.Devices, settings.Device{ID: k.Public().DeviceID().String(), Addrs: []string{quiet.Addr}})
	i := w.open(t)
	for range 3 {
		if _, err := i.Invoke(patience(t), w.id().String(), "lock", "open", nil); err != nil {
			t.Fatal(err)
		}
	}
	nonce := make(chan uint64, 1)
	quiet.Lie(func(raw []byte) []byte {
		c, err := command.Decode(raw)
		if err != nil {
			return nil
		}
		nonce <- c.Body.Nonce
		return quiet.Answer(raw)
	})
	if _, err := i.Invoke(patience(t), k.Public().DeviceID().String(), "lock", "open", nil); err != nil {
		t.Fatal(err)
	}
	if n := <-nonce; n != 1 {
		t.Errorf("began at number %d", n)
	}
}

// TestInvoke_LaneGivenUp: a device that has missed too much of a lane gets
// another one, once.
func TestInvoke_LaneGivenUp(t *testing.T) {
	w := newWorld(t)
	w.grant("open")
	i := w.open(t)
	salts, refuse := map[uint64]uint64{}, 1 // the handler runs for one command at a time here
	w.lock.Lie(func(raw []byte) []byte {
		c, err := command.Decode(raw)
		if err != nil {
			return nil
		}
		salts[c.Body.Salt] = c.Body.Nonce
		if len(salts) <= refuse {
			return w.lock.Receipt(c.ID(w.ledger.Doc.Chain()), command.Rejected, command.JumpTooFar, nil)
		}
		return w.lock.Answer(raw)
	})
	out, err := i.Invoke(patience(t), w.id().String(), "lock", "open", nil)
	if err != nil || out.Status != command.Executed.String() || len(salts) != 2 || len(w.lock.Ran()) != 1 {
		t.Fatalf("%+v, %v; lanes %v", out, err, salts)
	}
	for salt, nonce := range salts {
		if salt == 0 || nonce != 1 {
			t.Errorf("lanes %v", salts)
		}
	}
	refuse = 100
	out, err = i.Invoke(patience(t), w.id().String(), "lock", "open", nil)
	if err != nil || out.Code != command.JumpTooFar.String() || len(salts) != 3 || len(w.lock.Ran()) != 1 {
		t.Fatalf("%+v, %v; lanes %v", out, err, salts)
	}
}

// TestInvoke_Lost: when the link is lost, the same bytes are sent once more; the
// device going away then does not make the outcome known.
func TestInvoke_Lost(t *testing.T) {
	w := newWorld(t)
	w.grant("open")
	i := w.open(t)
	var got [][]byte
	w.lock.Lie(func(raw []byte) []byte {
		got = append(got, bytes.Clone(raw))
		if len(got) == 1 {
			return nil
		}
		return w.lock.Answer(raw)
	})
	out, err := i.Invoke(patience(t), w.id().String(), "lock", "open", nil)
	if err != nil || out.Status != command.Executed.String() || len(got) != 2 || !bytes.Equal(got[0], got[1]) {
		t.Fatalf("%+v, %v; sent %d", out, err, len(got))
	}
	w.lock.Lie(func([]byte) []byte {
		go w.lock.Kill()
		return nil
	})
	ctx, cancel := context.WithTimeout(patience(t), 2*time.Second)
	defer cancel()
	_, err = i.Invoke(ctx, w.id().String(), "lock", "open", nil)
	if !errors.Is(err, sdk.NoReceipt) || errors.Is(err, sdk.Unreachable) {
		t.Fatal(err)
	}
}

// TestInvoke_Refusals: the device's no is the outcome.
func TestInvoke_Refusals(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, w *world)
		code    command.Code
	}{
		"no grant":       {func(*testing.T, *world) {}, command.UnknownKey},
		"unknown grant":  {func(_ *testing.T, w *world) { w.settings.Devices[0].Grant = tx.ID{9}.String() }, command.UnknownGrant},
		"another method": {func(_ *testing.T, w *world) { w.grant("state") }, command.NotGranted},
		"revoked":        {func(_ *testing.T, w *world) { w.ledger.Revoke(w.owner, w.grant("open")) }, command.GrantRevoked},
		"another key's": {func(t *testing.T, w *world) {
			w.grant("open")
			w.bridge = sdktest.Key(t)
		}, command.NotGranted},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.prepare(t, w)
			out, err := w.open(t).Invoke(patience(t), w.id().String(), "lock", "open", nil)
			if err != nil {
				t.Fatal(err)
			}
			if out.Status != command.Rejected.String() || out.Code != c.code.String() || len(w.lock.Ran()) != 0 {
				t.Errorf("%s %s, want %s", out.Status, out.Code, c.code)
			}
		})
	}
}

func TestInvoke_Errors(t *testing.T) {
	unregistered := func(t *testing.T) string { return sdktest.Key(t).Public().DeviceID().String() }
	for name, c := range map[string]struct {
		spoil func(t *testing.T, w *world)
		kind  error // nil: any
	}{
		"not configured": {func(_ *testing.T, w *world) { w.settings.Devices[0].ID = "other" }, nil},
		"not registered": {func(t *testing.T, w *world) { w.settings.Devices[0].ID = unregistered(t) }, state.NoDevice},
		"no address":     {func(_ *testing.T, w *world) { w.settings.Devices[0].Addrs = nil }, sdk.BadAddress},
		"bad grant":      {func(_ *testing.T, w *world) { w.settings.Devices[0].Grant = "x" }, nil},
		"node dead":      {func(_ *testing.T, w *world) { w.node.Kill() }, sdk.NoNode},
		"device dead":    {func(_ *testing.T, w *world) { w.lock.Kill() }, sdk.Unreachable},
		"no receipt":     {func(_ *testing.T, w *world) { w.lock.Lie(func([]byte) []byte { return nil }) }, sdk.NoReceipt},
		"forged receipt": {func(t *testing.T, w *world) {
			chain, by := w.ledger.Doc.Chain(), sdktest.Key(t)
			w.lock.Lie(func(raw []byte) []byte {
				cmd, err := command.Decode(raw)
				if err != nil {
					return nil
				}
				return command.SignReceipt(chain, command.ReceiptBody{
					Command: cmd.ID(chain), Device: w.id(), Epoch: 1, Status: command.Executed,
				}, by).Bytes()
			})
		}, sdk.BadReceipt},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.grant("open")
			id := w.id().String()
			c.spoil(t, w)
			if name == "not registered" {
				id = w.settings.Devices[0].ID
			}
			out, err := w.open(t).Invoke(patience(t), id, "lock", "open", nil)
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) {
				t.Fatalf("%+v, %v", out, err)
			}
			if out.Receipt != nil {
				t.Error("an outcome beside an error")
			}
		})
	}
}

func TestOpen_Refusals(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		edit func(*delegate.Config)
		kind error // nil: any
	}{
		"no genesis":       {func(c *delegate.Config) { c.Settings.Genesis = "" }, nil},
		"no nodes":         {func(c *delegate.Config) { c.Settings.Nodes = nil }, nil},
		"no key":           {func(c *delegate.Config) { c.Key = nil }, nil},
		"no randomness":    {func(c *delegate.Config) { c.Random = nil }, nil},
		"dry randomness":   {func(c *delegate.Config) { c.Random = bytes.NewReader([]byte("short")) }, nil},
		"genesis missing":  {func(c *delegate.Config) { c.Settings.Genesis += ".not" }, fs.ErrNotExist},
		"genesis a folder": {func(c *delegate.Config) { c.Settings.Genesis = filepath.Dir(c.Settings.Genesis) }, nil},
		"bad node":         {func(c *delegate.Config) { c.Settings.Nodes = []string{"x"} }, sdk.BadAddress},
	} {
		cfg := delegate.Config{Settings: w.settings, Key: w.bridge, Random: rand.Reader}
		c.edit(&cfg)
		i, err := delegate.Open(cfg)
		if err == nil {
			i.Close()
			t.Errorf("%s: opened", name)
		} else if c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
