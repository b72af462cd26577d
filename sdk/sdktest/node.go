package sdktest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/slim"
)

// Node is a served host.
type Node struct {
	Host *slim.Host
	Addr string // multiaddr with the peer id
	Kill func() // ends it; the cleanup of the test does so too
}

// serve runs until Kill.
func serve(t testing.TB, h *slim.Host, run func(context.Context) error, ready <-chan struct{}) *Node {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	<-ready
	n := &Node{Host: h, Addr: addr(h.Addrs()[0], h.ID()), Kill: sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = h.Close()
	})}
	t.Cleanup(n.Kill)
	return n
}

// Serve runs a node that answers from b.
func Serve(t testing.TB, b fetch.Backend) *Node {
	t.Helper()
	h := p2ptest.Slim(t)
	s, err := fetch.NewServer(fetch.ServerConfig{Host: h, Backend: b})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, h, s.Run, s.Ready())
}

// Device answers commands with signed receipts.
type Device struct {
	*Node
	Key *key.Private

	ledger    *Ledger
	transport crypto.PrivKey
	mu        sync.Mutex
	answer    func(raw []byte) []byte // nil: by the rules
	ran       []command.ID
}

// NewDevice runs a device with the key; what it may do stands on the ledger.
func NewDevice(t testing.TB, l *Ledger, k *key.Private) *Device {
	t.Helper()
	d := &Device{Key: k, ledger: l, transport: p2ptest.Key(t)}
	d.listen(t)
	return d
}

func (d *Device) listen(t testing.TB) {
	t.Helper()
	h, err := slim.Listen(slim.Config{Key: d.transport})
	if err != nil {
		t.Fatal(err)
	}
	s, err := link.New(link.Config{Host: h, Handler: d.handle})
	if err != nil {
		t.Fatal(errors.Join(err, h.Close()))
	}
	d.Node = serve(t, h, s.Run, s.Ready())
}

// Move ends the device and starts it again as the same peer at another address.
func (d *Device) Move(t testing.TB) {
	t.Helper()
	d.Kill()
	d.listen(t)
}

// Lie answers by f from now on; nil: honestly again. An empty answer closes the
// stream.
func (d *Device) Lie(f func(raw []byte) []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = f
}

// Ran lists the commands that were executed.
func (d *Device) Ran() []command.ID {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]command.ID(nil), d.ran...)
}

func (d *Device) handle(_ context.Context, _ peer.ID, raw []byte) []byte {
	d.mu.Lock()
	f := d.answer
	d.mu.Unlock()
	if f != nil {
		return f(raw)
	}
	return d.Answer(raw)
}

// Answer is the honest answer to a command.
func (d *Device) Answer(raw []byte) []byte {
	chain := d.ledger.Doc.Chain()
	c, err := command.Decode(raw)
	if err != nil {
		return d.Receipt(command.ID{}, command.Rejected, command.CodeOf(err), nil)
	}
	id := c.ID(chain)
	if code := d.judge(c); code != command.OK {
		return d.Receipt(id, command.Rejected, code, nil)
	}
	d.mu.Lock()
	d.ran = append(d.ran, id)
	d.mu.Unlock()
	return d.Receipt(id, command.Executed, command.OK, c.Body.Params)
}

// Receipt signs any answer.
func (d *Device) Receipt(id command.ID, s command.Status, code command.Code, result []byte) []byte {
	return command.SignReceipt(d.ledger.Doc.Chain(), command.ReceiptBody{
		Command: id, Device: d.Key.Public().DeviceID(), Epoch: 1, Counter: 1, Status: s, Code: code, Result: result,
		Height: uint64(d.ledger.Height()), Time: uint64(d.ledger.Now().UnixMilli()),
	}, d.Key).Bytes()
}

// judge finds the key that may call, and checks that it signed.
func (d *Device) judge(c *command.Command) command.Code {
	b := c.Body
	chain := d.ledger.Doc.Chain()
	rec, err := state.GetDevice(d.ledger, d.Key.Public().DeviceID())
	switch {
	case b.Chain != command.Prefix(chain):
		return command.WrongChain
	case b.Device != d.Key.Public().DeviceID():
		return command.WrongDevice
	case err != nil || rec.Owner == nil:
		return command.Unowned
	case b.Epoch != rec.Epoch:
		return command.StaleEpoch
	}
	owner, err := state.PinAccount(d.ledger, chain, *rec.Owner)
	if err != nil {
		return command.Untrusted
	}
	k, code := d.signer(owner, b)
	if code != command.OK {
		return code
	}
	return command.CodeOf(c.VerifyBy(chain, k))
}

func (d *Device) signer(owner state.Pin, b command.Body) (key.Public, command.Code) {
	if b.Grant == nil {
		k, ok := owner.Keys.Find(b.Key)
		if !ok || b.Principal != owner.Account {
			return key.Public{}, command.UnknownKey
		}
		return k.Key, command.OK
	}
	g, err := state.GetGrant(d.ledger, *b.Grant)
	if err != nil {
		return key.Public{}, command.UnknownGrant
	}
	if g.Status != state.Active {
		return key.Public{}, command.GrantRevoked
	}
	p, err := state.VerifyGrant(d.ledger.Doc.Chain(), owner, *b.Grant, g)
	switch {
	case err != nil:
		return key.Public{}, command.ForgedGrant
	case p.Grantee.ID() != b.Key || !p.Covers(b.Device, b.Epoch, b.Endpoint, b.Method):
		return key.Public{}, command.NotGranted
	}
	return p.Grantee, command.OK
}
