package vectors_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

// governed is a document with three governors, two of whom decide, and as many
// validators as asked.
func governed(validators int) *genesis.Doc {
	d := testGenesis()
	d.ChainID, d.Validators = "hos-governed", nil
	for i := range validators {
		name := "validator " + strconv.Itoa(i)
		pub := statetest.ValidatorPub(statetest.ValidatorKey(name))
		d.Validators = append(d.Validators, genesis.Validator{Name: name, PubKey: pub[:]})
	}
	d.Governance = &genesis.Governance{Threshold: 2}
	for i := range statetest.Governors {
		d.Governance.Governors = append(d.Governance.Governors, genesis.Governor{Name: fmt.Sprint("governor ", i), Key: statetest.Governor(i).Public()})
	}
	return d
}

func valKey(name string) tx.ValidatorKey { return statetest.ValidatorPub(statetest.ValidatorKey(name)) }

func prove(c codec.ChainDigest, name string) [64]byte {
	return statetest.Prove(c, statetest.ValidatorKey(name))
}

// allChanges has one of each.
func allChanges(c codec.ChainDigest) []tx.Change {
	id := guest.Public().AccountID()
	return []tx.Change{
		{AddValidator: &tx.AddValidator{ValidatorName: "new", Key: valKey("new"), Proof: prove(c, "new")}},
		{RemoveValidator: &tx.RemoveValidator{Key: valKey("validator 1")}},
		{ReplaceKey: &tx.ReplaceKey{Old: valKey("validator 0"), New: valKey("second"), Proof: prove(c, "second")}},
		{AdmitVendor: &tx.AdmitVendor{VendorName: "bolt", Keys: []key.Public{guest.Public(), buyer.Public()}, Threshold: 1, Quota: 7}},
		{SuspendVendor: &tx.SuspendVendor{Vendor: id}},
		{SetQuota: &tx.SetQuota{Vendor: id, Quota: 1 << 60}},
		{SetParams: &tx.SetParams{Base: 4, PerDevice: 1, Period: 3600}},
		{ScheduleUpgrade: &tx.ScheduleUpgrade{Upgrade: "two", Height: 100, Hashes: [][32]byte{{1}, {2}}, URL: "https://example.org/two"}},
		{CancelUpgrade: &tx.CancelUpgrade{Upgrade: "two"}},
		{SetGovernors: &tx.SetGovernors{Threshold: 1, Governors: []tx.NewGovernor{
			{GovernorName: "ben", Key: statetest.Governor(1).Public()}, {GovernorName: "guest", Key: guest.Public(), Proof: guest.Sign(tx.GovernorDigest(c, guest.Public()))},
		}}},
	}
}

