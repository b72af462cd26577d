package state_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// A refusal is a way to be refused by the ledger's rules; rights_test.go has
// those of verifiers outside the ledger.
type refusal struct {
	name string
	want state.ErrorKind
	make func(testing.TB, *statetest.World) *tx.Tx
}

// change gives a valid transaction of a kind whose payload is spoiled before
// it is signed again.
func change[P tx.Payload](k tx.Kind, spoil func(P), by ...statetest.As) func(testing.TB, *statetest.World) *tx.Tx {
	return func(tb testing.TB, w *statetest.World) *tx.Tx {
		good := builders[k](tb, w)
		p := good.Payload.(P)
		spoil(p)
		x := w.Build(tb, good.Body.Account, p)
		for _, s := range by {
			x.Sign(w.Block.Chain, s.Role, s.Key)
		}
		return x
	}
}

func at(expires uint64) func(testing.TB, *statetest.World) *tx.Tx {
	return func(tb testing.TB, w *statetest.World) *tx.Tx {
		x, err := tx.New(owner.Public().AccountID(), 1, expires, &tx.RevokeGrant{Grant: tx.ID{1}})
		if err != nil {
			tb.Fatal(err)
		}
		x.Sign(w.Block.Chain, tx.RoleAccount, owner)
		return x
	}
}

var (
	asOwner  = statetest.As{Role: tx.RoleAccount, Key: owner}
	asBuyer  = statetest.As{Role: tx.RoleAccount, Key: buyer}
	asThief  = statetest.As{Role: tx.RoleAccount, Key: thief}
	asVendor = statetest.As{Role: tx.RoleVendor, Key: statetest.Key("vendor")}
	toBuyer  = statetest.As{Role: tx.RoleNewOwner, Key: buyer}
	toThief  = statetest.As{Role: tx.RoleNewOwner, Key: thief}
)

// blockTime is that of owned's world: four blocks after the start.
const blockTime = 1_800_000_004

