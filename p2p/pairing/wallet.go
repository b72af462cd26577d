package pairing

import (
	"io"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Owner is the wallet's half of a pairing.
type Owner struct {
	Chain   codec.ChainDigest
	Account key.AccountID
	// Claim builds the claim of the device and signs it with the owner's keys.
	Claim func(Peer) (*tx.Tx, error)
	// Commit submits the claim, signed by both, and returns the height at which
	// it was committed.
	Commit func(*tx.Tx) (uint64, error)
}

// Wallet pairs with the device that showed the code. The caller sets deadlines
// on rw. On success the ledger records the account as owner, and the device has
// said that it obeys it.
func Wallet(rw io.ReadWriter, code Code, o Owner) (Peer, Armed, error) {
	if code.Chain != o.Chain {
		return Peer{}, Armed{}, refuse(WrongChain, "the device belongs to another ledger than this wallet")
	}
	c := newConversation(rw, o.Chain, code.Secret[:])
	peer, err := c.meet(code, o)
	if err != nil {
		return Peer{}, Armed{}, c.refusing(err)
	}
	t, err := o.Claim(peer)
	if err != nil {
		return peer, Armed{}, c.refusing(refuse(Cancelled, "%v", err))
	}
	if err := c.collect(peer, o, t); err != nil {
		return peer, Armed{}, c.refusing(err)
	}
	height, err := o.Commit(t)
	if err != nil {
		return peer, Armed{}, c.refusing(&Error{Kind: NotCommitted, Detail: err.Error(), Cause: err})
	}
	if err := c.send(message{Commit: &commit{Tx: t.Bytes(), Height: height}}); err != nil {
		return peer, Armed{}, err
	}
	m, err := c.receive()
	if err == nil && m.Armed == nil {
		err = unexpected("the device's word that it is armed")
	}
	if err != nil {
		return peer, Armed{}, err
	}
	return peer, *m.Armed, nil
}

// meet checks that the other side is the device of the code.
func (c *conversation) meet(code Code, o Owner) (Peer, error) {
	h := &hello{Version: Version, Chain: o.Chain, Nonce: nonce(), Account: o.Account}
	c.note(h)
	if err := c.send(message{Hello: h}); err != nil {
		return Peer{}, err
	}
	m, err := c.receive()
	if err != nil {
		return Peer{}, err
	}
	if m.Offer == nil {
		return Peer{}, unexpected("an offer")
	}
	f := *m.Offer
	if err := f.Device.Validate(); err != nil || f.Device.DeviceID() != code.Device {
		return Peer{}, refuse(WrongDevice, "the key is not that of the pairing code")
	}
	c.note(f.unproved())
	if err := f.Device.Verify([32]byte(c.transcript), f.Sig); err != nil {
		return Peer{}, refuse(WrongDevice, "the device did not sign the conversation: %v", err)
	}
	if err := c.proved(proofDevice, f.Proof); err != nil {
		return Peer{}, err
	}
	if f.Batch != nil && (f.Batch.Validate() != nil || !f.Batch.Key.Equal(f.Device) || f.Batch.SealKey != f.SealKey) {
		return Peer{}, refuse(BadMessage, "the device's proof of its batch is not its own")
	}
	return Peer{Device: f.Device, SealKey: f.SealKey, Model: f.Model, Batch: f.Batch}, nil
}

// unproved is the part of an offer that signature and proof cover.
func (f offer) unproved() offer {
	f.Sig, f.Proof = nil, [32]byte{}
	return f
}

// collect gets the device's signature of t.
func (c *conversation) collect(peer Peer, o Owner, t *tx.Tx) error {
	raw := t.Bytes()
	c.note(raw)
	if err := c.send(message{Claim: &claim{Tx: raw, Proof: c.proof(proofWallet)}}); err != nil {
		return err
	}
	m, err := c.receive()
	if err != nil {
		return err
	}
	if m.Signed == nil || m.Signed.Sig.Role != tx.RoleDevice || m.Signed.Sig.Key != peer.Device.ID() {
		return unexpected("the device's signature of the claim")
	}
	if err := peer.Device.Verify(t.Digest(o.Chain), m.Signed.Sig.Bytes); err != nil {
		return refuse(WrongDevice, "the device's signature of the claim: %v", err)
	}
	t.AddSig(m.Signed.Sig)
	return nil
}
