package key

import (
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

// IDSize is the length of every id in bytes.
const IDSize = 20

// Human-readable parts of the text forms (BIP-350 bech32m).
const (
	prefixAccount = "hosacc"
	prefixDevice  = "hosdev"
	prefixKey     = "hoskey"
	prefixPublic  = "hospub"
)

// AccountID names an account: the hash of its first public key.
type AccountID [IDSize]byte

// DeviceID names a device: the hash of its public key.
type DeviceID [IDSize]byte

// KeyID names a single key.
type KeyID [IDSize]byte

// String is the text form, "hosacc1…".
func (id AccountID) String() string { return encodeText(prefixAccount, id[:]) }

// String is the text form, "hosdev1…".
func (id DeviceID) String() string { return encodeText(prefixDevice, id[:]) }

// String is the text form, "hoskey1…".
func (id KeyID) String() string { return encodeText(prefixKey, id[:]) }

// IsZero reports whether id is unset.
func (id AccountID) IsZero() bool { return id == AccountID{} }

// IsZero reports whether id is unset.
func (id DeviceID) IsZero() bool { return id == DeviceID{} }

// ParseAccountID reads the text form.
func ParseAccountID(s string) (AccountID, error) {
	b, err := parseID(prefixAccount, s)
	return AccountID(b), err
}

// ParseDeviceID reads the text form.
func ParseDeviceID(s string) (DeviceID, error) {
	b, err := parseID(prefixDevice, s)
	return DeviceID(b), err
}

// ParseKeyID reads the text form.
func ParseKeyID(s string) (KeyID, error) {
	b, err := parseID(prefixKey, s)
	return KeyID(b), err
}

// MarshalText gives the text form, for JSON.
func (id AccountID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText gives the text form, for JSON.
func (id DeviceID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText gives the text form, for JSON.
func (id KeyID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form.
func (id *AccountID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseAccountID(string(b))
	return err
}

// UnmarshalText reads the text form.
func (id *DeviceID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseDeviceID(string(b))
	return err
}

// UnmarshalText reads the text form.
func (id *KeyID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseKeyID(string(b))
	return err
}

func parseID(prefix, s string) (id [IDSize]byte, err error) {
	raw, err := decodeText(prefix, s, maxIDText)
	if err != nil {
		return id, err
	}
	if len(raw) != IDSize {
		return id, &Error{Kind: BadText, Detail: fmt.Sprintf("%d bytes in the id, want %d", len(raw), IDSize)}
	}
	return [IDSize]byte(raw), nil
}

func encodeText(prefix string, b []byte) string {
	five, err := bech32.ConvertBits(b, 8, 5, true)
	if err != nil {
		panic("key: convert bits: " + err.Error())
	}
	s, err := bech32.EncodeM(prefix, five)
	if err != nil {
		panic("key: bech32m: " + err.Error())
	}
	return s
}

// decodeText accepts only the lower-case bech32m form, so that every id has
// one text.
func decodeText(prefix, s string, limit int) ([]byte, error) {
	if len(s) > limit || s != strings.ToLower(s) {
		return nil, &Error{Kind: BadText, Detail: "too long or not in lower case"}
	}
	hrp, five, version, err := bech32.DecodeNoLimitWithVersion(s) // limited above: our longest text is over BIP-173's 90
	if err != nil {
		return nil, &Error{Kind: BadText, Detail: fmt.Sprintf("damaged or cut off, want the whole of %s1…: %v", prefix, err)}
	}
	if version != bech32.VersionM {
		return nil, &Error{Kind: BadText, Detail: "bech32 checksum, want bech32m"}
	}
	if hrp != prefix {
		return nil, &Error{Kind: BadText, Detail: fmt.Sprintf("starts with %q, want %q", hrp, prefix)}
	}
	raw, err := bech32.ConvertBits(five, 5, 8, false)
	if err != nil {
		return nil, &Error{Kind: BadText, Detail: err.Error()}
	}
	return raw, nil
}
