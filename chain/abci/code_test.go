package abci

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Every kind of refusal that the rules' packages declare has a row.
func TestCodes_Complete(t *testing.T) {
	have := make(map[string]uint32)
	codes := make(map[uint32]bool)
	last := uint32(9)
	for _, r := range Rows() {
		if codes[r.Code] || have[r.Kind.Error()] != 0 || r.Code <= last {
			t.Errorf("%v, %d: stands twice or out of order", r.Kind, r.Code)
		}
		codes[r.Code], have[r.Kind.Error()], last = true, r.Code, r.Code
		if CodeOf(r.Kind) != r.Code || KindOf(r.Code) != r.Kind.Error() {
			t.Errorf("%v, %d: does not map both ways", r.Kind, r.Code)
		}
	}
	declared := 0
	for _, pkg := range []string{"codec", "key", "tx", "state"} {
		for _, kind := range declaredKinds(t, filepath.Join("..", pkg)) {
			declared++
			if have[kind] == 0 {
				t.Errorf("chain/%s: kind %q has no code", pkg, kind)
			}
		}
	}
	if declared != len(Rows()) {
		t.Errorf("%d kinds declared, %d rows", declared, len(Rows()))
	}
	if CodeOf(nil) != CodeOK || CodeOf(errors.New("disk")) != CodeInternal {
		t.Error("nil or a foreign error has a code of the rules")
	}
}

// The document names every code with its kind.
func TestCodes_Documented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/spec/abci.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Rows() {
		if !strings.Contains(string(doc), fmt.Sprintf("| %d | %s |", r.Code, r.Kind)) {
			t.Errorf("docs/spec/abci.md lacks | %d | %s |", r.Code, r.Kind)
		}
	}
}

// declaredKinds reads the constants of type ErrorKind from a package's source.
func declaredKinds(t *testing.T, dir string) (out []string) {
	t.Helper()
	pkgs, err := parser.ParseDir(token.NewFileSet(), dir, func(f fs.FileInfo) bool { return true }, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pkgs {
		ast.Inspect(p, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == "ErrorKind" {
				s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, s)
			}
			return true
		})
	}
	if len(out) == 0 {
		t.Fatalf("%s declares no kinds", dir)
	}
	return out
}

