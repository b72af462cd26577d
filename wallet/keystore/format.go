package keystore

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

// The file is: magic line, length of the header (uint32, big-endian), header,
// sealed secrets, SHA-256 of all before. docs/spec/keystore.md has the bytes.
const (
	magicName = "hybridos-keystore/"
	magic     = magicName + "1\n"
	sumSize   = sha256.Size
	saltSize  = 16

	kdfArgon2id = 1 // argon2id, version 1.3 of the algorithm (RFC 9106)

	checkLabel = "hybridos/keystore/check/v1"
)

// Cost is how much work one try of a passphrase takes, with argon2id.
//
// Evolution: fields 1 to 3 are fixed.
type Cost struct {
	Time    uint32 `cbor:"1,keyasint"` // passes
	Memory  uint32 `cbor:"2,keyasint"` // KiB
	Threads uint8  `cbor:"3,keyasint"`
}

// DefaultCost is the second recommended option of RFC 9106 section 4: three
// passes over 64 MiB with four lanes.
func DefaultCost() Cost { return Cost{Time: 3, Memory: 64 << 10, Threads: 4} }

// Validate refuses a cost below the floor or above the cap.
func (c Cost) Validate() error {
	if c.Time < minTime || c.Time > maxTime || c.Memory < minMemory || c.Memory > maxMemory ||
		c.Threads < minThreads || c.Threads > maxThreads {
		return refuse(BadCost, fmt.Sprintf("argon2id with %d passes over %d KiB in %d lanes", c.Time, c.Memory, c.Threads))
	}
	return nil
}

// header stands in clear, so that public keys can be shown without the
// passphrase; it is authenticated as the associated data of the secrets.
//
// Evolution: fields 1 to 8 are fixed; new ones are optional. A change of
// meaning takes a new magic line.
type header struct {
	KDF     uint8         `cbor:"1,keyasint"`
	Cost    Cost          `cbor:"2,keyasint"`
	Salt    []byte        `cbor:"3,keyasint"` // 16 bytes, new with every write
	Nonce   []byte        `cbor:"4,keyasint"` // 24 bytes, new with every write
	Check   []byte        `cbor:"5,keyasint"` // commits to the passphrase: a wrong one is told from a damaged file
	Account key.AccountID `cbor:"6,keyasint"` // the account that the keys act for
	Keys    []key.Public  `cbor:"7,keyasint"` // public halves, in the order of the secrets
	Active  uint8         `cbor:"8,keyasint"` // index of the key that signs
}

// secrets is the sealed part.
//
// Evolution: field 1 is fixed; new ones are optional.
type secrets struct {
	Entropy [][]byte `cbor:"1,keyasint"` // 32 bytes each; docs/spec/keystore.md derives the keys
}

// file is a parsed, not yet decrypted key file.
type file struct {
	header header
	aad    []byte // everything before the sealed secrets
	sealed []byte
}

// parse reads the frame and the header and checks everything that needs no
// passphrase; above all the cost, before any of it is spent.
func parse(b []byte) (*file, error) {
	if err := checkFrame(b); err != nil {
		return nil, err
	}
	body := b[:len(b)-sumSize]
	rest := body[len(magic):]
	n := binary.BigEndian.Uint32(rest)
	if uint64(n) > uint64(len(rest)-4) {
		return nil, refuse(Corrupt, "the header is longer than the file")
	}
	f := &file{aad: body[:len(magic)+4+int(n)], sealed: rest[4+n:]}
	if err := codec.Unmarshal(rest[4:4+n], &f.header, MaxFile); err != nil {
		return nil, refuse(Corrupt, "header: "+err.Error())
	}
	return f, f.header.validate()
}

