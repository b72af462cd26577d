package abci

import (
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// newTight makes a governed ledger in which an account has five units while it
// owns one device, and the owner owns device 0; that took one.
func newTight(t *testing.T) *world {
	t.Helper()
	w := newGoverned(t, four...)
	w.decide(tx.Change{SetParams: &tx.SetParams{Base: 4, PerDevice: 1, Period: 3600}})
	w.block(w.register(0, 0).Bytes(), w.register(1, 1).Bytes(), w.claim(w.owner, 0, 0).Bytes())
	return w
}

// TestCheckTx_Order: size, decode, account, quota, signature. Each case breaks
// its step and all later ones, and the first decides; only the last has a
// signature verified.
func TestCheckTx_Order(t *testing.T) {
	w := newTight(t)
	for i := range uint64(4) {
		w.block(w.grant(w.owner, 1+i, 0, 1).Bytes())
	}
	badly := func(x *tx.Tx) []byte {
		x.Sigs[0].Bytes[5] ^= 1
		return x.Bytes()
	}
	stranger := secret(t, "stranger")
	for _, c := range []struct {
		name  string
		raw   []byte
		want  error
		count int
	}{
		{"size", make([]byte, tx.MaxBytes+1), codec.TooLarge, 0},
		{"decode", append(badly(w.grant(w.owner, 9, 0, 1)), 0), codec.Malformed, 0},
		{"account", badly(w.grant(stranger, 9, 0, 1)), state.NoAccount, 0},
		{"sequence", badly(w.grant(w.owner, 9, 0, 1)), state.BadSequence, 0},
		{"quota", badly(w.grant(w.owner, 5, 0, 1)), state.AccountQuotaExceeded, 0},
	} {
		w.evict()
		count := 0
		w.app.seen.miss = func() { count++ }
		if r := w.checkTx(c.raw); r.Code != CodeOf(c.want) || count != c.count {
			t.Errorf("%s: code %d (%s) after %d verifications", c.name, r.Code, r.Log, count)
		}
	}
	w.now = time.Unix(start+3600*2, 0) // the next period
	w.evict()
	count := 0
	w.app.seen.miss = func() { count++ }
	late := w.txUntil(w.owner.Public().AccountID(), 5, start+3600*3, w.grant(w.owner, 5, 0, 1).Payload, signer{tx.RoleAccount, w.owner})
	if r := w.checkTx(late.Bytes()); r.Code != CodeOK || count != 1 {
		t.Errorf("signature: code %d (%s) after %d verifications", r.Code, r.Log, count)
	}
}

// TestQuota_Mempool: an account has no more transactions waiting than its quota
// leaves, another one is not touched by that, and refused ones cost nothing.
func TestQuota_Mempool(t *testing.T) {
	w := newTight(t)
	exceeded := CodeOf(state.AccountQuotaExceeded)
	var line [][]byte
	for i := range uint64(4) {
		if r := w.checkTx(w.revoke(w.owner, 1+i, tx.ID{1}).Bytes()); r.Code != CodeOf(state.NoGrant) {
			t.Fatalf("code %d", r.Code)
		}
		raw := w.grant(w.owner, 1+i, 0, 1).Bytes()
		if r := w.checkTx(raw); r.Code != CodeOK {
			t.Fatalf("transaction %d: %s", i, r.Log)
		}
		line = append(line, raw)
	}
	over := w.grant(w.owner, 5, 0, 1).Bytes()
	if r := w.checkTx(over); r.Code != exceeded {
		t.Errorf("one too many waits: code %d", r.Code)
	}
	if r := w.checkTx(w.claim(w.other, 0, 1).Bytes()); r.Code != CodeOK {
		t.Errorf("another account: %s", r.Log)
	}
	w.block(line...)
	w.refusedEverywhere("after the block", over, exceeded)
	w.evict()
	w.refusedEverywhere("after eviction", over, exceeded)
	w.crash()
	w.refusedEverywhere("after a restart", over, exceeded)
}

// refusedLedger has a transaction for each kind about quotas and upgrades.
var refusedLedger = []governedCase{
	{"account quota exceeded", state.AccountQuotaExceeded, four, func(w *world) []byte {
		w.decide(tx.Change{SetParams: &tx.SetParams{Base: 4, PerDevice: 0, Period: 3600}})
		w.block(w.register(0, 0).Bytes(), w.claim(w.owner, 0, 0).Bytes(), w.grant(w.owner, 1, 0, 1).Bytes(), w.grant(w.owner, 2, 0, 1).Bytes(), w.grant(w.owner, 3, 0, 1).Bytes())
		return w.grant(w.owner, 4, 0, 1).Bytes()
	}},
	{"too many moves", state.TooManyMoves, four, func(w *world) []byte {
		w.block(w.register(0, 0).Bytes(), w.claim(w.owner, 0, 0).Bytes())
		next := map[*key.Private]uint64{w.owner: 1}
		from, to := w.owner, w.other
		for i := range uint64(state.MaxMoves) {
			raw := w.transfer(from, to, next[from], 0, 2+i, i == 0).Bytes()
			if i == state.MaxMoves-1 {
				return raw
			}
			w.block(raw)
			next[from]++
			from, to = to, from
		}
		return nil
	}},
	{"upgrade late", state.UpgradeLate, four, func(w *world) []byte { return w.propose(0, 0, upgradeAt("two", 5)).Bytes() }},
	{"upgrade exists", state.UpgradeExists, four, func(w *world) []byte {
		w.decide(upgradeAt("two", 500))
		return w.propose(0, 1, upgradeAt("three", 600)).Bytes()
	}},
	{"no upgrade", state.NoUpgrade, four, func(w *world) []byte {
		return w.propose(0, 0, tx.Change{CancelUpgrade: &tx.CancelUpgrade{Upgrade: "two"}}).Bytes()
	}},
}

func upgradeAt(name string, height uint64) tx.Change {
	return tx.Change{ScheduleUpgrade: &tx.ScheduleUpgrade{Upgrade: name, Height: height, Hashes: [][32]byte{newBinary}}}
}