func governanceTxCases(t *testing.T) (out []vectors.Case) {
	c := chain()
	payloads := []tx.Payload{&tx.Approve{Proposal: tx.ID{1, 2, 3}}}
	for _, change := range allChanges(c) {
		payloads = append(payloads, &tx.Propose{Until: start + 3600, Change: change})
	}
	for i, p := range payloads {
		name := p.Kind().String()
		if i > 1 {
			action, err := p.(*tx.Propose).Change.Action()
			if err != nil {
				t.Fatal(err)
			}
			name += "-" + action.Name()
		}
		r, err := tx.New(owner.Public().AccountID(), 7, start+60, p)
		if err != nil {
			t.Fatal(err)
		}
		r.Sign(c, tx.RoleGovernor, owner)
		acc := r.Body.Account
		out = append(out, vectors.Case{Name: "valid/" + name, Note: "signed in role 6", Hex: x(r.Bytes()), In: m{"chain_digest": b32(c), "public": x(owner.Public().Bytes)},
			Want: m{"id": r.ID(c).String(), "kind": u(uint64(p.Kind())), "account": x(acc[:]), "sequence": "7", "expires": u(start + 60), "payload": x(r.Body.Payload), "role": "6", "signature": x(r.Sigs[0].Bytes)}})
	}
	good := mustTx(t, &tx.Approve{Proposal: tx.ID{1}})
	refuse := func(name, note string, kind tx.Kind, payload []byte, want error) {
		b := good.Body
		b.Kind, b.Payload = kind, payload
		raw := codec.MustMarshal(tx.Envelope{Body: codec.MustMarshal(b), Sigs: good.Sigs})
		out = append(out, vectors.Case{Name: "refused/" + name, Note: note, Hex: x(raw), Want: m{"refused": want.Error()}})
	}
	spoil := func(name, note string, want error, i int, f func(*tx.Change)) {
		change := allChanges(c)[i]
		f(&change)
		refuse("propose-"+name, note, tx.KindPropose, codec.MustMarshal(&tx.Propose{Until: 1, Change: change}), want)
	}
	refuse("approve-nothing", "an approval of no proposal", tx.KindApprove, codec.MustMarshal(&tx.Approve{}), tx.Malformed)
	refuse("propose-no-end", "open for ever", tx.KindPropose, codec.MustMarshal(&tx.Propose{Change: allChanges(c)[5]}), tx.Malformed)
	refuse("propose-unknown", "a change with a number that nobody knows", tx.KindPropose, []byte{0xa2, 1, 1, 2, 0xa1, 0x18, 99, 0xa0}, codec.Malformed)
	refuse("propose-short-key", "a validator's key of 31 bytes", tx.KindPropose,
		append([]byte{0xa2, 1, 1, 2, 0xa1, 2, 0xa1, 1, 0x58, 31}, bytes.Repeat([]byte{1}, 31)...), codec.NotCanonical)
	spoil("nothing", "no change", tx.Malformed, 1, func(c *tx.Change) { c.RemoveValidator = nil })
	spoil("two", "two changes", tx.Malformed, 1, func(ch *tx.Change) { ch.SetQuota = allChanges(c)[5].SetQuota })
	spoil("zero-key", "a validator's key of zeros", tx.Malformed, 1, func(c *tx.Change) { c.RemoveValidator.Key = tx.ValidatorKey{} })
	spoil("itself", "a key replaces itself", tx.Malformed, 2, func(c *tx.Change) { c.ReplaceKey.New = c.ReplaceKey.Old })
	spoil("name", "a name that is not ASCII", tx.Malformed, 0, func(c *tx.Change) { c.AddValidator.ValidatorName = "zwölf" })
	spoil("threshold", "a vendor's threshold out of reach", tx.Malformed, 3, func(c *tx.Change) { c.AdmitVendor.Threshold = 3 })
	spoil("key-twice", "a vendor's key twice", tx.Malformed, 3, func(c *tx.Change) { c.AdmitVendor.Keys[1] = c.AdmitVendor.Keys[0] })
	spoil("passkey", "a phone as a vendor", tx.InvokeOnly, 3, func(c *tx.Change) { c.AdmitVendor.Keys[0] = phone.Public() })
	ledgerRefusals(spoil)
	spoil("no-vendor", "nobody is suspended", tx.Malformed, 4, func(c *tx.Change) { c.SuspendVendor.Vendor = key.AccountID{} })
	return out
}

// book writes cases of a history in which heights matter.
type book struct {
	t      *testing.T
	w      *statetest.World
	prefix string
	cases  []vectors.Case
}

// ledger begins a new ledger, with an empty state.
func (b *book) ledger(name, note string, d *genesis.Doc) {
	b.w.Tree, b.w.Block = new(statetest.Tree), state.Block{Chain: d.Chain(), Height: 1, Time: start}
	if err := d.Apply(b.w.Tree); err != nil {
		b.t.Fatal(err)
	}
	b.cases = append(b.cases, vectors.Case{Name: name, Note: note, In: m{"json": string(d.JSON())}, Want: changed(new(statetest.Tree), b.w.Tree)})
}

// do executes a transaction in a block of its own.
func (b *book) do(name, note string, r *tx.Tx, want error) {
	b.t.Helper()
	before := b.w.Tree.Clone()
	c := vectors.Case{Name: b.prefix + name, Note: note, Hex: x(r.Bytes()), In: m{
		"chain_digest": b32(b.w.Block.Chain), "time": strconv.FormatInt(b.w.Block.Time, 10), "height": strconv.FormatInt(b.w.Block.Height, 10),
	}}
	if want == nil {
		b.w.Do(b.t, r)
		c.Want = changed(before, b.w.Tree)
	} else {
		if err := state.Execute(b.w.Tree, b.w.Block, r); err == nil || refused(err)["refused"] != want.Error() {
			b.t.Fatalf("%s: %v, want %v", name, err, want)
		}
		c.Want = m{"refused": want.Error()}
	}
	b.cases = append(b.cases, c)
}

