package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// applyOpenSeal records what the ledger is to counter-sign. A command is sealed
// once: one whose seal has ended open is signed and opened anew.
func applyOpenSeal(s Tree, b Block, t *tx.Tx) error {
	p := t.Payload.(*tx.OpenSeal)
	if err := sealable(s, t, p.Device, p.Epoch); err != nil {
		return err
	}
	if err := checkSealEnd(b, p.Until); err != nil {
		return err
	}
	a, err := GetAccount(s, t.Body.Account)
	if err != nil {
		return err
	}
	if n := len(adminSigner(tx.RoleApprover, a.KeySet).keys); n < int(p.Needed) {
		return &Error{Kind: TooFewKeys, Detail: fmt.Sprintf("%d approvals of %d admin keys", p.Needed, n)}
	}
	if _, err := GetSeal(s, p.Device, p.Command); !isKind(err, NoSeal) {
		if err == nil {
			err = &Error{Kind: SealExists, Detail: p.Command.String()}
		}
		return err
	}
	r := Seal{Account: t.Body.Account, Epoch: p.Epoch, Status: SealOpen, Needed: p.Needed, Until: p.Until}
	if err := r.approve(s, b, t); err != nil {
		return err
	}
	return put(s, SealKey(p.Device, p.Command), r)
}

func checkSealEnd(b Block, until uint64) error {
	now := uint64(max(b.Time, 0))
	if now >= until {
		return &Error{Kind: SealExpired, Detail: fmt.Sprintf("ends at %d, block time is %d", until, now)}
	}
	if until-now > MaxSealLife {
		return &Error{Kind: SealTooLong, Detail: fmt.Sprintf("open for %d s, at most %d", until-now, uint64(MaxSealLife))}
	}
	return nil
}
