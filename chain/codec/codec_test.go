package codec

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
)

type sample struct {
	N uint64   `cbor:"1,keyasint"`
	S string   `cbor:"2,keyasint,omitempty"`
	B []byte   `cbor:"3,keyasint,omitempty"`
	A [4]byte  `cbor:"4,keyasint"`
	L []uint64 `cbor:"5,keyasint,omitempty"`
}

func TestUnmarshal_Refusals(t *testing.T) {
	good := MustMarshal(sample{N: 7, A: [4]byte{1, 2, 3, 4}})
	if got := hex.EncodeToString(good); got != "a20107044401020304" {
		t.Fatalf("canonical bytes changed: %s", got)
	}
	cases := []struct {
		name string
		hex  string
		want ErrorKind
	}{
		{"empty", "", Malformed},
		{"trailing byte", "a2010704440102030400", Malformed},
		{"non-minimal integer", "a2011807044401020304", NotCanonical},
		{"keys out of order", "a2044401020304" + "0107", NotCanonical},
		{"duplicate key", "a301070107044401020304", Malformed},
		{"unknown key", "a30107044401020304186300", Malformed},
		{"indefinite map", "bf0107044401020304ff", Malformed},
		{"tag", "c1a20107044401020304", Malformed},
		{"float", "a201f94700044401020304", Malformed},
		{"short array", "a201070443010203", NotCanonical},
		{"long array", "a2010704450102030405", NotCanonical},
		{"missing field", "a10107", NotCanonical},
		{"empty optional", "a301070260044401020304", NotCanonical},
		{"text not utf-8", "a3010702" + "61ff" + "044401020304", Malformed},
		{"truncated", "a20107044401", Malformed},
		{"huge array header", "a3010704440102030405" + "9bffffffffffffffff", Malformed},
		{"negative", "a20126044401020304", Malformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			raw, err := hex.DecodeString(c.hex)
			if err != nil {
				t.Fatal(err)
			}
			var v sample
			if err := Unmarshal(raw, &v, 64); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
	var v sample
	if err := Unmarshal(good, &v, len(good)-1); !errors.Is(err, TooLarge) {
		t.Fatalf("got %v, want too_large", err)
	}
	if err := Unmarshal(good, &v, len(good)); err != nil || v.N != 7 {
		t.Fatalf("good bytes refused: %v", err)
	}
}

func TestUnmarshal_Depth(t *testing.T) {
	deep := bytes.Repeat([]byte{0x81}, MaxDepth+1)
	var v any
	if err := Unmarshal(append(deep, 0), &v, 64); !errors.Is(err, Malformed) {
		t.Fatalf("got %v, want malformed", err)
	}
}

type holder struct {
	R Raw `cbor:"1,keyasint"`
}

// TestUnmarshal_Raw: what a raw field holds is held to the same form.
func TestUnmarshal_Raw(t *testing.T) {
	cases := []struct {
		name string
		hex  string
		want ErrorKind
	}{
		{"unsigned", "0a", ""},
		{"widest", "1bffffffffffffffff", ""},
		{"negative", "3903e7", ""},
		{"bytes", "42ffff", ""},
		{"text", "62c3a9", ""},
		{"false, true and null", "83f4f5f6", ""},
		{"map cut short", "a301000200", Malformed},
		{"map in order", "a3010018200041ff00", ""},
		{"empty", "80", ""},
		{"0 in one more byte", "1800", NotCanonical},
		{"23 in one more byte", "1817", NotCanonical},
		{"24 in one byte", "1818", ""},
		{"255 in two bytes", "1900ff", NotCanonical},
		{"256 in two bytes", "190100", ""},
		{"65535 in four bytes", "1a0000ffff", NotCanonical},
		{"65536 in four bytes", "1a00010000", ""},
		{"32 bits in eight bytes", "1b00000000ffffffff", NotCanonical},
		{"long length of bytes", "5801ff", NotCanonical},
		{"long length of array", "980100", NotCanonical},
		{"nested", "818181811800", NotCanonical},
		{"map value", "a1011800", NotCanonical},
		{"map key", "a1180100", NotCanonical},
		{"map out of order", "a202000100", NotCanonical},
		{"map with a key twice", "a201000100", NotCanonical},
		{"half float", "f93c00", Malformed},
		{"double", "fb3ff0000000000000", Malformed},
		{"not a number", "f97e00", Malformed},
		{"undefined", "f7", Malformed},
		{"simple value 0", "e0", Malformed},
		{"tag", "c100", Malformed},
		{"indefinite array", "9fff", Malformed},
		{"indefinite bytes", "5fff", Malformed},
		{"reserved form", "1c", Malformed},
		{"truncated", "19", Malformed},
		{"bytes cut short", "42ff", Malformed},
		{"text that is no UTF-8", "61ff", Malformed},
		{"deeper than the cap", "81818181818181818100", Malformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			raw, err := hex.DecodeString("a101" + c.hex)
			if err != nil {
				t.Fatal(err)
			}
			var v holder
			err = Unmarshal(raw, &v, 64)
			if c.want == "" && err != nil || c.want != "" && !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestCheckCanonical_AnyBytes: the walk alone is safe on what the library has
// not looked at, but for depth.
func TestCheckCanonical_AnyBytes(t *testing.T) {
	for _, in := range []string{"", "18", "42ff", "81", "a1", "a101", "1c", "9f", "ff", "0000", "1b00", "a2010001"} {
		raw, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if checkCanonical(raw) == nil {
			t.Errorf("%q accepted", in)
		}
	}
}

func TestMarshal_Refusals(t *testing.T) {
	if _, err := Marshal(make(chan int)); err == nil {
		t.Fatal("a channel has an encoding")
	}
	defer func() {
		if recover() == nil {
			t.Fatal("MustMarshal of a channel does not panic")
		}
	}()
	MustMarshal(make(chan int))
}

// TestUnmarshal_DoesNotAlias: later changes of the input reach nothing.
func TestUnmarshal_DoesNotAlias(t *testing.T) {
	in := MustMarshal(struct {
		B []byte `cbor:"2,keyasint"`
		R Raw    `cbor:"5,keyasint"`
	}{[]byte{1, 2}, Raw{0x81, 0x07}})
	var v struct {
		B []byte `cbor:"2,keyasint"`
		R Raw    `cbor:"5,keyasint"`
	}
	if err := Unmarshal(in, &v, 64); err != nil {
		t.Fatal(err)
	}
	clear(in)
	if !bytes.Equal(v.B, []byte{1, 2}) || !bytes.Equal(v.R, []byte{0x81, 7}) {
		t.Fatal("the decoded value shares memory with its input")
	}
}

// TestDigest_Layout computes digests from the written rule.
func TestDigest_Layout(t *testing.T) {
	chain := NewChainDigest("hos-test", [32]byte{9})
	genesis := [32]byte{9}
	if chain != sha256.Sum256(append([]byte("hos-test"), genesis[:]...)) {
		t.Fatal("chain digest")
	}
	want := sha256.Sum256(append(append([]byte("hybridos/tx/v1\x00"), chain[:]...), 1, 2, 3))
	if Digest(LabelTx, chain, []byte{1, 2, 3}) != want {
		t.Fatal("digest")
	}
	if Hash(LabelKey, []byte{1}) != sha256.Sum256([]byte("hybridos/key/v1\x00\x01")) {
		t.Fatal("hash")
	}
}

func TestDigest_DomainsDiffer(t *testing.T) {
	c1 := NewChainDigest("one", [32]byte{1})
	c2 := NewChainDigest("two", [32]byte{1})
	seen := map[[32]byte]string{}
	for _, l := range []Label{LabelTx, LabelCommand, LabelReceipt, LabelAttest, LabelPair, LabelLogin} {
		for _, c := range []ChainDigest{c1, c2} {
			d := Digest(l, c, []byte("body"))
			if prev, ok := seen[d]; ok {
				t.Fatalf("digest of %s equals that of %s", l, prev)
			}
			seen[d] = string(l)
		}
	}
	if c1 == c2 {
		t.Fatal("two chains share a digest")
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(MustMarshal(sample{N: 7, S: "x", B: []byte{1}, L: []uint64{1, 300}}))
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, in []byte) {
		var v sample
		if Unmarshal(in, &v, 1<<12) != nil {
			return
		}
		if !bytes.Equal(MustMarshal(v), in) {
			t.Fatalf("accepted a malleable encoding: %x", in)
		}
	})
}

func FuzzUnmarshalRaw(f *testing.F) {
	f.Add([]byte{0xa1, 0x01, 0x82, 0x18, 0x64, 0xa1, 0x01, 0x41, 0x00})
	f.Add([]byte{0xa1, 0x01, 0x18, 0x00})
	f.Fuzz(func(t *testing.T, in []byte) {
		var v holder
		if Unmarshal(in, &v, 1<<12) != nil {
			return
		}
		// Decoded to plain values and encoded again, the bytes are the same.
		var plain any
		if err := decMode.Unmarshal(v.R, &plain); err != nil {
			return // a map key that Go cannot hold, such as an array
		}
		if again := MustMarshal(plain); !bytes.Equal(again, v.R) {
			t.Fatalf("accepted %x, which is %x", v.R, again)
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	in := MustMarshal(sample{N: 7, S: "x", B: make([]byte, 64), L: []uint64{1, 300}})
	b.ReportAllocs()
	for b.Loop() {
		var v sample
		if err := Unmarshal(in, &v, 1<<12); err != nil {
			b.Fatal(err)
		}
	}
}
