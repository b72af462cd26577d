package pairing

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

// SecretSize is the length of a claim secret. 128 random bits cannot be
// guessed, so proofs of it need no slow hash.
const SecretSize = 16

// Code is what a device shows, as text and as QR: who it is, which ledger it
// obeys, the secret that proves that one stands before it, and where to reach
// it. Whoever has seen the code of an unowned device can own it.
//
// Evolution: fields 1 to 6 are fixed; new ones are optional.
type Code struct {
	Version uint8             `cbor:"1,keyasint"`
	Device  key.DeviceID      `cbor:"2,keyasint"` // hash of the device key
	ChainID string            `cbor:"3,keyasint"`
	Chain   codec.ChainDigest `cbor:"4,keyasint"` // covers the genesis hash
	Secret  [SecretSize]byte  `cbor:"5,keyasint"`
	Addrs   []string          `cbor:"6,keyasint"` // multiaddrs that end in /p2p/<peer id>
}

// codePrefix begins the text form. All its characters are in the QR
// alphanumeric set, which makes the picture small.
const codePrefix = "HOS1:"

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

const checksumSize = 4

// String is the text form: "HOS1:", then base32 (RFC 4648) of the canonical
// encoding and the first 4 bytes of its SHA-256, against typing errors.
func (c Code) String() string {
	raw := codec.MustMarshal(c)
	sum := sha256.Sum256(raw)
	return codePrefix + base32Text.EncodeToString(append(raw, sum[:checksumSize]...))
}

// ParseCode reads the text form. Case and white space do not matter, since
// people copy it.
func ParseCode(s string) (Code, error) {
	var c Code
	if len(s) > maxCodeText {
		return c, refuse(BadCode, "longer than %d characters", maxCodeText)
	}
	s = strings.ToUpper(strings.Join(strings.Fields(s), ""))
	text, ok := strings.CutPrefix(s, codePrefix)
	if !ok {
		return c, refuse(BadCode, "does not begin with %s", codePrefix)
	}
	raw, err := base32Text.DecodeString(text)
	if err != nil || len(raw) <= checksumSize {
		return c, refuse(BadCode, "has characters that do not belong into a code, or is cut off")
	}
	body, check := raw[:len(raw)-checksumSize], raw[len(raw)-checksumSize:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:checksumSize], check) {
		return c, refuse(BadCode, "has a typing error or is cut off")
	}
	if err := codec.Unmarshal(body, &c, maxCodeBytes); err != nil {
		return Code{}, refuse(BadCode, "%v", err)
	}
	if c.Version != Version || c.Device.IsZero() || len(c.Addrs) > maxAddrs {
		return Code{}, refuse(BadCode, "is of another version or incomplete")
	}
	return c, nil
}
