package codec_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// every is a type with each form that a plan knows.
type every struct {
	Flag  bool           `cbor:"1,keyasint"`
	Small uint8          `cbor:"2,keyasint,omitempty"`
	Big   uint64         `cbor:"3,keyasint"`
	Time  int64          `cbor:"4,keyasint"`
	Text  string         `cbor:"5,keyasint,omitempty"`
	Bytes []byte         `cbor:"6,keyasint,omitempty"`
	Four  [4]byte        `cbor:"7,keyasint"`
	List  []part         `cbor:"8,keyasint,omitempty"`
	Next  *part          `cbor:"9,keyasint,omitempty"`
	Must  *part          `cbor:"10,keyasint"`
	IDs   []key.DeviceID `cbor:"24,keyasint"`
	Raw   codec.Raw      `cbor:"25,keyasint"`
	Deep  [][][]string   `cbor:"300,keyasint,omitempty"`
}

type part struct {
	N    uint16   `cbor:"1,keyasint"`
	Rest []string `cbor:"2,keyasint,omitempty"`
}

// onlyLibrary lists shapes whose rules only the library knows.
var onlyLibrary = []any{
	new(struct {
		A [4]byte `cbor:"1,keyasint,omitempty"`
	}),
	new(struct {
		S part `cbor:"1,keyasint,omitempty"`
	}),
	new(struct {
		R codec.Raw `cbor:"1,keyasint,omitempty"`
	}),
	new(struct {
		M map[uint64]uint64 `cbor:"1,keyasint"`
	}),
	new(struct {
		K []key.Alg `cbor:"1,keyasint"`
	}),
	new(struct {
		Name uint8 `cbor:"name"`
	}),
	new(struct {
		part `cbor:"1,keyasint"`
	}),
	new(time.Time), new(any),
}

// decodables are the types that validators and devices decode most, the payload
// of each kind of transaction among them.
func decodables(samples [][]byte) []any {
	out := []any{
		new(every), new(part), new(tx.Envelope), new(tx.Body), new(state.Params), new(state.Vendor), new(state.Account),
		new(state.Device), new(state.Grant), new(key.Public), new(command.Envelope), new(genesis.Doc),
	}
	met := map[tx.Kind]bool{}
	for _, raw := range samples {
		if t, err := tx.Decode(raw); err == nil && !met[t.Body.Kind] {
			met[t.Body.Kind] = true
			out = append(out, t.Payload)
		}
	}
	return out
}

// samples are encodings found in the vectors, of whatever type, the bodies and
// payloads of transactions among them.
func samples(tb testing.TB) [][]byte {
	files, err := filepath.Glob("../vectors/*.json")
	if err != nil || len(files) < 5 {
		tb.Fatalf("%d files of vectors: %v", len(files), err)
	}
	var out [][]byte
	var harvest func(any)
	harvest = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, e := range v {
				harvest(e)
			}
		case []any:
			for _, e := range v {
				harvest(e)
			}
		case string:
			raw, err := hex.DecodeString(v)
			if err != nil || len(raw) < 3 {
				return
			}
			out = append(out, raw)
			if t, err := tx.Decode(raw); err == nil {
				out = append(out, codec.MustMarshal(t.Body), codec.MustMarshal(t.Payload))
			}
		}
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			tb.Fatal(err)
		}
		harvest(v)
	}
	return append(out, everySamples()...)
}

func everySamples() [][]byte {
	full := every{
		Flag: true, Small: 23, Big: 1 << 40, Time: 1 << 33, Text: "é", Bytes: []byte{1}, List: []part{{N: 300}, {Rest: []string{"", "a"}}},
		Next: &part{}, Must: &part{N: 1}, IDs: []key.DeviceID{{1}}, Raw: codec.Raw{0x82, 0x01, 0xa1, 0x00, 0xf6}, Deep: [][][]string{{{"x"}}},
	}
	return [][]byte{codec.MustMarshal(full), codec.MustMarshal(every{Must: &part{}, IDs: []key.DeviceID{}, Raw: codec.Raw{0x00}})}
}

// fresh gives a new value of the type that p points to.
func fresh(p any) any { return reflect.New(reflect.TypeOf(p).Elem()).Interface() }

