package codec

import (
	"bytes"
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
