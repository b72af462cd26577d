package light

import (
	"bytes"
	"crypto/ed25519"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
)

// verify decides whether b can be trusted from a. It is pure but for the
// clock that the configuration gives.
func (c *Client) verify(a anchor, b *Block) error {
	now := c.cfg.Now()
	if !a.time.Add(c.cfg.Period).After(now) {
		return refuse(AnchorExpired, "the trusted header is of %s, the trusting period %s", a.time.UTC(), c.cfg.Period)
	}
	if b.Header.Height <= a.height || !b.Header.Time.After(a.time) && a.height > 0 {
		return refuse(BadHeader, "height %d or its time does not follow %d", b.Header.Height, a.height)
	}
	if b.Header.Time.After(now.Add(c.cfg.Drift)) {
		return refuse(FromFuture, "header of %s, the time is %s", b.Header.Time.UTC(), now.UTC())
	}
	if b.Header.Height == a.height+1 {
		if !bytes.Equal(b.Header.ValidatorsHash, a.nextHash) {
			return refuse(BadHeader, "validators of height %d are not those announced", b.Header.Height)
		}
		_, err := b.signers(nil)
		return err
	}
	known, err := b.signers(a.vals)
	if err != nil {
		return err
	}
	// A third, as the specification allows, is not enough: the forged header may
	// name a set of the forgers alone, and there is no witness to ask. With two
	// thirds, whoever can change the set could have signed honestly as well.
	if total := totalPower(a.vals); known*3 <= total*2 {
		return refuse(TooFewKnown, "%d of %d trusted power signed height %d, want more than two thirds", known, total, b.Header.Height)
	}
	return nil
}

// signers demands that more than two thirds of b's own validators signed it,
// and gives the power that the signers have in the known set. Signatures are
// checked until both can be told; an invalid one refuses the block, since no
// honest node stores such a commit.
func (b *Block) signers(known []validator) (int64, error) {
	powers := make(map[string]int64, len(known))
	for _, v := range known {
		powers[string(v.key)] = v.power
	}
	total, enough := totalPower(b.vals), totalPower(known)
	var signed, common int64
	for i, s := range b.commit.Signatures {
		if s.BlockIdFlag != cmtproto.BlockIDFlagCommit {
			continue
		}
		if signed*3 > total*2 && (known == nil || common*3 > enough*2) {
			break
		}
		v := b.vals[i]
		if !bytes.Equal(s.ValidatorAddress, v.address[:]) {
			return 0, refuse(BadCommit, "signature %d is by another validator", i)
		}
		msg, err := b.signBytes(i)
		if err != nil {
			return 0, err
		}
		if !ed25519.Verify(v.key, msg, s.Signature) {
			return 0, refuse(BadCommit, "signature %d does not match", i)
		}
		signed += v.power
		common += powers[string(v.key)]
	}
	if signed*3 <= total*2 {
		return 0, refuse(BadCommit, "%d of %d power signed height %d, want more than two thirds", signed, total, b.Header.Height)
	}
	return common, nil
}

func totalPower(vals []validator) (sum int64) {
	for _, v := range vals {
		sum += v.power
	}
	return sum
}