// governanceHistory goes on on ledgers of its own.
func governanceHistory(t *testing.T, w *statetest.World) []vectors.Case {
	b := &book{t: t, w: w, prefix: "gov/"}
	anna, ben, cleo := statetest.Governor(0), statetest.Governor(1), statetest.Governor(2)
	quota := tx.Change{SetQuota: &tx.SetQuota{Vendor: vendor.Public().AccountID(), Quota: 3}}
	b.do("off", "the genesis document names no governors", w.ProposeTx(t, anna, quota), state.GovernanceOff)
	b.ledger("governed/genesis", "another ledger, with an empty state before: two validators, and two of three governors decide", governed(2))
	c := w.Block.Chain
	ch := allChanges(c)
	b.do("stranger", "an owner is no governor", w.ProposeTx(t, owner, quota), state.NoGovernor)
	b.do("wrong-signer", "signed by another governor", w.Build(t, anna.Public().AccountID(), &tx.Propose{Until: start + 60, Change: quota}, statetest.As{Role: tx.RoleGovernor, Key: ben}), state.WrongSigner)
	add := w.ProposeTx(t, anna, ch[0])
	b.do("add", "a third validator is proposed", add, nil)
	id := add.ID(c)
	b.do("add/own", "the proposer approves once more", w.ApproveTx(t, anna, id), state.AlreadyApproved)
	b.do("add/nothing", "approval of nothing", w.ApproveTx(t, ben, tx.ID{9}), state.NoProposal)
	b.do("add/approve", "the threshold is reached", w.ApproveTx(t, ben, id), nil)
	b.do("add/closed", "too late", w.ApproveTx(t, cleo, id), state.ProposalClosed)
	b.do("add/again", "the key is a validator's", w.ProposeTx(t, anna, ch[0]), state.ValidatorExists)
	bad := tx.AddValidator{ValidatorName: "x", Key: valKey("x"), Proof: prove(codec.ChainDigest{}, "x")}
	b.do("add/proof", "a proof for another ledger", w.ProposeTx(t, anna, tx.Change{AddValidator: &bad}), state.BadProof)
	b.do("remove/nobody", "no such validator", w.ProposeTx(t, anna, tx.Change{RemoveValidator: &tx.RemoveValidator{Key: valKey("x")}}), state.NoValidator)
	b.do("now", "a proposal that ends now", w.Build(t, anna.Public().AccountID(), &tx.Propose{Until: uint64(w.Block.Time), Change: quota}, statetest.As{Role: tx.RoleGovernor, Key: anna}), state.ProposalExpired)
	b.do("long", "a proposal open too long", w.Build(t, anna.Public().AccountID(), &tx.Propose{Until: uint64(w.Block.Time) + state.MaxProposalLife + 1, Change: quota}, statetest.As{Role: tx.RoleGovernor, Key: anna}), state.ProposalTooLong)
	swap, gone := w.ProposeTx(t, anna, ch[2]), (*tx.Tx)(nil)
	b.do("replace", "a new key for validator 0", swap, nil)
	gone = w.ProposeTx(t, ben, ch[1])
	b.do("remove", "validator 1 shall go", gone, nil)
	b.do("replace/approve", "the new key has the power", w.ApproveTx(t, ben, swap.ID(c)), nil)
	w.Block.Height--
	b.do("remove/limit", "more than a third in one block", w.ApproveTx(t, cleo, gone.ID(c)), state.PowerLimit)
	w.Block.Height++
	b.do("remove/approve", "in the next block it passes", w.ApproveTx(t, cleo, gone.ID(c)), nil)
	rest := w.ProposeTx(t, anna, tx.Change{RemoveValidator: &tx.RemoveValidator{Key: valKey("new")}})
	b.do("remove/second", "the one that was added", rest, nil)
	b.do("remove/second/approve", "one is left", w.ApproveTx(t, ben, rest.ID(c)), nil)
	b.do("remove/last", "the last", w.ProposeTx(t, anna, tx.Change{RemoveValidator: &tx.RemoveValidator{Key: valKey("second")}}), state.LastValidator)
	b.vendors(anna, ben, ch)
	for i := range state.MaxOpenProposals {
		b.do("open/"+strconv.Itoa(i), "one more open proposal", w.ProposeTx(t, cleo, quota), nil)
	}
	late := w.ProposeTx(t, cleo, quota)
	b.do("open/full", "one too many", late, state.TooManyProposals)
	open, err := state.GetGovernance(w.Tree)
	if err != nil {
		t.Fatal(err)
	}
	w.Block.Time += 3600
	b.do("open/expired", "an approval after the end", w.ApproveTx(t, anna, open.Open[0].ID), state.ProposalExpired)
	b.do("open/room", "the ended ones make room", w.ProposeTx(t, cleo, quota), nil)
	b.settings(anna, ben, cleo)
	b.ledger("full/genesis", "another ledger, with as many validators as there can be", governed(state.MaxValidators))
	c = w.Block.Chain
	b.do("add/full", "no place left", w.ProposeTx(t, anna, allChanges(c)[0]), state.TooManyValidators)
	return b.cases
}

