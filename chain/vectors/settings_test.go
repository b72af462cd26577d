package vectors_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// ledgerRefusals spoils the changes of quotas, upgrades and governors.
func ledgerRefusals(spoil func(name, note string, want error, i int, f func(*tx.Change))) {
	spoil("base", "a quota that locks owners out", tx.Malformed, 6, func(c *tx.Change) { c.SetParams.Base = tx.MinQuotaBase - 1 })
	spoil("units", "units of a device above the cap", tx.Malformed, 6, func(c *tx.Change) { c.SetParams.PerDevice = tx.MaxQuotaUnits + 1 })
	spoil("period", "a period of 59 s", tx.Malformed, 6, func(c *tx.Change) { c.SetParams.Period = 59 })
	spoil("upgrade-name", "a name with a blank", tx.Malformed, 7, func(c *tx.Change) { c.ScheduleUpgrade.Upgrade = "a b" })
	spoil("upgrade-height", "at height 0", tx.Malformed, 7, func(c *tx.Change) { c.ScheduleUpgrade.Height = 0 })
	spoil("upgrade-none", "no program", tx.Malformed, 7, func(c *tx.Change) { c.ScheduleUpgrade.Hashes = [][32]byte{} })
	spoil("upgrade-order", "programs out of order", tx.Malformed, 7, func(c *tx.Change) { c.ScheduleUpgrade.Hashes = [][32]byte{{2}, {1}} })
	spoil("upgrade-zero", "a program of zeros", tx.Malformed, 7, func(c *tx.Change) { c.ScheduleUpgrade.Hashes = [][32]byte{{}} })
	spoil("upgrade-url", "a page without TLS", tx.Malformed, 7, func(c *tx.Change) { c.ScheduleUpgrade.URL = "http://example.org" })
	spoil("upgrade-url-long", "a long address", tx.Malformed, 7, func(c *tx.Change) { c.ScheduleUpgrade.URL = "https://" + strings.Repeat("a", tx.MaxURL) })
	spoil("cancel-none", "no name", tx.Malformed, 8, func(c *tx.Change) { c.CancelUpgrade.Upgrade = "" })
	spoil("council-threshold", "a threshold that nobody can reach", tx.Malformed, 9, func(c *tx.Change) { c.SetGovernors.Threshold = 3 })
	spoil("council-twice", "a governor twice", tx.Malformed, 9, func(c *tx.Change) { c.SetGovernors.Governors[1].Key = c.SetGovernors.Governors[0].Key })
	spoil("council-proof", "a proof of 63 bytes", tx.Malformed, 9, func(c *tx.Change) { c.SetGovernors.Governors[1].Proof = make(key.Signature, 63) })
	spoil("council-phone", "a phone governs", tx.InvokeOnly, 9, func(c *tx.Change) { c.SetGovernors.Governors[0].Key = phone.Public() })
}

// settings is the history's part about quotas, upgrades and governors.
func (b *book) settings(anna, ben, cleo *key.Private) {
	t, w := b.t, b.w
	w.Vendor = vendor
	b.ledger("settings/genesis", "another ledger, for its settings", governed(2))
	ch := allChanges(w.Block.Chain)
	decide := func(name, note string, change tx.Change) {
		p := w.ProposeTx(t, anna, change)
		b.do(name, note, p, nil)
		b.do(name+"/approve", "the threshold is reached", w.ApproveTx(t, ben, p.ID(w.Block.Chain)), nil)
	}
	b.do("moves/register", "a device for many hands", w.RegisterTx(t, device), nil)
	for i := range state.MaxMoves {
		who := statetest.Key("hand " + strconv.Itoa(i))
		b.do(fmt.Sprintf("moves/claim/%d", i), "one more owner in this period", w.ClaimTx(t, who, device), nil)
		b.do(fmt.Sprintf("moves/release/%d", i), "which gives nobody a quota", w.ReleaseTx(t, who, device), nil)
	}
	b.do("moves/over", "a seventeenth owner", w.ClaimTx(t, owner, device), state.TooManyMoves)
	w.Block.Time += int64(state.DefaultQuota().Period)
	decide("params", "four units an hour, and one for each device", ch[6])
	b.do("params/register", "a vendor has no such quota", w.RegisterTx(t, guest), nil)
	b.do("params/claim", "one of four", w.ClaimTx(t, owner, device), nil)
	for i := range 4 {
		b.do("params/grant/"+strconv.Itoa(i), "one more of five", w.GrantTx(t, owner, guest.Public(), device, "open"), nil)
	}
	bad := w.GrantTx(t, owner, guest.Public(), device, "open")
	bad.Sigs[0].Bytes = bytes.Repeat([]byte{1}, 64)
	b.do("params/over", "one too many; its signature is not looked at", bad, state.AccountQuotaExceeded)
	w.Block.Time += 3600
	b.do("params/later", "the next period", w.GrantTx(t, owner, guest.Public(), device, "open"), nil)
	b.do("upgrade/late", "at a height that has been", w.ProposeTx(t, anna, tx.Change{ScheduleUpgrade: &tx.ScheduleUpgrade{Upgrade: "two", Height: 1, Hashes: [][32]byte{{1}}}}), state.UpgradeLate)
	b.do("upgrade/none", "nothing to cancel", w.ProposeTx(t, anna, ch[8]), state.NoUpgrade)
	decide("upgrade", "programs for block 100", ch[7])
	b.do("upgrade/second", "one at a time", w.ProposeTx(t, anna, ch[7]), state.UpgradeExists)
	decide("upgrade/cancel", "none is to come", ch[8])
	decide("upgrade/again", "the name is free", ch[7])
	w.Block.Height = 100
	b.do("upgrade/reached", "too late to cancel", w.ProposeTx(t, anna, ch[8]), state.NoUpgrade)
	b.do("upgrade/name", "a name is used once", w.ProposeTx(t, anna, tx.Change{ScheduleUpgrade: &tx.ScheduleUpgrade{Upgrade: "two", Height: 500, Hashes: [][32]byte{{1}}}}), state.UpgradeExists)
	unproven := allChanges(codec.ChainDigest{})[9]
	b.do("council/proof", "a proof for another ledger", w.ProposeTx(t, anna, unproven), state.BadProof)
	open := w.ProposeTx(t, cleo, ch[6])
	b.do("council/open", "a proposal that the change will end", open, nil)
	decide("council", "anna and cleo leave", ch[9])
	b.do("council/left", "who has left", w.ProposeTx(t, cleo, ch[6]), state.NoGovernor)
	b.do("council/ended", "the proposal of before", w.ApproveTx(t, ben, open.ID(w.Block.Chain)), state.ProposalClosed)
	b.do("council/alone", "one decides now", w.ProposeTx(t, guest, ch[6]), nil)
}
