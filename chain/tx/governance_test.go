package tx_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// changes has a valid change of each name.
func changes() []tx.Change {
	one, two := statetest.ValidatorKey("one"), statetest.ValidatorKey("two")
	vendor := owner.Public().AccountID()
	return []tx.Change{
		{AddValidator: &tx.AddValidator{ValidatorName: "one", Key: statetest.ValidatorPub(one), Proof: statetest.Prove(chain, one)}},
		{RemoveValidator: &tx.RemoveValidator{Key: statetest.ValidatorPub(one)}},
		{ReplaceKey: &tx.ReplaceKey{Old: statetest.ValidatorPub(one), New: statetest.ValidatorPub(two), Proof: statetest.Prove(chain, two)}},
		{AdmitVendor: &tx.AdmitVendor{VendorName: "acme", Keys: []key.Public{owner.Public(), guest.Public()}, Threshold: 2, Quota: 5}},
		{SuspendVendor: &tx.SuspendVendor{Vendor: vendor}},
		{SetQuota: &tx.SetQuota{Vendor: vendor, Quota: 0}},
		{SetParams: &tx.SetParams{Base: tx.MinQuotaBase, PerDevice: 0, Period: tx.MaxQuotaPeriod}},
		{ScheduleUpgrade: &tx.ScheduleUpgrade{Upgrade: "two", Height: tx.MaxHeight, Hashes: [][32]byte{{1}, {2}}, URL: "https://example.org/two"}},
		{CancelUpgrade: &tx.CancelUpgrade{Upgrade: "two"}},
		{SetGovernors: &tx.SetGovernors{Threshold: 2, Governors: []tx.NewGovernor{
			{GovernorName: "anna", Key: owner.Public(), Proof: owner.Sign(tx.GovernorDigest(chain, owner.Public()))}, {GovernorName: "ben", Key: guest.Public()},
		}}},
	}
}

func propose(tb testing.TB, c tx.Change) *tx.Tx {
	tb.Helper()
	x, err := tx.New(owner.Public().AccountID(), 4, 1000, &tx.Propose{Until: 900, Change: c})
	if err != nil {
		tb.Fatal(err)
	}
	x.Sign(chain, tx.RoleGovernor, owner)
	return x
}

// proposeNegatives spoils each change in each field.
func proposeNegatives() []negative {
	var none tx.ValidatorKey
	with := func(i int, f func(*tx.Change)) func(*tx.Propose) {
		return func(p *tx.Propose) { p.Change = changes()[i]; f(&p.Change) }
	}
	return append(ledgerNegatives(with), []negative{
		spoil("no end", tx.Malformed, func(p *tx.Propose) { p.Until = 0 }),
		spoil("no change", tx.Malformed, func(p *tx.Propose) { p.Change = tx.Change{} }),
		spoil("two changes", tx.Malformed, with(0, func(c *tx.Change) { c.SetQuota = changes()[5].SetQuota })),
		spoil("add without a name", tx.Malformed, with(0, func(c *tx.Change) { c.AddValidator.ValidatorName = "" })),
		spoil("add with a control character", tx.Malformed, with(0, func(c *tx.Change) { c.AddValidator.ValidatorName = "a\n" })),
		spoil("add without a key", tx.Malformed, with(0, func(c *tx.Change) { c.AddValidator.Key = none })),
		spoil("remove without a key", tx.Malformed, with(1, func(c *tx.Change) { c.RemoveValidator.Key = none })),
		spoil("replace no key", tx.Malformed, with(2, func(c *tx.Change) { c.ReplaceKey.Old = none })),
		spoil("replace by no key", tx.Malformed, with(2, func(c *tx.Change) { c.ReplaceKey.New = none })),
		spoil("replace by itself", tx.Malformed, with(2, func(c *tx.Change) { c.ReplaceKey.New = c.ReplaceKey.Old })),
		spoil("admit without a name", tx.Malformed, with(3, func(c *tx.Change) { c.AdmitVendor.VendorName = "" })),
		spoil("admit without keys", tx.Malformed, with(3, func(c *tx.Change) { c.AdmitVendor.Keys = nil })),
		spoil("admit with too many keys", tx.Malformed, with(3, func(c *tx.Change) { c.AdmitVendor.Keys = make([]key.Public, tx.MaxKeys+1) })),
		spoil("admit without a threshold", tx.Malformed, with(3, func(c *tx.Change) { c.AdmitVendor.Threshold = 0 })),
		spoil("admit with a threshold out of reach", tx.Malformed, with(3, func(c *tx.Change) { c.AdmitVendor.Threshold = 3 })),
		spoil("admit with a key twice", tx.Malformed, with(3, func(c *tx.Change) { c.AdmitVendor.Keys[1] = c.AdmitVendor.Keys[0] })),
		spoil("admit with no point", key.BadKey, with(3, func(c *tx.Change) { c.AdmitVendor.Keys[0] = badPoint })),
		spoil("admit with a passkey", tx.InvokeOnly, with(3, func(c *tx.Change) { c.AdmitVendor.Keys[1] = passkey })),
		spoil("suspend nobody", tx.Malformed, with(4, func(c *tx.Change) { c.SuspendVendor.Vendor = key.AccountID{} })),
		spoil("quota of nobody", tx.Malformed, with(5, func(c *tx.Change) { c.SetQuota.Vendor = key.AccountID{} })),
	}...)
}

