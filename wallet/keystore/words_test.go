package keystore

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cosmos/go-bip39"
)

// TestWords_Vectors checks the reference vectors of BIP-39: the library for all
// lengths and the seed, ours for the 24 words that we use.
func TestWords_Vectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/bip39.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Source  string      `json:"source"`
		English [][3]string `json:"english"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, v := range doc.English {
		entropy, err := hex.DecodeString(v[0])
		if err != nil {
			t.Fatal(err)
		}
		words, err := bip39.NewMnemonic(entropy)
		if err != nil || words != v[1] {
			t.Errorf("%s: words %q, %v; want %q", v[0], words, err, v[1])
		}
		if seed := hex.EncodeToString(bip39.NewSeed(v[1], "TREZOR")); seed != v[2] {
			t.Errorf("%s: seed %s, want %s", v[0], seed, v[2])
		}
		if len(entropy) != EntropySize {
			continue
		}
		ours++
		if words, err := Words(entropy); err != nil || words != v[1] {
			t.Errorf("Words(%s) = %q, %v; want %q", v[0], words, err, v[1])
		}
		back, err := ParseWords(" " + strings.ToUpper(strings.ReplaceAll(v[1], " ", "\n\t")) + "\n")
		if err != nil || hex.EncodeToString(back) != v[0] {
			t.Errorf("ParseWords(%q) = %x, %v; want %s", v[1], back, err, v[0])
		}
	}
	if len(doc.English) != 24 || ours != 8 {
		t.Errorf("%d vectors, %d of 24 words; want 24 and 8", len(doc.English), ours)
	}
}

func TestParseWords_Refuses(t *testing.T) {
	const good = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon " +
		"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art"
	cases := map[string]string{
		"empty":          "",
		"twelve words":   "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
		"a word missing": strings.TrimPrefix(good, "abandon "),
		"a word more":    good + " abandon",
		"bad checksum":   strings.TrimSuffix(good, "art") + "abandon",
		"words swapped":  strings.Replace(good, "abandon art", "art abandon", 1),
		"unknown word":   strings.TrimSuffix(good, "art") + "hunter2",
		"wrong script":   strings.TrimSuffix(good, "art") + "äbandon",
	}
	if _, err := ParseWords(good); err != nil {
		t.Fatal(err)
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ParseWords(text)
			if !errors.Is(err, BadWords) {
				t.Errorf("got %v, want %s", err, BadWords)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats what was typed: %v", err)
			}
		})
	}
	if _, err := Words(make([]byte, 16)); !errors.Is(err, BadWords) {
		t.Errorf("16 bytes of entropy: %v, want %s", err, BadWords)
	}
}

// TestDeriveKey_Pinned holds the derivation of docs/spec/keystore.md fast: these
// words must give this key for ever.
func TestDeriveKey_Pinned(t *testing.T) {
	for entropy, want := range map[string]string{
		strings.Repeat("00", 32): "hospub1qypzhtapresnmllfjq72qndngwur33wc0cqf9stld0gglr75ua79avc0pu3uv",
		strings.Repeat("7f", 32): "hospub1qyp58lrcd52ecdm9420vv4eam2xwncdl66h2ll2p2488wvg34w9plmsc85exm",
	} {
		raw, err := hex.DecodeString(entropy)
		if err != nil {
			t.Fatal(err)
		}
		k, err := deriveKey(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := k.Public().String(); got != want {
			t.Errorf("%s: %s, want %s", entropy, got, want)
		}
	}
}