var refusals = []refusal{
	{"kind without a rule", state.NotAuthorised, func(testing.TB, *statetest.World) *tx.Tx { return &tx.Tx{Body: tx.Body{Kind: 999}} }},
	{"expired now", state.TxExpired, at(blockTime)},
	{"expired long ago", state.TxExpired, at(1)},
	{"lives too long by a second", state.TxLifeTooLong, at(blockTime + state.MaxTxLife + 1)},
	{"lives for ever", state.TxLifeTooLong, at(1<<64 - 1)},
	{"sequence ahead", state.BadSequence, func(tb testing.TB, w *statetest.World) *tx.Tx {
		x, err := tx.New(owner.Public().AccountID(), 2, blockTime+1, &tx.RevokeGrant{Grant: tx.ID{1}})
		if err != nil {
			tb.Fatal(err)
		}
		x.Sign(w.Block.Chain, tx.RoleAccount, owner)
		return x
	}},
	{"first claim with a sequence", state.BadSequence, func(tb testing.TB, w *statetest.World) *tx.Tx {
		good := builders[tx.KindClaim](tb, w)
		x, err := tx.New(good.Body.Account, 1, good.Body.Expires, good.Payload)
		if err != nil {
			tb.Fatal(err)
		}
		return x
	}},
	{"vendor not admitted", state.NoVendor, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, thief.Public().AccountID(), builders[tx.KindRegisterDevice](tb, w).Payload, statetest.As{Role: tx.RoleVendor, Key: thief})
	}},
	{"an account is no vendor", state.NoVendor, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, owner.Public().AccountID(), builders[tx.KindRegisterDevice](tb, w).Payload, statetest.As{Role: tx.RoleVendor, Key: owner})
	}},
	{"unknown account", state.NoAccount, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, thief.Public().AccountID(), &tx.RevokeGrant{Grant: tx.ID{1}}, asThief)
	}},
	{"a vendor is no account", state.NoAccount, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, w.Vendor.Public().AccountID(), &tx.RevokeGrant{Grant: tx.ID{1}}, statetest.As{Role: tx.RoleAccount, Key: w.Vendor})
	}},
	{"claim by an unknown account without a root", state.NoAccount,
		change(tx.KindClaim, func(p *tx.Claim) { p.Root = nil }, asThief)},
	{"claim with another account's root", state.NoAccount,
		change(tx.KindClaim, func(p *tx.Claim) { *p.Root = guest.Public() }, asThief)},
	{"transfer to an unknown account", state.NoAccount,
		change(tx.KindTransfer, func(p *tx.Transfer) { p.To = thief.Public().AccountID() }, asOwner, toThief)},
	{"transfer with a root that is there", state.AccountExists,
		change(tx.KindTransfer, func(p *tx.Transfer) { r := buyer.Public(); p.Root = &r }, asOwner, toBuyer)},
	{"claim with a root that is there", state.AccountExists, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.RegisterTx(tb, guest))
		r := owner.Public()
		return w.Build(tb, r.AccountID(), &tx.Claim{Device: guest.Public().DeviceID(), Epoch: 1, Root: &r}, asOwner)
	}},
	{"claim of no device", state.NoDevice, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.ClaimTx(tb, owner, thief) }},
	{"transfer of no device", state.NoDevice, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.TransferTx(tb, owner, buyer, thief) }},
	{"grant over no device", state.NoDevice,
		change(tx.KindCreateGrant, func(p *tx.CreateGrant) { p.Targets[0].Device = thief.Public().DeviceID() }, asOwner)},
	{"registered twice", state.DeviceExists, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.RegisterTx(tb, dev) }},
	{"claim of an owned device", state.DeviceOwned, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.ClaimTx(tb, buyer, dev) }},
	{"claim of one's own device", state.DeviceOwned, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.ClaimTx(tb, owner, dev) }},
	{"transfer of another's device", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.TransferTx(tb, buyer, owner, dev) }},
	{"transfer of an unowned device", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.RegisterTx(tb, guest))
		return w.TransferTx(tb, owner, buyer, guest)
	}},
	{"grant over another's device", state.NotOwner,
		change(tx.KindCreateGrant, func(p *tx.CreateGrant) { p.Targets[0].Device = spare.Public().DeviceID() }, asOwner)},
	{"second target is another's", state.NotOwner, change(tx.KindCreateGrant, func(p *tx.CreateGrant) {
		p.Targets = append(p.Targets, tx.Target{Device: spare.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}})
	}, asOwner)},
	{"claim of a later epoch", state.StaleEpoch,
		change(tx.KindClaim, func(p *tx.Claim) { p.Epoch = 2 }, asThief, statetest.As{Role: tx.RoleDevice, Key: guest})},
	{"transfer of the present epoch", state.StaleEpoch,
		change(tx.KindTransfer, func(p *tx.Transfer) { p.Epoch = 1 }, asOwner, toBuyer)},
	{"grant for the next epoch", state.StaleEpoch,
		change(tx.KindCreateGrant, func(p *tx.CreateGrant) { p.Targets[0].Epoch = 2 }, asOwner)},
	{"quota used up", state.QuotaExceeded, func(tb testing.TB, w *statetest.World) *tx.Tx {
		for i := 2; i < statetest.Quota; i++ {
			w.Do(tb, w.RegisterTx(tb, statetest.Key("d"+strconv.Itoa(i))))
		}
		return w.RegisterTx(tb, guest)
	}},
	{"key version skipped", state.BadKeyVersion,
		change(tx.KindRotateKeys, func(p *tx.RotateKeys) { p.Version = 2 }, asOwner, statetest.As{Role: tx.RoleNewKey, Key: guest})},
	{"revoke of no grant", state.NoGrant, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.RevokeTx(tb, owner, tx.ID{1}) }},
	{"revoked twice", state.GrantRevoked, func(tb testing.TB, w *statetest.World) *tx.Tx {
		x := builders[tx.KindRevokeGrant](tb, w)
		w.Do(tb, x)
		return w.RevokeTx(tb, owner, x.Payload.(*tx.RevokeGrant).Grant)
	}},
	{"revoke of another's grant", state.NotIssuer, func(tb testing.TB, w *statetest.World) *tx.Tx {
		g := w.GrantTx(tb, owner, guest.Public(), dev, "open")
		w.Do(tb, g)
		return w.RevokeTx(tb, buyer, g.ID(w.Block.Chain))
	}},
	{"signed as another role", state.WrongSigner, change(tx.KindCreateGrant, func(*tx.CreateGrant) {}, toBuyer, asOwner)},
	{"signed by another account", state.WrongSigner, change(tx.KindCreateGrant, func(*tx.CreateGrant) {}, asBuyer)},
	{"a vendor's word on a grant", state.WrongSigner, change(tx.KindCreateGrant, func(*tx.CreateGrant) {}, asVendor)},
	{"claim without the device", state.MissingSigner, change(tx.KindClaim, func(*tx.Claim) {}, asThief)},
	{"transfer without the new owner", state.MissingSigner, change(tx.KindTransfer, func(*tx.Transfer) {}, asOwner)},
	{"transfer without the old owner", state.MissingSigner, change(tx.KindTransfer, func(*tx.Transfer) {}, toBuyer)},
	{"new key without proof", state.MissingSigner, change(tx.KindRotateKeys, func(*tx.RotateKeys) {}, asOwner)},
}

func TestExecute_Refusals(t *testing.T) {
	for _, r := range slices.Concat(refusals, governanceRefusals, lifecycleRefusals, recoveryRefusals, grantRefusals, batchRefusals, policyRefusals, sealRefusals, publicationRefusals, ledgerRefusals) {
		t.Run(r.name, func(t *testing.T) {
			w := owned(t)
			refused(t, w, r.make(t, w), r.want)
		})
	}
}