// ledgerNegatives spoils the changes of the ledger's own settings.
func ledgerNegatives(with func(int, func(*tx.Change)) func(*tx.Propose)) []negative {
	return []negative{
		spoil("a base that locks owners out", tx.Malformed, with(6, func(c *tx.Change) { c.SetParams.Base = tx.MinQuotaBase - 1 })),
		spoil("a base without bounds", tx.Malformed, with(6, func(c *tx.Change) { c.SetParams.Base = tx.MaxQuotaUnits + 1 })),
		spoil("units of a device without bounds", tx.Malformed, with(6, func(c *tx.Change) { c.SetParams.PerDevice = tx.MaxQuotaUnits + 1 })),
		spoil("no period", tx.Malformed, with(6, func(c *tx.Change) { c.SetParams.Period = 0 })),
		spoil("a short period", tx.Malformed, with(6, func(c *tx.Change) { c.SetParams.Period = tx.MinQuotaPeriod - 1 })),
		spoil("a long period", tx.Malformed, with(6, func(c *tx.Change) { c.SetParams.Period = tx.MaxQuotaPeriod + 1 })),
		spoil("upgrade without a name", tx.Malformed, with(7, func(c *tx.Change) { c.ScheduleUpgrade.Upgrade = "" })),
		spoil("upgrade with a blank in its name", tx.Malformed, with(7, func(c *tx.Change) { c.ScheduleUpgrade.Upgrade = "a b" })),
		spoil("upgrade without a height", tx.Malformed, with(7, func(c *tx.Change) { c.ScheduleUpgrade.Height = 0 })),
		spoil("upgrade at no height", tx.Malformed, with(7, func(c *tx.Change) { c.ScheduleUpgrade.Height = tx.MaxHeight + 1 })),
		spoil("upgrade without a program", tx.Malformed, with(7, func(c *tx.Change) { c.ScheduleUpgrade.Hashes = nil })),
		spoil("upgrade to too many programs", tx.Malformed, with(7, func(c *tx.Change) {
			c.ScheduleUpgrade.Hashes = nil
			for i := range tx.MaxPlatforms + 1 {
				c.ScheduleUpgrade.Hashes = append(c.ScheduleUpgrade.Hashes, [32]byte{byte(i + 1)})
			}
		})),
		spoil("upgrade to a program of zeros", tx.Malformed, with(7, func(c *tx.Change) { c.ScheduleUpgrade.Hashes = [][32]byte{{}} })),
		spoil("upgrade to a program twice", tx.Malformed, with(7, func(c *tx.Change) { c.ScheduleUpgrade.Hashes = [][32]byte{{1}, {1}} })),
		spoil("programs out of order", tx.Malformed, with(7, func(c *tx.Change) { c.ScheduleUpgrade.Hashes = [][32]byte{{2}, {1}} })),
		spoil("upgrade from a plain page", tx.Malformed, with(7, func(c *tx.Change) { c.ScheduleUpgrade.URL = "http://example.org" })),
		spoil("upgrade with a control character", tx.Malformed, with(7, func(c *tx.Change) { c.ScheduleUpgrade.URL = "https://a\x1b[2J" })),
		spoil("upgrade with a long address", tx.Malformed, with(7, func(c *tx.Change) { c.ScheduleUpgrade.URL = "https://" + strings.Repeat("a", tx.MaxURL) })),
		spoil("cancel nothing", tx.Malformed, with(8, func(c *tx.Change) { c.CancelUpgrade.Upgrade = "" })),
		spoil("no governors", tx.Malformed, with(9, func(c *tx.Change) { c.SetGovernors.Governors = nil })),
		spoil("too many governors", tx.Malformed, with(9, func(c *tx.Change) { c.SetGovernors.Governors = make([]tx.NewGovernor, tx.MaxKeys+1) })),
		spoil("governors without a threshold", tx.Malformed, with(9, func(c *tx.Change) { c.SetGovernors.Threshold = 0 })),
		spoil("a threshold that nobody can reach", tx.Malformed, with(9, func(c *tx.Change) { c.SetGovernors.Threshold = 3 })),
		spoil("a governor twice", tx.Malformed, with(9, func(c *tx.Change) { c.SetGovernors.Governors[1].Key = c.SetGovernors.Governors[0].Key })),
		spoil("a governor without a name", tx.Malformed, with(9, func(c *tx.Change) { c.SetGovernors.Governors[1].GovernorName = "" })),
		spoil("a phone as a governor", tx.InvokeOnly, with(9, func(c *tx.Change) { c.SetGovernors.Governors[1].Key = passkey })),
		spoil("a governor's key that is no point", key.BadKey, with(9, func(c *tx.Change) { c.SetGovernors.Governors[1].Key = badPoint })),
		spoil("a short proof", tx.Malformed, with(9, func(c *tx.Change) { c.SetGovernors.Governors[0].Proof = make(key.Signature, 63) })),
	}
}

