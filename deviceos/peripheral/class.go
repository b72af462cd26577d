package peripheral

import (
	"fmt"
	"time"
)

// Class says how fresh the ledger's word must be before a method runs. The zero
// value is the strictest that this version carries out.
type Class uint8

// The classes of design section 8. R3 (sealed in a block) has no methods yet.
const (
	// Access is R2: 60 s, and never behind the newest head that the device
	// knows.
	Access Class = iota
	// Comfort is R1: one hour.
	Comfort
	// Read is R0: 24 hours.
	Read
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
	default:
		return fmt.Sprintf("class_%d", uint8(c))
	}
}
