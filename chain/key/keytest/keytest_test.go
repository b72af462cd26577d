package keytest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
)

// TestP256_RFC6979 holds the signatures of RFC 6979 section A.2.5 with SHA-256,
// in their low form.
func TestP256_RFC6979(t *testing.T) {
	secret := unhex(t, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
	k := keytest.P256FromSecret(secret)
	if x := "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"; hex.EncodeToString(k.Point()) != "03"+x {
		t.Fatalf("point %x", k.Point())
	}
	if !bytes.Equal(k.Secret(), secret) {
		t.Fatal("another secret")
	}
	for message, rs := range map[string]string{
		"sample": "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" + "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
		"test":   "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367" + "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
	} {
		got, digest := k.Sign(sha256.Sum256([]byte(message))), sha256.Sum256([]byte(message))
		want := key.Signature(unhex(t, rs))
		if message == "sample" { // whose s is high
			if err := k.Public().Verify(digest, want); !errors.Is(err, key.HighS) {
				t.Errorf("%s: %v", message, err)
			}
			want = keytest.NegateS(want)
		}
		if !bytes.Equal(got, want) || k.Public().Verify(digest, got) != nil {
			t.Errorf("%s: %x", message, got)
		}
	}
}

// TestPasskey_Knobs: an authenticator with habits leaves the one that it was
// made of alone, and both always sign the same.
func TestPasskey_Knobs(t *testing.T) {
	p := keytest.Phone("phone")
	digest := sha256.Sum256([]byte("open the door"))
	before := p.Sign(digest)
	bad := p.With(func(a *keytest.Assertion) { a.HighS = true })
	if err := p.Public().Verify(digest, bad.Sign(digest)); !errors.Is(err, key.HighS) {
		t.Errorf("high s: %v", err)
	}
	right := bad.With(func(a *keytest.Assertion) { a.HighS = false })
	if !bytes.Equal(right.Sign(digest), before) || !bytes.Equal(p.Sign(digest), before) || !bytes.Equal(keytest.Phone("phone").Sign(digest), before) {
		t.Error("other bytes")
	}
	if err := p.Public().Verify(digest, before); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("an authenticator for no site")
		}
	}()
	keytest.NewPasskey("phone", "door.example", "https://evil.example")
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
