package keystore

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/cosmos/go-bip39"

	"github.com/hybridos-net/hybridos/chain/key"
)

const (
	// EntropySize is the length of the secret behind 24 words.
	EntropySize = 32
	wordCount   = 24

	// deriveSalt and deriveInfo stand in docs/spec/keystore.md; another value
	// would make another key of the same words.
	deriveSalt = "hybridos/wallet/v1"
	deriveInfo = "account key"
)

// Words gives the 24 words of BIP-39 that stand for entropy.
func Words(entropy []byte) (string, error) {
	if len(entropy) != EntropySize {
		return "", refuse(BadWords, fmt.Sprintf("%d bytes of entropy, want %d", len(entropy), EntropySize))
	}
	return bip39.NewMnemonic(entropy)
}

// ParseWords gives the entropy behind 24 words. Case and white space do not
// matter; a wrong word is named, but only by its place, since what was typed
// may be a secret that went into the wrong prompt.
func ParseWords(text string) ([]byte, error) {
	words := strings.Fields(strings.ToLower(text))
	if len(words) != wordCount {
		return nil, refuse(BadWords, fmt.Sprintf("%d words, want %d", len(words), wordCount))
	}
	for i, w := range words {
		if _, ok := bip39.ReverseWordMap[w]; !ok {
			return nil, refuse(BadWords, fmt.Sprintf("word %d is not in the BIP-39 list", i+1))
		}
	}
	withChecksum, err := bip39.MnemonicToByteArray(strings.Join(words, " "))
	if err != nil {
		return nil, refuse(BadWords, "the checksum is wrong: a word is mistyped or out of order")
	}
	// 264 bits: 32 bytes of entropy, then one of checksum.
	return withChecksum[:EntropySize], nil
}

// deriveKey makes the account key of entropy: the BIP-39 seed of its words
// without a BIP-39 passphrase, expanded by HKDF-SHA256 (RFC 5869). A counter
// skips the one in 2^128 values that are no secp256k1 secret.
func deriveKey(entropy []byte) (*key.Private, error) {
	words, err := Words(entropy)
	if err != nil {
		return nil, err
	}
	seed := bip39.NewSeed(words, "")
	defer clear(seed)
	for counter := range 256 {
		info := deriveInfo + "\x00" + string([]byte{byte(counter)})
		secret, err := hkdf.Key(sha256.New, seed, []byte(deriveSalt), info, 32)
		if err != nil {
			return nil, fmt.Errorf("derive key: %w", err)
		}
		k, err := key.FromBytes(secret)
		clear(secret)
		if err == nil {
			return k, nil
		}
	}
	return nil, refuse(BadWords, "no key follows from these words")
}
