package tx_test

import (
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func guardianNegatives() []negative {
	keys := func(n int) (out []key.Public) {
		for _, k := range manyKeys(n) {
			out = append(out, k.Key)
		}
		return out
	}
	return []negative{
		spoil("no version", tx.Malformed, func(p *tx.SetGuardians) { p.Version = 0 }),
		spoil("no keys", tx.Malformed, func(p *tx.SetGuardians) { p.Guardians.Keys = nil }),
		spoil("too many keys", tx.Malformed, func(p *tx.SetGuardians) { p.Guardians.Keys = keys(tx.MaxKeys + 1) }),
		spoil("key twice", tx.Malformed, func(p *tx.SetGuardians) { p.Guardians.Keys[1] = p.Guardians.Keys[0] }),
		spoil("key not a point", key.BadKey, func(p *tx.SetGuardians) { p.Guardians.Keys[0] = badPoint }),
		spoil("key of unknown algorithm", key.UnknownAlg, func(p *tx.SetGuardians) { p.Guardians.Keys[0] = badAlg }),
		spoil("passkey", tx.InvokeOnly, func(p *tx.SetGuardians) { p.Guardians.Keys[1] = passkey }),
		spoil("browser's key", tx.InvokeOnly, func(p *tx.SetGuardians) { p.Guardians.Keys[2] = browser }),
		spoil("no threshold", tx.Malformed, func(p *tx.SetGuardians) { p.Guardians.Threshold = 0 }),
		spoil("threshold out of reach", tx.Malformed, func(p *tx.SetGuardians) { p.Guardians.Threshold = 4 }),
		spoil("no delay", tx.Malformed, func(p *tx.SetGuardians) { p.Guardians.Delay = 0 }),
		spoil("delay too long", tx.Malformed, func(p *tx.SetGuardians) { p.Guardians.Delay = tx.MaxDelay + 1 }),
	}
}

func recoveryNegatives() []negative {
	return []negative{
		spoil("no version", tx.Malformed, func(p *tx.StartRecovery) { p.Version = 0 }),
		spoil("no keys", tx.Malformed, func(p *tx.StartRecovery) { p.Keys = nil }),
		spoil("too many keys", tx.Malformed, func(p *tx.StartRecovery) { p.Keys = manyKeys(tx.MaxKeys + 1) }),
		spoil("key twice", tx.Malformed, func(p *tx.StartRecovery) { p.Keys[1].Key = p.Keys[0].Key }),
		spoil("key not a point", key.BadKey, func(p *tx.StartRecovery) { p.Keys[1].Key = badPoint }),
		spoil("passkey as admin", tx.InvokeOnly, func(p *tx.StartRecovery) { p.Keys[0].Key = passkey }),
		spoil("unknown right", tx.Malformed, func(p *tx.StartRecovery) { p.Keys[1].Rights = 4 }),
		spoil("threshold out of reach", tx.Malformed, func(p *tx.StartRecovery) { p.Threshold = 2 }),
		spoil("no admin left", tx.Malformed, func(p *tx.StartRecovery) { p.Keys[0].Rights = tx.RightInvoke }),
	}
}

// TestFreeze_Empty: the payload is the empty map, and no other.
func TestFreeze_Empty(t *testing.T) {
	for _, k := range []tx.Kind{tx.KindFreeze, tx.KindUnfreeze} {
		x := build(t, k)
		if string(x.Body.Payload) != "\xa0" {
			t.Errorf("%s is %x", k, x.Body.Payload)
		}
		for _, raw := range []codec.Raw{{0xa1, 1, 0}, {0x80}, {0xf6}, {0}} {
			body := x.Body
			body.Payload = raw
			if _, err := tx.Decode(envelope(body, x.Sigs)); !errors.Is(err, codec.Malformed) && !errors.Is(err, codec.NotCanonical) {
				t.Errorf("%s of %x: %v", k, raw, err)
			}
		}
	}
	none := &tx.SetGuardians{Version: 1}
	if err := none.StaticValidate(); err != nil {
		t.Errorf("no guardians any more: %v", err)
	}
}
