package state

import (
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// SealStatus is the state of a seal.
type SealStatus uint8

// The states of a seal. Numbers are append-only.
const (
	// SealOpen: it may be approved until its end, and is void afterwards.
	SealOpen SealStatus = 1
	// Sealed: enough keys have approved it.
	Sealed SealStatus = 2
)

// Seal is a command that the ledger counter-signs, with the transactions that
// prove who approved it.
//
// Evolution: fields 1 to 8 are fixed; new ones are optional.
type Seal struct {
	Account key.AccountID `cbor:"1,keyasint"` // the owner
	Epoch   uint64        `cbor:"2,keyasint"`
	Status  SealStatus    `cbor:"3,keyasint"`
	Needed  uint8         `cbor:"4,keyasint"` // distinct admin keys
	Until   uint64        `cbor:"5,keyasint"` // Unix seconds of block time; void from then on, if it is open
	Height  int64         `cbor:"6,keyasint"` // of the block that sealed it; 0: none has
	Keys    []key.KeyID   `cbor:"7,keyasint"` // who approved, in that order
	Txs     [][]byte      `cbor:"8,keyasint"` // the signed OpenSeal envelope and those of ApproveSeal
}

// GetSeal reads the seal of a command to a device; kind NoSeal if there is none.
func GetSeal(v View, device key.DeviceID, command tx.ID) (r Seal, err error) {
	err = get(v, SealKey(device, command), &r, NoSeal)
	return r, err
}

// approverSigners is any admin keys of the acting account, each for itself: the
// account's threshold says who changes the ledger's records of it, a seal says
// itself how many it needs.
func approverSigners(v View, t *tx.Tx) ([]signer, error) {
	a, err := GetAccount(v, t.Body.Account)
	if err != nil {
		return nil, err
	}
	return []signer{approver(a.KeySet)}, nil
}

func approver(keys KeySet) signer {
	s := adminSigner(tx.RoleApprover, keys)
	s.threshold = 1
	return s
}

// sealable reads the device of a seal: the actor's, in the given epoch, while
// the account is not frozen, since a seal can give as much as a grant.
func sealable(s Tree, t *tx.Tx, id key.DeviceID, epoch uint64) error {
	if err := thawed(s, t); err != nil {
		return err
	}
	_, err := reported(s, t, id, epoch)
	return err
}

// approve adds the keys that signed t to the seal, and seals it if those that
// are admin keys of the account now are enough.
func (r *Seal) approve(s Tree, b Block, t *tx.Tx) error {
	a, err := GetAccount(s, r.Account)
	if err != nil {
		return err
	}
	for _, sig := range t.Sigs {
		if slices.Contains(r.Keys, sig.Key) {
			return &Error{Kind: AlreadyApproved, Detail: sig.Key.String()}
		}
		r.Keys = append(r.Keys, sig.Key)
	}
	r.Txs = append(r.Txs, t.Bytes())
	admins := adminSigner(tx.RoleApprover, a.KeySet).keys
	have := 0
	for _, k := range admins {
		if slices.Contains(r.Keys, k.ID()) {
			have++
		}
	}
	if have >= max(1, int(r.Needed)) {
		r.Status, r.Height = Sealed, b.Height
	}
	return nil
}

// VerifySeal checks that enough of the owner's present admin keys signed for a
// command of the device in its epoch: as many as the seal asks for, and at least
// needed, which is the device's own policy. Validators can seal nothing that
// they did not sign; a key that has been rotated out counts no more.
func VerifySeal(chain codec.ChainDigest, own Ownership, command tx.ID, needed int, r Seal) error {
	if r.Status != Sealed {
		return &Error{Kind: NotSealed, Detail: command.String()}
	}
	if len(r.Txs) == 0 || len(r.Txs) > tx.MaxKeys {
		return forged("seal of %s holds %d transactions", command, len(r.Txs))
	}
	var signed []key.KeyID
	for i, raw := range r.Txs {
		t, err := tx.Decode(raw)
		if err != nil {
			return forged("seal of %s: %v", command, err)
		}
		asked, ok := sealTerms(t, own, command, i == 0)
		if !ok {
			return forged("seal of %s holds another transaction", command)
		}
		needed = max(needed, asked)
		if signed, err = approvals(chain, own.Owner.Keys, t, signed); err != nil {
			return forged("seal of %s: %v", command, err)
		}
	}
	if len(signed) < max(1, needed) {
		return forged("seal of %s has %d of %d approvals by present keys", command, len(signed), needed)
	}
	return nil
}

// sealTerms reports whether t is about this command of this owner, and how many
// approvals it asks for. Only the first one opens the seal.
func sealTerms(t *tx.Tx, own Ownership, command tx.ID, first bool) (needed int, ok bool) {
	if t.Body.Account != own.Owner.Account {
		return 0, false
	}
	switch p := t.Payload.(type) {
	case *tx.OpenSeal:
		return int(p.Needed), first && p.Device == own.Device && p.Epoch == own.Epoch && p.Command == command
	case *tx.ApproveSeal:
		return 0, !first && p.Device == own.Device && p.Epoch == own.Epoch && p.Command == command
	}
	return 0, false
}

// approvals adds the present admin keys whose signatures of t are valid to
// those that have signed. Keys that have left the set are passed over.
func approvals(chain codec.ChainDigest, present KeySet, t *tx.Tx, have []key.KeyID) ([]key.KeyID, error) {
	signers := []signer{approver(present)}
	known := *t
	known.Sigs = nil
	for _, s := range t.Sigs {
		if s.Role != tx.RoleApprover {
			return have, fmt.Errorf("a signature of role %d", s.Role)
		}
		if _, ok := findKey(signers, s); ok && !slices.Contains(have, s.Key) {
			known.Sigs = append(known.Sigs, s)
		}
	}
	if len(known.Sigs) == 0 {
		return have, nil
	}
	if err := verify(&known, t.Digest(chain), signers); err != nil {
		return have, err
	}
	for _, s := range known.Sigs {
		have = append(have, s.Key)
	}
	return have, nil
}
