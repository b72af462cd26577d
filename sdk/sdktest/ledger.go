// Package sdktest is a small world for tests of the sdk and of what is built on
// it: a ledger with real headers and proofs, nodes that serve it, and devices that
// sign their answers, all over real hosts on the loopback.
//
// It is not deviceos: a Device here keeps nothing and knows no freshness, but it
// checks rights on the ledger by the rules of chain/state. Tests start at New,
// Serve and NewDevice.
//
// What must never change: a transaction that is refused on a real ledger is
// refused here.
package sdktest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light/lighttest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// Ledger is a ledger whose validators agree on every legal transaction at once.
// It is the Backend of any number of nodes.
type Ledger struct {
	*lighttest.Chain
	Vendor *key.Private // may register 100 devices

	t    testing.TB
	mu   sync.Mutex // one transaction at a time
	done map[tx.ID]fetch.Result
}

var _ fetch.Backend = (*Ledger)(nil)

// Key draws a key.
func Key(t testing.TB) *key.Private {
	t.Helper()
	k, err := key.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// New starts a ledger with three validators and a vendor.
func New(t testing.TB) *Ledger {
	t.Helper()
	v := Key(t)
	return &Ledger{
		Chain: lighttest.New(t, 3, genesis.Vendor{
			Name: "acme", Keys: []key.Public{v.Public()}, Threshold: 1, Quota: 100,
		}),
		Vendor: v, t: t, done: make(map[tx.ID]fetch.Result),
	}
}

// Submit executes a transaction and seals it. The same bytes again give the same
// answer.
func (l *Ledger) Submit(_ context.Context, raw []byte) (fetch.Result, error) {
	x, err := tx.Decode(raw)
	if err != nil {
		return fetch.Result{Code: 1, Log: err.Error()}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id := x.ID(l.Doc.Chain())
	if r, ok := l.done[id]; ok {
		return r, nil
	}
	b := l.Block()
	over := state.NewOverlay(tree{l.Chain})
	if err := state.Execute(over, b, x); err != nil {
		return fetch.Result{Code: 1, Log: err.Error()}, nil
	}
	if err := over.Flush(); err != nil {
		return fetch.Result{}, err
	}
	l.Seal()
	hash := sha256.Sum256(raw)
	r := fetch.Result{Height: b.Height, Hash: hash[:]}
	l.done[id] = r
	return r, nil
}

// tree is the working state of a chain.
type tree struct{ *lighttest.Chain }

func (t tree) Set(k, v []byte) error {
	t.Chain.Set(k, v)
	return nil
}

// As is a key in a role.
type As struct {
	Role tx.Role
	Key  *key.Private
}

// Do builds, signs and executes a transaction of the actor, and gives its id.
func (l *Ledger) Do(actor key.AccountID, p tx.Payload, by ...As) tx.ID {
	l.t.Helper()
	x, err := tx.New(actor, l.sequence(actor, p), uint64(l.Now().Unix())+600, p)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, a := range by {
		x.Sign(l.Doc.Chain(), a.Role, a.Key)
	}
	if r, err := l.Submit(context.Background(), x.Bytes()); err != nil || r.Code != 0 {
		l.t.Fatalf("%s: %s, %v", p.Kind(), r.Log, err)
	}
	return x.ID(l.Doc.Chain())
}

func (l *Ledger) sequence(actor key.AccountID, p tx.Payload) uint64 {
	if k := p.Kind(); k == tx.KindRegisterDevice || k == tx.KindRegisterBatch {
		v, err := state.GetVendor(l.Chain, actor)
		if err != nil {
			l.t.Fatal(err)
		}
		return v.Sequence
	}
	a, err := state.GetAccount(l.Chain, actor)
	if err != nil {
		return 0 // a claim that creates it
	}
	return a.Sequence
}

// Register records a device of the vendor.
func (l *Ledger) Register(dev key.Public) {
	l.t.Helper()
	l.Do(l.Vendor.Public().AccountID(), &tx.RegisterDevice{Key: dev, SealKey: sha256.Sum256(dev.Bytes), Model: "Lock 1"}, As{tx.RoleVendor, l.Vendor})
}

// Claim gives a registered device to the account of owner, which is created if
// there is none.
func (l *Ledger) Claim(owner, dev *key.Private) {
	l.t.Helper()
	p := &tx.Claim{Device: dev.Public().DeviceID(), Epoch: 1}
	root := owner.Public()
	if _, err := state.GetAccount(l.Chain, root.AccountID()); err != nil {
		p.Root = &root
	}
	l.Do(root.AccountID(), p, As{tx.RoleAccount, owner}, As{tx.RoleDevice, dev})
}

// Grant lets grantee call methods of endpoint "lock" of an owned device.
func (l *Ledger) Grant(owner *key.Private, grantee key.Public, dev key.DeviceID, methods ...string) tx.ID {
	l.t.Helper()
	now := uint64(l.Now().Unix())
	return l.Do(owner.Public().AccountID(), &tx.CreateGrant{
		Grantee: grantee, NotBefore: now - 3600, NotAfter: now + 3600,
		Targets: []tx.Target{{Device: dev, Epoch: 1, Endpoint: "lock", Methods: methods}},
	}, As{tx.RoleAccount, owner})
}

// Revoke ends a grant.
func (l *Ledger) Revoke(owner *key.Private, grant tx.ID) {
	l.t.Helper()
	l.Do(owner.Public().AccountID(), &tx.RevokeGrant{Grant: grant}, As{tx.RoleAccount, owner})
}

// addr is the text form of where a host is.
func addr(at fmt.Stringer, id fmt.Stringer) string { return at.String() + "/p2p/" + id.String() }
