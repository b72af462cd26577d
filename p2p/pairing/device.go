package pairing

import (
	"io"
	"reflect"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Claimed is the device's half of a pairing.
type Claimed struct {
	Chain   codec.ChainDigest
	Key     *key.Private
	SealKey [32]byte // public half
	Model   string
	Secret  [SecretSize]byte
	Batch   *tx.BatchMember // nil: the device was registered by itself
	// Owned reports whether the device already has an owner; it then refuses to
	// sign anything.
	Owned func() bool
	// Keep stores the claim, signed by both, before the device's signature leaves
	// it. If the conversation breaks after that, the device looks for this very
	// claim on the ledger and arms itself.
	Keep func(owner key.AccountID, envelope []byte) error
	// Arm is called with the claim, signed by both, once the wallet says that it
	// is on the ledger. It must find it there itself, keep the ownership for
	// good, and return the new epoch and the height at which it looked.
	Arm func(owner key.AccountID, envelope []byte, height uint64) (Armed, error)
}

// Device answers one pairing conversation. The caller sets deadlines on rw and
// bounds how often it may be called: a wrong secret is refused, never counted
// here.
func Device(rw io.ReadWriter, d Claimed) error {
	c := newConversation(rw, d.Chain, d.Secret[:])
	if err := c.answer(d); err != nil {
		return c.refusing(err)
	}
	return nil
}

func (c *conversation) answer(d Claimed) error {
	account, err := c.offer(d)
	if err != nil {
		return err
	}
	t, err := c.sign(d, account)
	if err != nil {
		return err
	}
	m, err := c.receive()
	if err != nil {
		return err
	}
	if m.Commit == nil || string(m.Commit.Tx) != string(t.Bytes()) {
		return unexpected("word that the claim is committed")
	}
	armed, err := d.Arm(account, m.Commit.Tx, m.Commit.Height)
	if err != nil {
		return &Error{Kind: NotArmed, Detail: err.Error(), Cause: err}
	}
	return c.send(message{Armed: &armed})
}

// offer answers a hello with the device's keys.
func (c *conversation) offer(d Claimed) (key.AccountID, error) {
	m, err := c.receive()
	if err != nil {
		return key.AccountID{}, err
	}
	if m.Hello == nil {
		return key.AccountID{}, unexpected("a hello")
	}
	h := m.Hello
	if h.Version != Version {
		return h.Account, refuse(BadMessage, "pairing version %d, this device speaks %d", h.Version, Version)
	}
	if h.Chain != d.Chain {
		return h.Account, refuse(WrongChain, "the wallet belongs to another ledger than this device")
	}
	if d.Owned() {
		return h.Account, refuse(AlreadyOwned, "the device has an owner, who must release it first")
	}
	c.note(h)
	f := offer{Device: d.Key.Public(), SealKey: d.SealKey, Model: d.Model, Nonce: nonce(), Batch: d.Batch}
	c.note(f)
	f.Sig, f.Proof = d.Key.Sign([32]byte(c.transcript)), c.proof(proofDevice)
	return h.Account, c.send(message{Offer: &f})
}

// sign checks that the wallet knows the secret and wants just this: to claim
// this device for the account that said hello.
func (c *conversation) sign(d Claimed, account key.AccountID) (*tx.Tx, error) {
	m, err := c.receive()
	if err != nil {
		return nil, err
	}
	if m.Claim == nil {
		return nil, unexpected("a claim")
	}
	c.note(m.Claim.Tx)
	if err := c.proved(proofWallet, m.Claim.Proof); err != nil {
		return nil, err
	}
	t, err := tx.Decode(m.Claim.Tx)
	if err != nil {
		return nil, refuse(BadClaim, "%v", err)
	}
	p, ok := t.Payload.(*tx.Claim)
	if !ok || p.Device != d.Key.Public().DeviceID() || t.Body.Account != account {
		return nil, refuse(BadClaim, "not a claim of this device by the account that said hello")
	}
	// Another batch would name another maker.
	if p.Batch != nil && (d.Batch == nil || !reflect.DeepEqual(p.Batch, d.Batch)) {
		return nil, refuse(BadClaim, "a claim from another batch than this device's")
	}
	t.Sign(d.Chain, tx.RoleDevice, d.Key)
	id := d.Key.Public().ID()
	for _, s := range t.Sigs {
		if s.Role != tx.RoleDevice || s.Key != id {
			continue
		}
		if err := d.Keep(account, t.Bytes()); err != nil {
			return nil, &Error{Kind: NotArmed, Detail: "the device cannot keep the claim", Cause: err}
		}
		return t, c.send(message{Signed: &signed{Sig: s}})
	}
	panic("pairing: own signature is missing")
}
