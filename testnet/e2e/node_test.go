package e2e

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// liar is a full node between the real ones and who asks it. Safe for
// concurrent use.
type liar struct {
	real *fetch.Client

	mu   sync.Mutex
	lie  lie
	told int // how often it lied
}

var _ fetch.Backend = (*liar)(nil)

// lie changes what a node answers; nil functions answer truly.
type lie struct {
	name  string
	block func(ctx context.Context, real *fetch.Client, height int64) ([]byte, error)
	prove func(ctx context.Context, real *fetch.Client, k []byte, height int64) (fetch.Proof, error)
}

func (l *liar) tell(x lie) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie, l.told = x, 0
}

func (l *liar) times() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told
}

func (l *liar) now(lies func(lie) bool) lie {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lies(l.lie) {
		l.told++
	}
	return l.lie
}

func (l *liar) LightBlock(ctx context.Context, height int64) ([]byte, error) {
	if x := l.now(func(x lie) bool { return x.block != nil }); x.block != nil {
		return x.block(ctx, l.real, height)
	}
	return l.real.LightBlock(ctx, height)
}

func (l *liar) Prove(ctx context.Context, k []byte, height int64) (fetch.Proof, error) {
	if x := l.now(func(x lie) bool { return x.prove != nil }); x.prove != nil {
		return x.prove(ctx, l.real, k, height)
	}
	return l.real.Prove(ctx, k, height)
}

func (l *liar) Submit(ctx context.Context, raw []byte) (fetch.Result, error) {
	return l.real.Submit(ctx, raw)
}

// lies lists what the issue names and some more. old is a height before the
// guest's grant was revoked; other is a client of another ledger of the same
// name.
func lies(old int64, other *fetch.Client) []lie {
	return []lie{
		{"a wrong value", nil, func(ctx context.Context, real *fetch.Client, k []byte, height int64) (fetch.Proof, error) {
			p, err := real.Prove(ctx, k, height)
			if len(p.Value) == 0 {
				p.Value = []byte{1}
			} else {
				p.Value[len(p.Value)-1] ^= 1
			}
			return p, err
		}},
		{"a record that is there is said to be absent", nil, func(ctx context.Context, real *fetch.Client, k []byte, height int64) (fetch.Proof, error) {
			p, err := real.Prove(ctx, k, height)
			if len(p.Value) == 0 {
				p.Proof[len(p.Proof)-1] ^= 1 // an absence that is not proven
			}
			p.Value = nil
			return p, err
		}},
		{"the proof of another record", nil, func(ctx context.Context, real *fetch.Client, k []byte, height int64) (fetch.Proof, error) {
			p, err := real.Prove(ctx, state.ParamsKey(), height)
			p.Key = k
			return p, err
		}},
		{"an old state under the newest header", nil, func(ctx context.Context, real *fetch.Client, k []byte, height int64) (fetch.Proof, error) {
			p, err := real.Prove(ctx, k, old-1)
			p.Height = height
			return p, err
		}},
		{"an old height", func(ctx context.Context, real *fetch.Client, _ int64) ([]byte, error) {
			return real.LightBlock(ctx, old)
		}, func(ctx context.Context, real *fetch.Client, k []byte, height int64) (fetch.Proof, error) {
			p, err := real.Prove(ctx, k, old-1)
			p.Height = height
			return p, err
		}},
		{"another ledger of the same name", func(ctx context.Context, _ *fetch.Client, height int64) ([]byte, error) {
			return other.LightBlock(ctx, height)
		}, func(ctx context.Context, _ *fetch.Client, k []byte, height int64) (fetch.Proof, error) {
			p, err := other.Prove(ctx, k, 0)
			p.Height = height
			return p, err
		}},
	}
}

// exitInvalid is hos's exit code for a proof that does not hold.
const exitInvalid = 7