// refused is a transaction that must be refused with a kind, in a world where
// device 0 is the owner's, 1 is unowned, and one grant is alive, one revoked.
var refused = []struct {
	name string
	kind error
	make func(w *world, live, dead tx.ID) []byte
}{
	{"over 64 KiB", codec.TooLarge, func(*world, tx.ID, tx.ID) []byte { return make([]byte, tx.MaxBytes+1) }},
	{"empty", codec.Malformed, func(*world, tx.ID, tx.ID) []byte { return nil }},
	{"garbage", codec.Malformed, func(*world, tx.ID, tx.ID) []byte { return []byte{0xff, 1, 2} }},
	{"cut short", codec.Malformed, func(w *world, _, _ tx.ID) []byte { b := w.register(2, 2).Bytes(); return b[:len(b)-1] }},
	{"trailing byte", codec.Malformed, func(w *world, _, _ tx.ID) []byte { return append(w.register(2, 2).Bytes(), 0) }},
	{"long integer", codec.NotCanonical, func(w *world, _, _ tx.ID) []byte {
		b := w.register(2, 2).Bytes() // a2 01 …: the key 1 written in two bytes
		return append([]byte{b[0], 0x18}, b[1:]...)
	}},
	{"unknown algorithm", key.UnknownAlg, func(w *world, _, _ tx.ID) []byte {
		return changed(w, func(p *tx.RegisterDevice) { p.Key.Alg = 99 })
	}},
	{"not on the curve", key.BadKey, func(w *world, _, _ tx.ID) []byte {
		return changed(w, func(p *tx.RegisterDevice) { p.Key.Bytes = make([]byte, 33) })
	}},
	{"other ledger", key.BadSignature, func(w *world, _, _ tx.ID) []byte {
		c := w.register(2, 2)
		c.Sigs = nil
		c.Sign(codec.ChainDigest{1}, tx.RoleVendor, w.vendor)
		return c.Bytes()
	}},
	{"high s", key.HighS, func(w *world, _, _ tx.ID) []byte {
		c := w.register(2, 2)
		s := c.Sigs[0].Bytes
		high := new(big.Int).Sub(secp256k1.S256().N, new(big.Int).SetBytes(s[32:]))
		high.FillBytes(s[32:])
		return c.Bytes()
	}},
	{"phone's proof for something else", key.WrongChallenge, addPhone(func(v *keytest.Assertion) { v.Challenge = make([]byte, 32) })},
	{"phone's proof on another page", key.WrongOrigin, addPhone(func(v *keytest.Assertion) { v.Origin = "https://evil.example" })},
	{"phone's proof for another site", key.WrongRP, addPhone(func(v *keytest.Assertion) { v.RPID = "evil.example" })},
	{"phone's proof untouched", key.UserNotPresent, addPhone(func(v *keytest.Assertion) { v.Flags = 0 })},
	{"phone's proof without a PIN", key.UserNotVerified, addPhone(func(v *keytest.Assertion) { v.Flags = keytest.FlagUserPresent })},
	{"a phone as a device", tx.InvokeOnly, func(w *world, _, _ tx.ID) []byte {
		return changed(w, func(p *tx.RegisterDevice) { p.Key = keytest.Phone("phone").Public() })
	}},
	{"no expiry", tx.Malformed, func(w *world, _, _ tx.ID) []byte {
		return repack(w.register(2, 2), func(b *tx.Body) { b.Expires = 0 })
	}},
	{"version", tx.BadVersion, func(w *world, _, _ tx.ID) []byte {
		return repack(w.register(2, 2), func(b *tx.Body) { b.Version = 2 })
	}},
	{"kind", tx.UnknownKind, func(w *world, _, _ tx.ID) []byte {
		return repack(w.register(2, 2), func(b *tx.Body) { b.Kind = 999 })
	}},
	{"expired", state.TxExpired, func(w *world, _, _ tx.ID) []byte {
		return w.txUntil(w.vendor.Public().AccountID(), 2, start+1, w.register(2, 2).Payload, signer{tx.RoleVendor, w.vendor}).Bytes()
	}},
	{"lives too long", state.TxLifeTooLong, func(w *world, _, _ tx.ID) []byte {
		return w.txUntil(w.vendor.Public().AccountID(), 2, start+10*state.MaxTxLife, w.register(2, 2).Payload, signer{tx.RoleVendor, w.vendor}).Bytes()
	}},
	{"replayed", state.BadSequence, func(w *world, _, _ tx.ID) []byte { return w.register(0, 0).Bytes() }},
	{"sequence ahead", state.BadSequence, func(w *world, _, _ tx.ID) []byte { return w.register(7, 2).Bytes() }},
	{"stranger's key", state.WrongSigner, func(w *world, _, _ tx.ID) []byte {
		c := w.register(2, 2)
		c.Sigs = nil
		c.Sign(w.doc.Chain(), tx.RoleVendor, w.other)
		return c.Bytes()
	}},
	{"without the device", state.MissingSigner, func(w *world, _, _ tx.ID) []byte {
		c := w.claim(w.owner, 4, 1)
		c.Sigs = c.Sigs[:1]
		return c.Bytes()
	}},
	{"unknown vendor", state.NoVendor, func(w *world, _, _ tx.ID) []byte {
		return w.tx(w.other.Public().AccountID(), 0, w.register(2, 2).Payload, signer{tx.RoleVendor, w.other}).Bytes()
	}},
	{"unknown account", state.NoAccount, func(w *world, live, _ tx.ID) []byte { return w.revoke(w.other, 0, live).Bytes() }},
	{"root of a known account", state.AccountExists, func(w *world, _, _ tx.ID) []byte {
		root := w.owner.Public()
		p := &tx.Claim{Device: w.devices[1].Public().DeviceID(), Epoch: 1, Root: &root}
		return w.tx(w.owner.Public().AccountID(), 4, p, signer{tx.RoleAccount, w.owner}, signer{tx.RoleDevice, w.devices[1]}).Bytes()
	}},
	{"unknown device", state.NoDevice, func(w *world, _, _ tx.ID) []byte { return w.claim(w.owner, 4, 3).Bytes() }},
	{"registered twice", state.DeviceExists, func(w *world, _, _ tx.ID) []byte { return w.register(2, 1).Bytes() }},
	{"claimed twice", state.DeviceOwned, func(w *world, _, _ tx.ID) []byte { return w.claim(w.owner, 4, 0).Bytes() }},
	{"another's device", state.NotOwner, func(w *world, _, _ tx.ID) []byte { return w.grant(w.owner, 4, 1, 1).Bytes() }},
	{"old epoch", state.StaleEpoch, func(w *world, _, _ tx.ID) []byte { return w.grant(w.owner, 4, 0, 9).Bytes() }},
	{"key version", state.BadKeyVersion, func(w *world, _, _ tx.ID) []byte {
		p := &tx.RotateKeys{Version: 5, Threshold: 1, Keys: []tx.AccountKey{{Key: w.other.Public(), Rights: tx.RightAdmin}}}
		return w.tx(w.owner.Public().AccountID(), 4, p, signer{tx.RoleAccount, w.owner}, signer{tx.RoleNewKey, w.other}).Bytes()
	}},
	{"unknown grant", state.NoGrant, func(w *world, _, _ tx.ID) []byte { return w.revoke(w.owner, 4, tx.ID{1}).Bytes() }},
	{"revoked twice", state.GrantRevoked, func(w *world, _, dead tx.ID) []byte { return w.revoke(w.owner, 4, dead).Bytes() }},
	{"another's grant", state.NotIssuer, func(w *world, live, _ tx.ID) []byte {
		w.block(w.register(2, 2).Bytes(), w.claim(w.other, 0, 2).Bytes())
		return w.revoke(w.other, 1, live).Bytes()
	}},
	{"over the quota", state.QuotaExceeded, func(w *world, _, _ tx.ID) []byte { return w.register(3, 3).Bytes() }},
}

