package light

import (
	"errors"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/proof"
)

// Evidence is what somebody who can ask nodes brings to a client that cannot:
// headers that lead from the client's head to a newer one, and records under that.
// Nothing in it is believed that the client would not believe a node.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type Evidence struct {
	Blocks [][]byte   `cbor:"1,keyasint"`           // CometBFT protobuf light blocks, each to be verified from the one before
	Proofs []KeyProof `cbor:"2,keyasint,omitempty"` // under the last block, or the client's head if there is none
	Vouch  []byte     `cbor:"3,keyasint,omitempty"` // an owner's word for the first block, see Voucher
}

// KeyProof is an ics23 proof of what stands under a key, or that nothing does;
// the value is in the proof.
type KeyProof struct {
	Key   []byte `cbor:"1,keyasint"`
	Proof []byte `cbor:"2,keyasint"`
}

// Voucher judges an owner's word for a header, where the trusting period is over
// and signatures of validators alone are not enough any more.
type Voucher func(vouch []byte, h Head) error

// Caps bound evidence.
type Caps struct {
	Bytes, Steps, Proofs int
}

// CommandCaps are those of evidence that comes with a command.
var CommandCaps = Caps{Bytes: MaxEvidence, Steps: MaxSteps, Proofs: MaxProofs}

// DecodeEvidence reads evidence and checks its shape; kind BadEvidence.
func DecodeEvidence(raw []byte, caps Caps) (*Evidence, error) {
	e := new(Evidence)
	if err := codec.Unmarshal(raw, e, caps.Bytes); err != nil {
		return nil, refuse(BadEvidence, "%v", err)
	}
	if len(e.Blocks) > caps.Steps || len(e.Proofs) > caps.Proofs || len(e.Blocks)+len(e.Proofs) == 0 {
		return nil, refuse(BadEvidence, "%d headers and %d proofs", len(e.Blocks), len(e.Proofs))
	}
	return e, nil
}

// Bytes is the canonical encoding.
func (e *Evidence) Bytes() []byte { return codec.MustMarshal(e) }

// Present moves the head along the headers of evidence and keeps what it proves
// for views under the new head. Headers that were verified before a bad one stay
// verified. A nil voucher believes nobody.
func (c *Client) Present(raw []byte, believe Voucher) error {
	e, err := DecodeEvidence(raw, CommandCaps)
	if err != nil {
		return err
	}
	return c.Accept(e, believe)
}

// Accept is Present for evidence that has been decoded.
func (c *Client) Accept(e *Evidence, believe Voucher) error {
	c.fetching.Lock()
	defer c.fetching.Unlock()
	last := c.Head().Height
	for i, raw := range e.Blocks {
		b, err := DecodeBlock(c.cfg.Genesis.ChainID, raw)
		if err != nil {
			return err
		}
		if last = b.Header.Height; last <= c.Head().Height {
			if err := c.checkFork(b); err != nil {
				return err
			}
			continue
		}
		err = c.verify(c.anchor(), b)
		if i == 0 && e.Vouch != nil && errors.Is(err, AnchorExpired) {
			err = c.vouched(b, e.Vouch, believe)
		}
		if err != nil {
			return err
		}
		if err := c.advance(b); err != nil {
			return err
		}
	}
	if last != c.Head().Height {
		return nil // proofs under an older head show what may have changed
	}
	return c.keep(e.Proofs)
}

// vouched takes a header on an owner's word, after the trusting period. It must
// be good in itself, newer than the head and not so old that it would be of no
// use.
func (c *Client) vouched(b *Block, vouch []byte, believe Voucher) error {
	now, a := c.cfg.Now(), c.anchor()
	switch {
	case believe == nil:
		return refuse(AnchorExpired, "nobody's word for a header is taken")
	case b.Header.Height <= a.height || !b.Header.Time.After(a.time):
		return refuse(BadHeader, "height %d or its time does not follow %d", b.Header.Height, a.height)
	case b.Header.Time.After(now.Add(c.cfg.Drift)):
		return refuse(FromFuture, "header of %s, the time is %s", b.Header.Time.UTC(), now.UTC())
	case !b.Header.Time.Add(c.cfg.Period).After(now):
		return refuse(AnchorExpired, "the header is itself of %s", b.Header.Time.UTC())
	}
	if _, err := b.signers(nil); err != nil {
		return err
	}
	return believe(vouch, b.Head())
}

// Expired reports whether the head is so old that no header follows from it any
// more without an owner's word. A client without a head counts from its genesis
// document.
func (c *Client) Expired() bool { return !c.anchor().time.Add(c.cfg.Period).After(c.cfg.Now()) }

// keep verifies proofs under the head and keeps what they show.
func (c *Client) keep(proofs []KeyProof) error {
	c.mu.Lock()
	head := c.head
	c.mu.Unlock()
	if head == nil {
		return refuse(NoHead, "no header has been verified yet")
	}
	for _, p := range proofs {
		value, err := proof.Read(head.Header.AppHash, p.Key, p.Proof)
		if err != nil {
			return refuse(BadProof, "record %x: %v", p.Key, err)
		}
		c.cache(head, p.Key, value)
	}
	return nil
}
