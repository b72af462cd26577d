package account

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is what one argon2id hash takes.
type Cost struct {
	// MemoryKiB is the memory in KiB, Passes the iterations, Lanes the
	// parallelism.
	MemoryKiB, Passes uint32
	Lanes             uint8
}

// DefaultCost is used for new passwords: the memory-constrained choice of
// RFC 9106, with one lane.
func DefaultCost() Cost { return Cost{MemoryKiB: 64 << 10, Passes: 3, Lanes: 1} }

type hash struct {
	cost      Cost
	salt, sum []byte
}

// HashPassword makes the PHC string of a new password with fresh salt from rand.
func HashPassword(rand io.Reader, password []byte, cost Cost) (string, error) {
	if len(password) < minPassword || len(password) > maxPassword {
		return "", refuse(BadPassword, "a password has %d to %d bytes", minPassword, maxPassword)
	}
	salt := make([]byte, 16)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return "", fmt.Errorf("read salt: %w", err)
	}
	h := hash{cost: cost, salt: salt}
	h.sum = h.derive(password, 32)
	text := h.String()
	if _, err := parseHash(text); err != nil {
		return "", err
	}
	return text, nil
}

func (h hash) derive(password []byte, size int) []byte {
	return argon2.IDKey(password, h.salt, h.cost.Passes, h.cost.MemoryKiB, h.cost.Lanes, uint32(size))
}

func (h hash) matches(password []byte) bool {
	return subtle.ConstantTimeCompare(h.sum, h.derive(password, len(h.sum))) == 1
}

// String is the PHC form, of which parseHash accepts exactly this spelling.
func (h hash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.MemoryKiB, h.cost.Passes, h.cost.Lanes, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

func parseHash(text string) (hash, error) {
	parts := strings.Split(text, "$")
	if len(text) > maxHashText || len(parts) != 6 {
		return hash{}, refuse(BadHash, "not a PHC string")
	}
	var h hash
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.cost.MemoryKiB, &h.cost.Passes, &h.cost.Lanes); n != 3 || err != nil {
		return hash{}, refuse(BadHash, "cost is not m=,t=,p=")
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return hash{}, refuse(BadHash, "salt is not base64")
	}
	if h.sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return hash{}, refuse(BadHash, "sum is not base64")
	}
	c := h.cost
	switch {
	case c.MemoryKiB < minMemoryKiB || c.MemoryKiB > maxMemoryKiB:
		return hash{}, refuse(BadHash, "memory of %d KiB is out of bounds", c.MemoryKiB)
	case c.Passes < 1 || c.Passes > maxPasses || c.Lanes < 1 || c.Lanes > maxLanes:
		return hash{}, refuse(BadHash, "passes or lanes out of bounds")
	case len(h.salt) < minSalt || len(h.salt) > maxSalt || len(h.sum) < minSum || len(h.sum) > maxSum:
		return hash{}, refuse(BadHash, "salt or sum out of bounds")
	case h.String() != text:
		return hash{}, refuse(BadHash, "not spelled as argon2id v=19 in plain PHC form")
	}
	return h, nil
}
