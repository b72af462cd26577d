package sdk_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/sdk/sdktest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/libp2p/go-libp2p/p2p/host/resource-manager.(*resourceManager).background"))
}

// patience bounds what must come.
func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// newClient asks the given nodes.
func newClient(t testing.TB, l *sdktest.Ledger, more func(*sdk.Config), nodes ...string) *sdk.Client {
	t.Helper()
	cfg := sdk.Config{Genesis: l.Doc, Host: p2ptest.Slim(t), Nodes: nodes, Now: l.Now}
	if more != nil {
		more(&cfg)
	}
	c, err := sdk.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// home is a ledger, a node, an owned lock and a client.
type home struct {
	ledger *sdktest.Ledger
	node   *sdktest.Node
	client *sdk.Client
	owner  *key.Private
	lock   *sdktest.Device
	nonce  atomic.Uint64
}

func newHome(t testing.TB) *home {
	t.Helper()
	h := &home{ledger: sdktest.New(t), owner: sdktest.Key(t)}
	h.node = sdktest.Serve(t, h.ledger)
	h.client = newClient(t, h.ledger, nil, h.node.Addr)
	h.lock = h.newLock(t)
	return h
}

// newLock is one more lock of the owner.
func (h *home) newLock(t testing.TB) *sdktest.Device {
	t.Helper()
	k := sdktest.Key(t)
	h.ledger.Register(k.Public())
	h.ledger.Claim(h.owner, k)
	return sdktest.NewDevice(t, h.ledger, k)
}

func (h *home) device(t testing.TB) *sdk.Device {
	t.Helper()
	d, err := h.client.Device(h.lock.Key.Public(), []string{h.lock.Addr})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (h *home) caller() sdk.Caller {
	return sdk.Caller{
		Chain: h.client.Chain(), Key: h.owner, Principal: h.owner.Public().AccountID(), Salt: 7,
		Nonce: func() (uint64, error) { return h.nonce.Add(1), nil }, Now: h.ledger.Now,
	}
}

// open is the owner's next command to open the lock.
func (h *home) open(t testing.TB) *command.Command {
	t.Helper()
	c, err := h.caller().Sign(sdk.Call{Device: h.lock.Key.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Method: "open", Params: []byte("now")})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func want(t testing.TB, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
}

// liar is a node that changes what it passes on.
type liar struct {
	fetch.Backend
	block  func(height int64) ([]byte, error)
	prove  func(key []byte, height int64) (fetch.Proof, error)
	submit func(raw []byte) (fetch.Result, error)
}

func (l *liar) LightBlock(ctx context.Context, h int64) ([]byte, error) {
	if l.block != nil {
		return l.block(h)
	}
	return l.Backend.LightBlock(ctx, h)
}

func (l *liar) Prove(ctx context.Context, k []byte, h int64) (light.Proof, error) {
	if l.prove != nil {
		return l.prove(k, h)
	}
	return l.Backend.Prove(ctx, k, h)
}

func (l *liar) Submit(ctx context.Context, raw []byte) (fetch.Result, error) {
	if l.submit != nil {
		return l.submit(raw)
	}
	return l.Backend.Submit(ctx, raw)
}