// TestChange_RoundTrip: each change decodes to itself under its name, and a
// change of an unknown number is refused.
func TestChange_RoundTrip(t *testing.T) {
	names := map[string]bool{}
	for _, c := range changes() {
		x := propose(t, c)
		y, err := tx.Decode(x.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(y.Bytes(), x.Bytes()) || y.ID(chain) != x.ID(chain) {
			t.Error("another transaction comes back")
		}
		p := y.Payload.(*tx.Propose)
		a, err := p.Change.Action()
		if err != nil {
			t.Fatal(err)
		}
		names[a.Name()] = true
	}
	if len(names) != len(changes()) {
		t.Errorf("names %v", names)
	}
	body := propose(t, changes()[5]).Body
	body.Payload = codec.Raw{0xa2, 1, 1, 2, 0xa1, 0x18, 99, 0xa0} // {1: 1, 2: {99: {}}}
	raw := codec.MustMarshal(tx.Envelope{Body: codec.MustMarshal(body), Sigs: propose(t, changes()[5]).Sigs})
	if _, err := tx.Decode(raw); err == nil {
		t.Error("a change of an unknown number is accepted")
	}
}

// TestValidatorKey_Proves: a proof is of one key and for one ledger.
func TestValidatorKey_Proves(t *testing.T) {
	k := statetest.ValidatorKey("one")
	pub, proof := statetest.ValidatorPub(k), statetest.Prove(chain, k)
	other := chain
	other[0] ^= 1
	bent := proof
	bent[5] ^= 1
	switch {
	case !pub.Proves(chain, proof):
		t.Error("the proof does not prove")
	case pub.Proves(other, proof):
		t.Error("a proof for one ledger holds on another")
	case statetest.ValidatorPub(statetest.ValidatorKey("two")).Proves(chain, proof):
		t.Error("a proof of one key holds for another")
	case pub.Proves(chain, bent):
		t.Error("a bent proof holds")
	case len(pub.String()) != 64 || len(pub.Address().String()) != 40:
		t.Error("texts are not hex")
	}
}