// vendors is the history's part about vendors.
func (b *book) vendors(anna, ben *key.Private, ch []tx.Change) {
	t, w := b.t, b.w
	decide := func(name, note string, change tx.Change) {
		p := w.ProposeTx(t, anna, change)
		b.do(name, note, p, nil)
		b.do(name+"/approve", "the threshold is reached", w.ApproveTx(t, ben, p.ID(w.Block.Chain)), nil)
	}
	w.Vendor = guest
	b.do("suspend/nobody", "no such vendor", w.ProposeTx(t, anna, ch[4]), state.NoVendor)
	decide("admit", "a new vendor", ch[3])
	b.do("admit/again", "it is admitted", w.ProposeTx(t, anna, ch[3]), state.VendorExists)
	b.do("admit/register", "it registers a device", w.RegisterTx(t, device), nil)
	decide("quota", "a quota that leaves no room", tx.Change{SetQuota: &tx.SetQuota{Vendor: guest.Public().AccountID(), Quota: 1}})
	b.do("quota/register", "over it", w.RegisterTx(t, buyer), state.QuotaExceeded)
	decide("suspend", "it is suspended", ch[4])
	b.do("suspend/register", "it registers nothing", w.RegisterTx(t, buyer), state.VendorSuspended)
	b.do("suspend/twice", "it is suspended", w.ProposeTx(t, anna, ch[4]), state.VendorSuspended)
	decide("readmit", "with a new quota", ch[3])
	b.do("readmit/register", "it registers again", w.RegisterTx(t, buyer), nil)
	w.Vendor = vendor
}

// governanceGenesisCases are documents with a section governance.
func governanceGenesisCases() (out []vectors.Case) {
	d := governed(2)
	out = append(out, vectors.Case{Name: "valid/governed", Note: "with governors", In: m{"json": string(d.JSON())}, Want: m{"hash": b32(d.Hash()), "chain_digest": b32(d.Chain()), "encoded": x(codec.MustMarshal(d))}})
	text := string(d.JSON())
	again := d.Governance.Governors[0].Key.String()
	for _, bad := range [][3]string{
		{"governors-none", "governance without governors", text[:strings.Index(text, `"governors": [`)] + `"governors": [], "threshold": 1}}`},
		{"governors-threshold", "a threshold out of reach", strings.Replace(text, `"threshold": 2`, `"threshold": 4`, 1)},
		{"governors-zero", "a threshold of 0", strings.Replace(text, `"threshold": 2`, `"threshold": 0`, 1)},
		{"governors-twice", "a key twice", strings.Replace(text, d.Governance.Governors[1].Key.String(), again, 1)},
		{"governors-vendor", "a governor's key is a vendor's", strings.Replace(text, again, vendor.Public().String(), 1)},
		{"governors-passkey", "a phone governs", strings.Replace(text, again, phone.Public().String(), 1)},
		{"governors-unknown", "an unknown name in the section", strings.Replace(text, `"governors"`, `"voters": 1, "governors"`, 1)},
	} {
		out = append(out, vectors.Case{Name: "refused/" + bad[0], Note: bad[1], In: m{"json": bad[2]}, Want: m{"refused": "yes"}})
	}
	return out
}