// unreachable kinds cannot come out of a transaction: text forms are not on the
// wire, every kind has a rule (a test of chain/state), and the rest are what
// devices, wallets and readers find in records.
var unreachable = []error{
	key.BadText, state.NotAuthorised, state.NoChange, state.Forged, state.Released, state.NoPolicy, state.BadPolicy, state.NoAddresses,
	state.NotSealed, state.NoAnchor,
}

// addPhone is the owner's key change that adds a phone whose proof is spoiled.
func addPhone(change func(*keytest.Assertion)) func(*world, tx.ID, tx.ID) []byte {
	return func(w *world, _, _ tx.ID) []byte {
		phone := keytest.Phone("phone").With(change)
		p := &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{
			{Key: w.owner.Public(), Rights: tx.RightAdmin | tx.RightInvoke}, {Key: phone.Public(), Rights: tx.RightInvoke},
		}}
		return w.tx(w.owner.Public().AccountID(), 4, p, signer{tx.RoleAccount, w.owner}, signer{tx.RoleNewKey, phone}).Bytes()
	}
}

// changed is a registration with a payload that the builder would refuse.
func changed(w *world, change func(*tx.RegisterDevice)) []byte {
	c := w.register(2, 2)
	p := *c.Payload.(*tx.RegisterDevice)
	change(&p)
	return repack(c, func(b *tx.Body) { b.Payload = codec.MustMarshal(p) })
}

func TestCodes_EveryRefusal(t *testing.T) {
	covered := make(map[uint32]bool)
	for _, kind := range unreachable {
		covered[CodeOf(kind)] = true
	}
	for _, c := range slices.Concat(refused, refusedAccount, refusedGrants, refusedSeal) {
		covered[CodeOf(c.kind)] = true
		t.Run(c.name, func(t *testing.T) {
			w, live, dead := refusalWorld(t, c.kind == state.QuotaExceeded)
			refuse(t, w, c.make(w, live, dead), c.kind)
		})
	}
	covered[CodeOf(state.GovernanceOff)] = true // TestApp_EvidenceUngoverned
	covered[CodeOf(state.PowerLimit)] = true    // TestApp_PowerLimit
	for _, c := range slices.Concat(refusedGovernance, refusedLedger) {
		covered[CodeOf(c.kind)] = true
		t.Run(c.name, func(t *testing.T) {
			w := newGoverned(t, c.validators...)
			refuse(t, w, c.make(w), c.kind)
		})
	}
	for _, c := range refusedLifetime {
		covered[CodeOf(c.kind)] = true
		t.Run(c.name, func(t *testing.T) {
			w, _, _ := refusalWorld(t, false)
			refuse(t, w, c.make(w), c.kind)
		})
	}
	for _, r := range Rows() {
		if !covered[r.Code] {
			t.Errorf("no case refuses with %v", r.Kind)
		}
	}
}

// refuse demands that admission, proposal and execution give the same code.
func refuse(t *testing.T, w *world, raw []byte, kind error) {
	t.Helper()
	r := w.checkTx(raw)
	if r.Code != CodeOf(kind) || r.Codespace != Codespace || r.Log == "" {
		t.Errorf("CheckTx gives code %d (%s), want %d (%v)", r.Code, r.Log, CodeOf(kind), kind)
	}
	if got := w.process(raw).String(); got != "REJECT" {
		t.Errorf("ProcessProposal gives %s", got)
	}
	if got := w.finalize(raw).TxResults[0]; got.Code != r.Code {
		t.Errorf("FinalizeBlock gives code %d, CheckTx %d", got.Code, r.Code)
	}
}

// refusalWorld is the world that the cases are made for.
func refusalWorld(t testing.TB, full bool) (w *world, live, dead tx.ID) {
	w = newWorld(t)
	w.block(w.register(0, 0).Bytes(), w.register(1, 1).Bytes())
	a, b := w.grant(w.owner, 1, 0, 1), w.grant(w.owner, 2, 0, 1)
	live, dead = a.ID(w.doc.Chain()), b.ID(w.doc.Chain())
	w.block(w.claim(w.owner, 0, 0).Bytes(), a.Bytes(), b.Bytes(), w.revoke(w.owner, 3, dead).Bytes())
	if full {
		w.block(w.register(2, 2).Bytes())
	}
	return w, live, dead
}
