package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/light/lighttest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/sdk/sdktest"
)

const nobody = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWAfPDpPRRRBrmqy9is2zjU5srQ4hKuZitiGmh4NTTpS2d"

func TestNew_Refusals(t *testing.T) {
	l := sdktest.New(t)
	h := p2ptest.Slim(t)
	for name, c := range map[string]struct {
		cfg  sdk.Config
		kind error
	}{
		"no genesis":      {sdk.Config{Host: h, Nodes: []string{nobody}}, nil},
		"no host":         {sdk.Config{Genesis: l.Doc, Nodes: []string{nobody}}, nil},
		"no node":         {sdk.Config{Genesis: l.Doc, Host: h}, sdk.NoNode},
		"not a multiaddr": {sdk.Config{Genesis: l.Doc, Host: h, Nodes: []string{"localhost:80"}}, sdk.BadAddress},
		"no peer id":      {sdk.Config{Genesis: l.Doc, Host: h, Nodes: []string{"/ip4/127.0.0.1/tcp/80"}}, sdk.BadAddress},
	} {
		_, err := sdk.New(c.cfg)
		if err == nil || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestView_ReadsProvenState(t *testing.T) {
	h := newHome(t)
	v, err := h.client.View(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	d, err := state.GetDevice(v, h.lock.Key.Public().DeviceID())
	if err != nil || d.Owner == nil || *d.Owner != h.owner.Public().AccountID() {
		t.Fatalf("%+v, %v", d, err)
	}
	_, err = state.GetDevice(v, sdktest.Key(t).Public().DeviceID())
	want(t, err, state.NoDevice)
	if v.Head().Height != h.ledger.Height() {
		t.Errorf("head %d, want %d", v.Head().Height, h.ledger.Height())
	}
}

func TestView_NodeDead(t *testing.T) {
	h := newHome(t)
	v, err := h.client.View(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	h.node.Kill()
	_, err = h.client.View(patience(t))
	want(t, err, sdk.NoNode)
	_, err = state.GetDevice(v, sdktest.Key(t).Public().DeviceID()) // a read of a view made before
	want(t, err, sdk.NoNode)
	_, err = h.client.Build(patience(t), h.owner.Public().AccountID(), false, &tx.RevokeGrant{Grant: tx.ID{1}})
	want(t, err, sdk.NoNode)
}

// TestView_Lies: what a node says is proven or not believed.
func TestView_Lies(t *testing.T) {
	l, other := sdktest.New(t), sdktest.New(t)
	dev := sdktest.Key(t)
	l.Register(dev.Public())
	id := dev.Public().DeviceID()
	foreign, _ := other.LightBlock(t.Context(), 0)
	for name, c := range map[string]struct {
		liar liar
		kind error
	}{
		"wrong value": {liar{prove: func(k []byte, h int64) (fetch.Proof, error) {
			p, err := l.Prove(context.Background(), k, h)
			p.Value = append(bytes.Clone(p.Value), 0)
			return p, err
		}}, light.BadProof},
		"says absent": {liar{prove: func(k []byte, h int64) (fetch.Proof, error) {
			p, err := l.Prove(context.Background(), k, h)
			p.Value = nil
			return p, err
		}}, light.BadProof},
		"proof of another key under this name": {liar{prove: func(k []byte, h int64) (fetch.Proof, error) {
			p, err := l.Prove(context.Background(), state.ParamsKey(), h)
			p.Key = k
			return p, err
		}}, light.BadProof},
		"proof of another key": {liar{prove: func(_ []byte, h int64) (fetch.Proof, error) {
			return l.Prove(context.Background(), state.ParamsKey(), h)
		}}, sdk.NoNode},
		"proof of an old state as if new": {liar{prove: func(k []byte, h int64) (fetch.Proof, error) {
			p, err := l.Prove(context.Background(), k, 1)
			p.Height = h
			return p, err
		}}, light.BadProof},
		"proof of another height": {liar{prove: func(k []byte, _ int64) (fetch.Proof, error) {
			return l.Prove(context.Background(), k, 1)
		}}, sdk.NoNode},
		"another chain": {liar{block: func(int64) ([]byte, error) { return foreign, nil }}, light.BadHeader},
		"another chain's name": {liar{block: func(int64) ([]byte, error) {
			return l.Forge(l.Height(), true, func(b *types.LightBlock) { b.ChainID = "elsewhere" }), nil
		}}, light.WrongChain},
		"unsigned header": {liar{block: func(int64) ([]byte, error) {
			return l.Forge(l.Height(), false, func(b *types.LightBlock) { b.AppHash = make([]byte, 32) }), nil
		}}, light.BadHeader},
		"rubbish": {liar{block: func(int64) ([]byte, error) { return []byte("rubbish"), nil }}, light.BadHeader},
	} {
		t.Run(name, func(t *testing.T) {
			c.liar.Backend = l
			client := newClient(t, l, nil, sdktest.Serve(t, &c.liar).Addr)
			v, err := client.View(patience(t))
			if err == nil {
				_, err = state.GetDevice(v, id)
			}
			want(t, err, c.kind)
			if c.liar.block != nil && client.Ledger().Head().Height != 0 {
				t.Error("the head moved")
			}
		})
	}
}

// TestView_LiarMakesRoom: a node that lies in proofs only is left for the next.
func TestView_LiarMakesRoom(t *testing.T) {
	l := sdktest.New(t)
	dev := sdktest.Key(t)
	l.Register(dev.Public())
	bad := sdktest.Serve(t, &liar{Backend: l, prove: func(k []byte, h int64) (fetch.Proof, error) {
		p, err := l.Prove(context.Background(), k, h)
		p.Value = append(bytes.Clone(p.Value), 0)
		return p, err
	}})
	client := newClient(t, l, nil, bad.Addr, sdktest.Serve(t, l).Addr)
	v, err := client.View(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := state.GetDevice(v, dev.Public().DeviceID()); err != nil || !d.Key.Equal(dev.Public()) {
		t.Fatalf("%+v, %v", d, err)
	}
}

// TestView_NotServed: a node that calls reads bad requests does not speak for the
// others.
func TestView_NotServed(t *testing.T) {
	l := sdktest.New(t)
	dev := sdktest.Key(t)
	l.Register(dev.Public())
	read := func(nodes ...string) error {
		v, err := newClient(t, l, nil, nodes...).View(patience(t))
		if err == nil {
			_, err = state.GetDevice(v, dev.Public().DeviceID())
		}
		return err
	}
	good := sdktest.Serve(t, l).Addr
	for name, bad := range map[string]*liar{
		"headers": {Backend: l, block: func(int64) ([]byte, error) { return nil, fetch.BadRequest }},
		"proofs":  {Backend: l, prove: func([]byte, int64) (fetch.Proof, error) { return fetch.Proof{}, fetch.BadRequest }},
		"slow":    {Backend: l, prove: func([]byte, int64) (fetch.Proof, error) { return fetch.Proof{}, fetch.Timeout }},
	} {
		addr := sdktest.Serve(t, bad).Addr
		if err := read(addr, good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := read(addr); !errors.Is(err, sdk.NoNode) {
			t.Errorf("%s, alone: %v", name, err)
		}
	}
}

// TestView_OldNode: an old header never takes the head back, and where another
// node is configured, it is asked for a newer one.
func TestView_OldNode(t *testing.T) {
	l := sdktest.New(t)
	old, _ := l.LightBlock(t.Context(), 0)
	for range 20 {
		l.Seal() // 40 s later
	}
	frozen := sdktest.Serve(t, &liar{Backend: l, block: func(int64) ([]byte, error) { return old, nil }})
	alone := newClient(t, l, nil, frozen.Addr)
	v, err := alone.View(patience(t))
	if err != nil || v.Head().Height != 2 {
		t.Fatalf("head %d, %v", v.Head().Height, err)
	}
	now, _ := l.LightBlock(t.Context(), 0)
	if _, err := alone.Ledger().Offer(patience(t), now); err != nil {
		t.Fatal(err)
	}
	if v, err = alone.View(patience(t)); err != nil || v.Head().Height != l.Height() {
		t.Fatalf("went back to %d, %v", v.Head().Height, err)
	}
	both := newClient(t, l, nil, frozen.Addr, sdktest.Serve(t, l).Addr)
	if v, err = both.View(patience(t)); err != nil || v.Head().Height != l.Height() {
		t.Fatalf("head %d, %v", v.Head().Height, err)
	}
}

// TestView_OneLiar: a lying node is one of several.
func TestView_OneLiar(t *testing.T) {
	l := sdktest.New(t)
	lying := sdktest.Serve(t, &liar{Backend: l, block: func(int64) ([]byte, error) { return []byte("x"), nil }})
	c := newClient(t, l, nil, lying.Addr, sdktest.Serve(t, l).Addr)
	if v, err := c.View(patience(t)); err != nil || v.Head().Height != l.Height() {
		t.Fatal(err)
	}
}

// TestView_LiesBetween: a node that lies only in the headers between two others is
// one of several, wherever it stands.
func TestView_LiesBetween(t *testing.T) {
	l := sdktest.New(t)
	for range 3 {
		l.Replace(3)
		l.Seal()
	}
	bad := sdktest.Serve(t, &liar{Backend: l, block: func(h int64) ([]byte, error) {
		if h != 0 {
			return l.Forge(h, false, func(b *types.LightBlock) { b.AppHash = make([]byte, 32) }), nil
		}
		return l.LightBlock(context.Background(), h)
	}}).Addr
	good := sdktest.Serve(t, l).Addr
	alone := newClient(t, l, nil, bad)
	_, err := alone.View(patience(t))
	want(t, err, light.BadHeader)
	for name, nodes := range map[string][]string{"first": {bad, good}, "last": {good, bad}} {
		v, err := newClient(t, l, nil, nodes...).View(patience(t))
		if err != nil || v.Head().Height != l.Height() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestViewAfter_Waits(t *testing.T) {
	l := sdktest.New(t)
	asked := make(chan struct{}, 100)
	n := sdktest.Serve(t, &liar{Backend: l, block: func(h int64) ([]byte, error) {
		asked <- struct{}{}
		return l.LightBlock(context.Background(), h)
	}})
	c := newClient(t, l, nil, n.Addr)
	height := l.Height()
	got := make(chan error, 1)
	go func() {
		v, err := c.ViewAfter(patience(t), height)
		if err == nil && v.Head().Height <= height {
			err = errors.New("not after it")
		}
		got <- err
	}()
	<-asked
	<-asked // it has seen that there is nothing yet
	l.Advance(lighttest.Interval)
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(patience(t))
	go func() {
		_, err := c.ViewAfter(ctx, l.Height())
		got <- err
	}()
	<-asked
	cancel()
	err := <-got
	want(t, err, sdk.NoNode)
	want(t, err, context.Canceled)
}

// TestViewAfter_OldNode: a node that stopped does not hold up the wait.
func TestViewAfter_OldNode(t *testing.T) {
	l := sdktest.New(t)
	old, _ := l.LightBlock(t.Context(), 0)
	frozen := sdktest.Serve(t, &liar{Backend: l, block: func(int64) ([]byte, error) { return old, nil }})
	c := newClient(t, l, nil, frozen.Addr, sdktest.Serve(t, l).Addr)
	l.Seal() // 2 s: not yet old
	if _, err := c.ViewAfter(patience(t), l.Height()-1); err != nil {
		t.Fatal(err)
	}
}

func TestBuild_Sequence(t *testing.T) {
	h := newHome(t)
	account := h.owner.Public().AccountID()
	grant := func() *tx.Tx {
		t.Helper()
		now := uint64(h.ledger.Now().Unix())
		x, err := h.client.Build(patience(t), account, false, &tx.CreateGrant{
			Grantee: sdktest.Key(t).Public(), NotBefore: now, NotAfter: now + 60,
			Targets: []tx.Target{{Device: h.lock.Key.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		x.Sign(h.client.Chain(), tx.RoleAccount, h.owner)
		return x
	}
	for i := range uint64(2) { // the claim was number 0
		x := grant()
		if x.Body.Sequence != i+1 || x.Body.Expires <= uint64(h.ledger.Now().Unix()) {
			t.Fatalf("sequence %d, expires %d", x.Body.Sequence, x.Body.Expires)
		}
		height, err := h.client.Submit(patience(t), x)
		if err != nil {
			t.Fatal(err)
		}
		v, err := h.client.ViewAfter(patience(t), height)
		if err != nil {
			t.Fatal(err)
		}
		if g, err := state.GetGrant(v, x.ID(h.client.Chain())); err != nil || g.Issuer != account {
			t.Fatalf("%+v, %v", g, err)
		}
	}
	reg := &tx.RegisterDevice{Key: sdktest.Key(t).Public(), SealKey: [32]byte{1}, Model: "Lock 1"}
	x, err := h.client.Build(patience(t), h.ledger.Vendor.Public().AccountID(), true, reg)
	if err != nil || x.Body.Sequence != 1 {
		t.Fatalf("vendor: %+v, %v", x, err)
	}
	_, err = h.client.Build(patience(t), account, true, reg)
	want(t, err, state.NoVendor)
	x, err = h.client.Build(patience(t), sdktest.Key(t).Public().AccountID(), false, &tx.Claim{Device: h.lock.Key.Public().DeviceID(), Epoch: 2})
	if err != nil || x.Body.Sequence != 0 {
		t.Fatalf("new account: %+v, %v", x, err)
	}
	_, err = h.client.Build(patience(t), account, false, &tx.RevokeGrant{})
	want(t, err, tx.Malformed)
}

// register is a signed registration of a new device.
func register(t *testing.T, l *sdktest.Ledger, c *sdk.Client) *tx.Tx {
	t.Helper()
	x, err := c.Build(patience(t), l.Vendor.Public().AccountID(), true, &tx.RegisterDevice{Key: sdktest.Key(t).Public(), SealKey: [32]byte{1}, Model: "Lock 1"})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestSubmit_Refused(t *testing.T) {
	h := newHome(t)
	x := register(t, h.ledger, h.client)
	x.Sign(h.client.Chain(), tx.RoleVendor, h.owner)
	_, err := h.client.Submit(patience(t), x)
	want(t, err, sdk.Refused)
	var e *sdk.Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Detail, string(state.WrongSigner)) {
		t.Fatalf("got %v", err)
	}
}

// TestSubmit_Words: a node's words do not steer a terminal.
func TestSubmit_Words(t *testing.T) {
	l := sdktest.New(t)
	n := sdktest.Serve(t, &liar{Backend: l, submit: func([]byte) (fetch.Result, error) {
		return fetch.Result{Code: 1, Log: "bad\x1b[2J\n\u202e"}, nil
	}})
	c := newClient(t, l, nil, n.Addr)
	_, err := c.Submit(patience(t), register(t, l, c))
	want(t, err, sdk.Refused)
	if strings.ContainsAny(err.Error(), "\x1b\n\u202e") {
		t.Fatalf("got %q", err)
	}
}

func TestSubmit_Undecided(t *testing.T) {
	l := sdktest.New(t)
	n := sdktest.Serve(t, &liar{Backend: l, submit: func([]byte) (fetch.Result, error) { return fetch.Result{}, fetch.Timeout }})
	c := newClient(t, l, nil, n.Addr)
	_, err := c.Submit(patience(t), register(t, l, c))
	want(t, err, sdk.Undecided)
	if errors.Is(err, sdk.Refused) || errors.Is(err, sdk.NoNode) {
		t.Fatal(err)
	}
}

// TestSubmit_UndecidedMakesRoom: handing in the same bytes again goes through
// another node, and gives the outcome.
func TestSubmit_UndecidedMakesRoom(t *testing.T) {
	l := sdktest.New(t)
	slow := sdktest.Serve(t, &liar{Backend: l, submit: func([]byte) (fetch.Result, error) { return fetch.Result{}, fetch.Timeout }})
	c := newClient(t, l, nil, slow.Addr, sdktest.Serve(t, l).Addr)
	x := register(t, l, c)
	x.Sign(c.Chain(), tx.RoleVendor, l.Vendor)
	_, err := c.Submit(patience(t), x)
	want(t, err, sdk.Undecided)
	first, err := c.Submit(patience(t), x)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Submit(patience(t), x); err != nil || again != first {
		t.Fatalf("height %d, then %d, %v", first, again, err)
	}
}

func TestSubmit_NodeDead(t *testing.T) {
	h := newHome(t)
	x := register(t, h.ledger, h.client)
	h.node.Kill()
	_, err := h.client.Submit(patience(t), x)
	want(t, err, sdk.NoNode)
}

// TestSubmit_SecondNode: the node dies with the transaction executed and not
// answered; the second one knows of it.
func TestSubmit_SecondNode(t *testing.T) {
	l := sdktest.New(t)
	var first *sdktest.Node
	var took atomic.Bool
	dying := &liar{Backend: l, submit: func(raw []byte) (fetch.Result, error) {
		if _, err := l.Submit(context.Background(), raw); err != nil {
			return fetch.Result{}, err
		}
		took.Store(true)
		_ = first.Host.Close()
		return fetch.Result{}, errors.New("dying")
	}}
	first = sdktest.Serve(t, dying)
	c := newClient(t, l, nil, first.Addr, sdktest.Serve(t, l).Addr)
	x := register(t, l, c)
	x.Sign(c.Chain(), tx.RoleVendor, l.Vendor)
	height, err := c.Submit(patience(t), x)
	if err != nil || !took.Load() {
		t.Fatal(took.Load(), err)
	}
	v, err := c.ViewAfter(patience(t), height)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.GetDevice(v, x.Payload.(*tx.RegisterDevice).Key.DeviceID()); err != nil {
		t.Fatal(err)
	}
}

func TestPrintable(t *testing.T) {
	if got := sdk.Printable("ok ~\t\x7f\xff\u00e9"); got != "ok ~????" {
		t.Errorf("got %q", got)
	}
	if got := sdk.Printable(strings.Repeat("\u00e9", 400)); len(got) > 500 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestKinds(t *testing.T) {
	seen := map[sdk.ErrorKind]bool{}
	for _, k := range sdk.Kinds() {
		cause := errors.New("cause")
		err := error(&sdk.Error{Kind: k, Detail: "detail", Cause: cause})
		if seen[k] || !errors.Is(err, k) || !errors.Is(err, cause) || err.Error() != string(k)+": detail: cause" {
			t.Errorf("%s: %v", k, err)
		}
		seen[k] = true
	}
}