// TestNodeLies puts a lying full node between the real network and the real
// agent and wallet, who have nobody else to ask. Neither believes it; both go on
// as soon as it is honest.
func TestNodeLies(t *testing.T) {
	d := pairedDoor(t)
	n, _ := up(t, manifest.Manifest{Name: d.net.State().Manifest.Name, Validators: 1, LogLevel: "info"})
	guest, old := d.revokedGuest()
	l := &liar{real: ask(t, d.net.Mesh())}
	addr := serve(t, l)
	moves := len(must(d.net.Actuations("dev1"))(t))
	other := ask(t, n.Mesh())
	for _, x := range lies(old, other) {
		l.tell(x)
		d.restart(addr)
		seen := must(d.client.Ledger().Update(d.ctx))(t).Height
		for who, open := range map[string]func() *command.Receipt{
			"the owner": func() *command.Receipt { return d.open(d.caller, 1, seen) },
			"the guest": func() *command.Receipt { return d.open(guest, 1, seen) },
		} {
			if r := open(); r.Body.Status != command.Deferred || r.Body.Code != command.Stale {
				t.Errorf("%s: %s gets %s (%s)", x.name, who, r.Body.Status, r.Body.Code)
			}
		}
		d.moves(moves)
		if a := must(d.net.Hos(d.ctx, d.owner, "device", "list", "--node", addr))(t); a.Exit != exitInvalid || a.Kind() != string(light.BadProof) {
			t.Errorf("%s: the wallet ends with %d and kind %q: %s", x.name, a.Exit, a.Kind(), a.Talk)
		}
		if l.times() == 0 {
			t.Errorf("%s: it was never told", x.name)
		}
		l.tell(lie{})
		if r := d.open(d.caller, 1, seen); r.Body.Status != command.Executed {
			t.Errorf("after %s, with an honest node, the owner gets %s (%s)", x.name, r.Body.Status, r.Body.Code)
		}
		moves++
		d.moves(moves)
		if r := d.open(guest, 1, seen); r.Body.Code != command.GrantRevoked {
			t.Errorf("after %s, with an honest node, the guest gets %s (%s)", x.name, r.Body.Status, r.Body.Code)
		}
		d.hos(0, "device", "list", "--node", addr)
	}
	// Who has verified nothing yet and meets only the other ledger.
	l.tell(lies(old, other)[5])
	fresh := must(d.net.Dial(addr))(t)
	defer fresh.Close()
	if _, err := fresh.View(d.ctx); !errors.Is(err, light.BadHeader) {
		t.Errorf("a newcomer at another ledger of the same name: %v, want %s", err, light.BadHeader)
	}
}

// revokedGuest is a caller whose grant was good at the height that is returned,
// and is revoked now.
func (d *door) revokedGuest() (c sdk.Caller, old int64) {
	d.t.Helper()
	guest := must(d.net.NewPerson(d.ctx, "guest"))(d.t)
	var k struct {
		Public string `json:"public"`
	}
	check(d.t, must(d.net.Hos(d.ctx, guest, "key", "new"))(d.t).Decode(&k))
	var g struct {
		Grant string `json:"grant"`
	}
	check(d.t, d.hos(0, "grant", "add", "--device", "dev1", "--to", k.Public, "--method", "lock.open", "--for", "1h").Decode(&g))
	ring := must(guest.Keys())(d.t)
	d.t.Cleanup(ring.Zero)
	c = d.newCaller(ring.Active(), ring.Account())
	id := must(tx.ParseID(g.Grant))(d.t)
	c.Grant = &id
	old = must(d.client.Ledger().Update(d.ctx))(d.t).Height
	if r := d.open(c, 1, old); r.Body.Status != command.Executed {
		d.t.Fatalf("the guest gets %s (%s) with a good grant", r.Body.Status, r.Body.Code)
	}
	var done struct {
		Height int64 `json:"height"`
	}
	check(d.t, d.hos(0, "grant", "revoke", g.Grant).Decode(&done))
	must(d.net.AwaitDevice(d.ctx, "dev1", ownedAndAt(done.Height+1)))(d.t)
	if r := d.open(c, 1, done.Height+1); r.Body.Code != command.GrantRevoked {
		d.t.Fatalf("the guest gets %s (%s) with a revoked grant", r.Body.Status, r.Body.Code)
	}
	return c, old
}
