package peripheral

import (
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// Class says how fresh the ledger's word must be before a method runs. The zero
// value is the strictest that this version carries out.
type Class uint8

// The classes of design section 8.
const (
	// Access is R2: 60 s, and never behind the newest head that the device
	// knows.
	Access Class = iota
	// Comfort is R1: one hour.
	Comfort
	// Read is R0: 24 hours.
	Read
	// Sealed is R3: as Access, and the command itself is sealed in a block. No
	// method asks for it but by its owner's policy.
	Sealed
)

// Age is how old the head may be under which a right was proven.
func (c Class) Age() time.Duration {
	switch c {
	case Read:
		return 24 * time.Hour
	case Comfort:
		return time.Hour
	default:
		return time.Minute
	}
}

// String is the class's name in the design.
func (c Class) String() string {
	switch c {
	case Read:
		return "R0"
	case Comfort:
		return "R1"
	case Access:
		return "R2"
	case Sealed:
		return "R3"
	default:
		return fmt.Sprintf("class_%d", uint8(c))
	}
}

// strictness is the class's number in the design.
func (c Class) strictness() tx.Freshness {
	switch c {
	case Read:
		return tx.FreshRead
	case Comfort:
		return tx.FreshComfort
	case Access:
		return tx.FreshAccess
	default:
		return tx.FreshSealed
	}
}

// AtLeast is the stricter of two classes.
func (c Class) AtLeast(d Class) Class {
	if d.strictness() > c.strictness() {
		return d
	}
	return c
}

// ClassFor is the class of a policy's number; one that is not known is the
// strictest.
func ClassFor(f tx.Freshness) Class {
	for _, c := range []Class{Read, Comfort, Access} {
		if c.strictness() == f {
			return c
		}
	}
	return Sealed
}
