package state

import (
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// Upgrades is the schedule of upgrades. What stands as next and has a height
// that the ledger has reached is carried out; it moves to the done ones with
// the next schedule.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Upgrades struct {
	Next *Upgrade      `cbor:"1,keyasint,omitempty"`
	Done []DoneUpgrade `cbor:"2,keyasint"` // oldest first
}

// Upgrade is the programs that execute the blocks from a height on.
//
// Evolution: fields 1 to 4 are fixed; new ones are optional.
type Upgrade struct {
	Name   string     `cbor:"1,keyasint"`
	Height int64      `cbor:"2,keyasint"` // of the first block
	Hashes [][32]byte `cbor:"3,keyasint"` // SHA-256 of hosd, one for each platform, ascending
	URL    string     `cbor:"4,keyasint,omitempty"`
}

// DoneUpgrade is an upgrade of before.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type DoneUpgrade struct {
	Name   string `cbor:"1,keyasint"`
	Height int64  `cbor:"2,keyasint"`
}

// Wants reports whether a program of the given SHA-256 is one of the upgrade's.
func (u Upgrade) Wants(binary [32]byte) bool { return slices.Contains(u.Hashes, binary) }

// GetUpgrades reads the schedule; it is empty if nothing ever was scheduled.
func GetUpgrades(v View) (r Upgrades, err error) {
	_, err = find(v, UpgradeKey(), &r)
	return r, err
}

// Pending is the upgrade that is still to come after the block of a height; nil
// if there is none.
func (u Upgrades) Pending(height int64) *Upgrade {
	if u.Next == nil || u.Next.Height <= height {
		return nil
	}
	return u.Next
}

// Rules is the version of the ledger's rules by which the block of a height is
// executed: 1, and one more for each upgrade up to it. A program that changes a
// rule asks here, so that it executes the blocks of before as its forerunners
// did. The same number is the application version in the header after.
func (u Upgrades) Rules(height int64) uint64 {
	n := 1 + uint64(len(u.Done))
	if u.Next != nil && u.Next.Height <= height {
		n++
	}
	return n
}

func scheduleUpgrade(s Tree, b Block, a *tx.ScheduleUpgrade) error {
	u, err := GetUpgrades(s)
	if err != nil {
		return err
	}
	if next := u.Pending(b.Height); next != nil {
		return &Error{Kind: UpgradeExists, Detail: fmt.Sprintf("%q is scheduled for block %d; cancel it first", next.Name, next.Height)}
	}
	if u.Next != nil {
		u.Done, u.Next = append(u.Done, DoneUpgrade{Name: u.Next.Name, Height: u.Next.Height}), nil
	}
	if slices.ContainsFunc(u.Done, func(d DoneUpgrade) bool { return d.Name == a.Upgrade }) {
		return &Error{Kind: UpgradeExists, Detail: fmt.Sprintf("%q has been carried out", a.Upgrade)}
	}
	if len(u.Done) >= MaxUpgrades {
		return &Error{Kind: UpgradeExists, Detail: fmt.Sprintf("the ledger has had %d upgrades", len(u.Done))}
	}
	if int64(a.Height) < b.Height+MinUpgradeNotice {
		return &Error{Kind: UpgradeLate, Detail: fmt.Sprintf("upgrade at %d, this is block %d, and %d must lie between", a.Height, b.Height, MinUpgradeNotice)}
	}
	u.Next = &Upgrade{Name: a.Upgrade, Height: int64(a.Height), Hashes: a.Hashes, URL: a.URL}
	return put(s, UpgradeKey(), u)
}

func cancelUpgrade(s Tree, b Block, a *tx.CancelUpgrade) error {
	u, err := GetUpgrades(s)
	if err != nil {
		return err
	}
	if next := u.Pending(b.Height); next == nil || next.Name != a.Upgrade {
		return &Error{Kind: NoUpgrade, Detail: fmt.Sprintf("%q is not to come", a.Upgrade)}
	}
	u.Next = nil
	return put(s, UpgradeKey(), u)
}