// TestErrorKinds_Complete: every exported kind is reached by a negative test
// and stands in the documentation.
func TestErrorKinds_Complete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/spec/state.md")
	if err != nil {
		t.Fatal(err)
	}
	reached := map[state.ErrorKind]bool{}
	for _, r := range slices.Concat(refusals, governanceRefusals, lifecycleRefusals, recoveryRefusals, grantRefusals, batchRefusals, policyRefusals, sealRefusals, publicationRefusals, ledgerRefusals) {
		reached[r.want] = true
	}
	for _, l := range slices.Concat(lies, lifecycleLies, recoveryLies, grantLies, policyLies, sealLies, publicationLies) {
		if k, ok := l.want.(state.ErrorKind); ok {
			reached[k] = true
		}
	}
	count := 0
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			spec := s.(*ast.ValueSpec)
			kind, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			count++
			if !reached[state.ErrorKind(kind)] {
				t.Errorf("no negative test reaches %s", spec.Names[0])
			}
			if !strings.Contains(string(doc), "| `"+kind+"` |") {
				t.Errorf("docs/spec/state.md does not list %s", kind)
			}
		}
	}
	if count < 37 {
		t.Fatalf("found only %d kinds", count)
	}
}

func TestExpiry_Bounds(t *testing.T) {
	for _, expires := range []uint64{blockTime + 1, blockTime + state.MaxTxLife} {
		w := owned(t)
		refused(t, w, at(expires)(t, w), state.NoGrant) // alive: it fails later
	}
	w := owned(t)
	w.Block.Time = -5
	refused(t, w, at(state.MaxTxLife+1)(t, w), state.TxLifeTooLong)
}

// TestTree_Errors: not knowing is never taken for absence.
func TestTree_Errors(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, k := range tx.Kinds() {
		w := owned(t)
		x := builders[k](t, w)
		for n := 0; ; n++ {
			err := state.Execute(&failing{Tree: w.Tree.Clone(), after: n, err: broken}, w.Block, x)
			if err == nil {
				if n < 2 {
					t.Errorf("%s touches the tree %d times", k, n)
				}
				break
			}
			if !errors.Is(err, broken) {
				t.Fatalf("%s: error %d became %v", k, n, err)
			}
		}
	}
}

// failing breaks at one access of the tree.
type failing struct {
	*statetest.Tree
	after int
	err   error
}

func (f *failing) step() error {
	if f.after--; f.after < 0 {
		return f.err
	}
	return nil
}

func (f *failing) Get(k []byte) ([]byte, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	return f.Tree.Get(k)
}

func (f *failing) Set(k, v []byte) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.Tree.Set(k, v)
}

// TestRecord_Corrupt: a record that does not decode is an error, never a zero
// value.
func TestRecord_Corrupt(t *testing.T) {
	w := owned(t)
	for _, k := range w.Tree.Keys() {
		c := w.Clone()
		if err := c.Tree.Set([]byte(k), []byte{0x9f}); err != nil {
			t.Fatal(err)
		}
		switch k[0] {
		case 'a':
			_, err := state.GetAccount(c.Tree, key.AccountID([]byte(k[1:])))
			wantMalformed(t, err)
		case 'd':
			_, err := state.GetDevice(c.Tree, key.DeviceID([]byte(k[1:])))
			wantMalformed(t, err)
		case 'v':
			_, err := state.GetVendor(c.Tree, key.AccountID([]byte(k[1:])))
			wantMalformed(t, err)
		}
	}
}

func wantMalformed(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, codec.Malformed) {
		t.Errorf("got %v, want malformed", err)
	}
}

func TestOverlay(t *testing.T) {
	under := new(statetest.Tree)
	o := state.NewOverlay(under)
	set := func(k, v string) {
		t.Helper()
		if err := o.Set([]byte(k), []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	set("b", "1")
	set("a", "2")
	set("b", "3")
	if v, err := o.Get([]byte("b")); err != nil || string(v) != "3" {
		t.Fatalf("b is %q, %v", v, err)
	}
	if v, err := under.Get([]byte("b")); err != nil || v != nil {
		t.Fatalf("wrote through before Flush: %q, %v", v, err)
	}
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	if v, err := under.Get([]byte("b")); err != nil || string(v) != "3" {
		t.Fatalf("after Flush: %q, %v", v, err)
	}
	under.Err = errors.New("full")
	if err := o.Flush(); err != nil {
		t.Fatalf("flushing nothing: %v", err)
	}
	set("c", "4")
	if err := o.Flush(); !errors.Is(err, under.Err) {
		t.Fatalf("got %v", err)
	}
}
