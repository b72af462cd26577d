package tx

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

// SetParams sets how much an account may write (chain/state, Quota).
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type SetParams struct {
	Base      uint64 `cbor:"1,keyasint"` // units in a period of every account
	PerDevice uint64 `cbor:"2,keyasint"` // units more for each device that it owns
	Period    uint64 `cbor:"3,keyasint"` // seconds of block time
}

// Name is "set-params".
func (*SetParams) Name() string { return "set-params" }

// validate keeps every account able to write something now and then: without
// that, an owner could not even take a stolen key's rights away.
func (a *SetParams) validate() error {
	switch {
	case a.Base < MinQuotaBase || a.Base > MaxQuotaUnits:
		return malformed(fmt.Sprintf("a base of %d units, want %d to %d", a.Base, MinQuotaBase, MaxQuotaUnits))
	case a.PerDevice > MaxQuotaUnits:
		return malformed(fmt.Sprintf("%d units for a device, at most %d", a.PerDevice, MaxQuotaUnits))
	case a.Period < MinQuotaPeriod || a.Period > MaxQuotaPeriod:
		return malformed(fmt.Sprintf("a period of %d s, want %d to %d", a.Period, MinQuotaPeriod, MaxQuotaPeriod))
	}
	return nil
}

// ScheduleUpgrade names the programs with which every node executes the blocks
// from a height on.
//
// Evolution: fields 1 to 4 are fixed; new ones are optional.
type ScheduleUpgrade struct {
	Upgrade string     `cbor:"1,keyasint"` // a name that no upgrade had before
	Height  uint64     `cbor:"2,keyasint"` // of the first block that the new program executes
	Hashes  [][32]byte `cbor:"3,keyasint"` // SHA-256 of hosd, one for each platform, ascending
	URL     string     `cbor:"4,keyasint,omitempty"`
}

// Name is "schedule-upgrade".
func (*ScheduleUpgrade) Name() string { return "schedule-upgrade" }

func (a *ScheduleUpgrade) validate() error {
	if !ValidName(a.Upgrade) {
		return malformed("an upgrade's name must be 1 to 64 of a-z, 0-9, '_', '-' and '.'")
	}
	if a.Height == 0 || a.Height > MaxHeight {
		return malformed(fmt.Sprintf("upgrade at height %d", a.Height))
	}
	if len(a.Hashes) == 0 || len(a.Hashes) > MaxPlatforms {
		return malformed(fmt.Sprintf("%d programs, want 1 to %d", len(a.Hashes), MaxPlatforms))
	}
	for i, h := range a.Hashes {
		if h == [32]byte{} || i > 0 && string(a.Hashes[i-1][:]) >= string(h[:]) {
			return malformed("hashes of programs missing, repeated or out of order")
		}
	}
	if a.URL != "" && !validURL(a.URL) {
		return malformed(fmt.Sprintf("address %q is not https:// and printable ASCII without spaces", a.URL))
	}
	return nil
}

// CancelUpgrade takes an upgrade that is not carried out yet off the schedule.
//
// Evolution: field 1 is fixed; new ones are optional.
type CancelUpgrade struct {
	Upgrade string `cbor:"1,keyasint"`
}

// Name is "cancel-upgrade".
func (*CancelUpgrade) Name() string { return "cancel-upgrade" }

func (a *CancelUpgrade) validate() error {
	if !ValidName(a.Upgrade) {
		return malformed("no upgrade")
	}
	return nil
}

// NewGovernor is a governor of a new council. Who is none yet proves that
// somebody holds the key, or a threshold might never be reached.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type NewGovernor struct {
	GovernorName string        `cbor:"1,keyasint"`
	Key          key.Public    `cbor:"2,keyasint"`
	Proof        key.Signature `cbor:"3,keyasint,omitempty"` // over GovernorDigest; needless for who is a governor
}

// SetGovernors replaces the governors and their threshold.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type SetGovernors struct {
	Threshold uint8         `cbor:"1,keyasint"`
	Governors []NewGovernor `cbor:"2,keyasint"`
}

// Name is "set-governors".
func (*SetGovernors) Name() string { return "set-governors" }

func (a *SetGovernors) validate() error {
	if len(a.Governors) == 0 || len(a.Governors) > MaxKeys || a.Threshold == 0 || int(a.Threshold) > len(a.Governors) {
		return malformed(fmt.Sprintf("threshold %d of %d governors", a.Threshold, len(a.Governors)))
	}
	seen := make(map[key.KeyID]bool, len(a.Governors))
	for _, g := range a.Governors {
		if !validModel(g.GovernorName) {
			return malformed("a governor's name must be 1 to 64 printable ASCII characters")
		}
		if err := fullKey(g.Key, "a governor's"); err != nil {
			return err
		}
		if n := len(g.Proof); n != 0 && n != proofSize {
			return malformed(fmt.Sprintf("a proof of %d bytes", n))
		}
		if seen[g.Key.ID()] {
			return malformed("a key stands twice")
		}
		seen[g.Key.ID()] = true
	}
	return nil
}

// GovernorDigest is what a key signs to prove that somebody holds it who would
// be a governor of the ledger.
func GovernorDigest(chain codec.ChainDigest, k key.Public) [32]byte {
	return codec.Digest(codec.LabelGovernor, chain, codec.MustMarshal(k))
}