func checkFrame(b []byte) error {
	if len(b) > MaxFile {
		return refuse(Corrupt, fmt.Sprintf("more than %d bytes", MaxFile))
	}
	if !bytes.HasPrefix(b, []byte(magic)) {
		line, _, _ := strings.Cut(string(b[:min(len(b), 64)]), "\n")
		if strings.HasPrefix(line, magicName) && line != strings.TrimSpace(magic) {
			return refuse(TooNew, fmt.Sprintf("format %q", line))
		}
		return refuse(Corrupt, "not a key file")
	}
	if len(b) < len(magic)+4+sumSize {
		return refuse(Corrupt, "cut short")
	}
	sum := sha256.Sum256(b[:len(b)-sumSize])
	if !bytes.Equal(sum[:], b[len(b)-sumSize:]) {
		return refuse(Corrupt, "the checksum does not match")
	}
	return nil
}

func (h *header) validate() error {
	if h.KDF != kdfArgon2id {
		return refuse(TooNew, fmt.Sprintf("key derivation %d", h.KDF))
	}
	if err := h.Cost.Validate(); err != nil {
		return err
	}
	if len(h.Salt) != saltSize || len(h.Nonce) != chacha20poly1305.NonceSizeX || len(h.Check) != sha256.Size {
		return refuse(Corrupt, "salt, nonce or check has a wrong length")
	}
	if len(h.Keys) == 0 || len(h.Keys) > MaxKeys || int(h.Active) >= len(h.Keys) || h.Account.IsZero() {
		return refuse(Corrupt, "no keys, too many, or none active")
	}
	for _, k := range h.Keys {
		if err := k.Validate(); err != nil {
			return refuse(Corrupt, err.Error())
		}
	}
	return nil
}

// stretch spends the cost: the key that seals, and the check value.
func stretch(pass []byte, h *header) (sealKey, check []byte) {
	out := argon2.IDKey(pass, h.Salt, h.Cost.Time, h.Cost.Memory, h.Cost.Threads, 64)
	defer clear(out[32:])
	sum := sha256.Sum256(append([]byte(checkLabel+"\x00"), out[32:]...))
	return out[:32:32], sum[:]
}

// open decrypts, and proves that the public keys in the header are those of
// the secrets.
func (f *file) open(pass []byte) (*Ring, error) {
	sealKey, check := stretch(pass, &f.header)
	defer clear(sealKey)
	if subtle.ConstantTimeCompare(check, f.header.Check) != 1 {
		return nil, refuse(WrongPassphrase, "the passphrase does not open the key file")
	}
	aead, err := chacha20poly1305.NewX(sealKey)
	if err != nil {
		return nil, fmt.Errorf("cipher: %w", err)
	}
	plain, err := aead.Open(nil, f.header.Nonce, f.sealed, f.aad)
	if err != nil {
		return nil, refuse(Corrupt, "the secrets or the header were changed")
	}
	defer clear(plain)
	var s secrets
	if err := codec.Unmarshal(plain, &s, MaxFile); err != nil {
		return nil, refuse(Corrupt, "secrets: "+err.Error())
	}
	return newRing(f.header, s)
}

// seal encrypts a ring with fresh salt and nonce.
func seal(r *Ring, pass []byte, cost Cost, random io.Reader) ([]byte, error) {
	h := header{KDF: kdfArgon2id, Cost: cost, Account: r.account, Active: uint8(r.active),
		Salt: make([]byte, saltSize), Nonce: make([]byte, chacha20poly1305.NonceSizeX)}
	for _, b := range [][]byte{h.Salt, h.Nonce} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("read random: %w", err)
		}
	}
	var s secrets
	for _, e := range r.entries {
		h.Keys = append(h.Keys, e.key.Public())
		s.Entropy = append(s.Entropy, e.entropy)
	}
	var sealKey []byte
	sealKey, h.Check = stretch(pass, &h)
	defer clear(sealKey)
	aead, err := chacha20poly1305.NewX(sealKey)
	if err != nil {
		return nil, fmt.Errorf("cipher: %w", err)
	}
	head, err := codec.Marshal(h)
	if err != nil {
		return nil, err
	}
	plain, err := codec.Marshal(s)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	out := binary.BigEndian.AppendUint32([]byte(magic), uint32(len(head)))
	out = append(out, head...)
	out = append(out, aead.Seal(nil, h.Nonce, plain, out)...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}