// agree demands that one pass says yes to nothing that the thorough way
// refuses, and gives the same value. It reports whether it said yes.
func agree(tb testing.TB, raw []byte, shape any) bool {
	quick, slow := fresh(shape), fresh(shape)
	before := bytes.Clone(raw)
	ok := codec.OnePass(raw, quick)
	err := codec.Thorough(raw, slow)
	switch {
	case !bytes.Equal(raw, before):
		tb.Fatalf("%T: the input was changed", shape)
	case ok && err != nil:
		tb.Fatalf("%T: one pass takes %x, which is refused: %v", shape, raw, err)
	case ok && !reflect.DeepEqual(quick, slow):
		tb.Fatalf("%T: %x decodes to %+v, want %+v", shape, raw, quick, slow)
	case !ok && !reflect.ValueOf(quick).Elem().IsZero():
		tb.Fatalf("%T: %x was not taken, but left something behind", shape, raw)
	}
	if ok {
		again := bytes.Clone(raw)
		clear(raw)
		if !bytes.Equal(codec.MustMarshal(quick), again) {
			tb.Fatalf("%T: the value shares memory with the input", shape)
		}
		copy(raw, again)
	}
	return ok
}

// TestOnePass_TakesWhatIsCanonical: the quick way is really taken for the types
// that validators decode most, so that nothing falls back to the long way
// unseen.
func TestOnePass_TakesWhatIsCanonical(t *testing.T) {
	all := samples(t)
	shapes := decodables(all)
	for _, shape := range shapes {
		taken := 0
		for _, raw := range all {
			if codec.Thorough(raw, fresh(shape)) == nil {
				if !agree(t, raw, shape) {
					t.Fatalf("%T: %x was not taken", shape, raw)
				}
				taken++
			}
		}
		if taken == 0 {
			t.Errorf("%T: no sample", shape)
		}
	}
	for _, shape := range onlyLibrary {
		if codec.OnePass([]byte{0xa0}, fresh(shape)) {
			t.Errorf("%T was taken", shape)
		}
	}
}

// TestOnePass_Mutations: what is changed anywhere is judged as before.
func TestOnePass_Mutations(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all, taken := samples(t), 0
	shapes := decodables(all)
	for _, raw := range all {
		for _, shape := range shapes {
			if codec.Thorough(raw, fresh(shape)) != nil {
				continue
			}
			for range 300 {
				if agree(t, mutate(r, raw), shape) {
					taken++
				}
			}
		}
	}
	if taken < 1000 {
		t.Fatalf("only %d changed encodings were canonical", taken)
	}
}

// mutate changes, removes or adds a byte.
func mutate(r *rand.Rand, raw []byte) []byte {
	out := bytes.Clone(raw)
	at := r.IntN(min(len(out), 200)) // mostly heads, not the strings behind them
	switch r.IntN(4) {
	case 0:
		out[at] ^= 1 << r.IntN(8)
	case 1:
		out[at] = byte(r.Uint32())
	case 2:
		out = append(out[:at:at], out[at+1:]...)
	default:
		out = append(out[:at:at], append([]byte{byte(r.Uint32())}, out[at:]...)...)
	}
	return out
}

func TestOnePass_OnlyIntoZero(t *testing.T) {
	raw := codec.MustMarshal(part{N: 1})
	if v := (part{Rest: []string{"stays"}}); codec.OnePass(raw, &v) {
		t.Error("taken into a value that holds something")
	}
	if codec.OnePass(raw, part{}) || codec.OnePass(raw, (*part)(nil)) || codec.OnePass(raw, nil) {
		t.Error("taken into no pointer")
	}
}

func FuzzOnePass(f *testing.F) {
	all := samples(f)
	for _, raw := range all {
		if len(raw) < 1<<10 {
			f.Add(raw)
		}
	}
	shapes := decodables(all)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, shape := range shapes {
			agree(t, raw, shape)
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	raw := codec.MustMarshal(state.Vendor{Name: "maker", Keys: []key.Public{{Alg: 1, Bytes: make([]byte, 33)}}, Threshold: 1, Quota: 1 << 30, Used: 300, Sequence: 300})
	for name, decode := range map[string]func([]byte, any) error{
		"one pass": func(raw []byte, v any) error { return codec.Unmarshal(raw, v, len(raw)) },
		"thorough": codec.Thorough,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var v state.Vendor
				if err := decode(raw, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
