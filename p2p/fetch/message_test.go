package fetch

import (
	"bytes"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
)

// TestReply_Check: answers that do not fit their query are refused.
func TestReply_Check(t *testing.T) {
	light, prove := &query{Kind: kindLightBlock}, &query{Kind: kindProve, Key: []byte("k"), Height: 5}
	good := reply{Height: 5, Key: []byte("k"), Value: []byte("v"), Proof: []byte("p"), Found: true}
	if err := good.check(prove); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q    *query
		edit func(r *reply)
	}{
		"other key":       {prove, func(r *reply) { r.Key = []byte("x") }},
		"other height":    {prove, func(r *reply) { r.Height = 6 }},
		"negative height": {prove, func(r *reply) { r.Height = -5 }},
		"no proof":        {prove, func(r *reply) { r.Proof = nil }},
		"found nothing":   {prove, func(r *reply) { r.Value = nil }},
		"value not found": {prove, func(r *reply) { r.Found = false }},
		"block too":       {prove, func(r *reply) { r.Block = []byte{1} }},
		"error and value": {prove, func(r *reply) { r.Code = NotFound }},
		"unknown code":    {prove, func(r *reply) { *r = reply{Code: lastCode + 1} }},
		"no block":        {light, func(r *reply) { *r = reply{} }},
		"proof for block": {light, func(r *reply) { r.Block = []byte{1} }},
	} {
		r := good
		c.edit(&r)
		if r.check(c.q) == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestOutcome_Check(t *testing.T) {
	h := bytes.Repeat([]byte{1}, maxHash)
	for name, o := range map[string]outcome{
		"accepted without height": {Hash: h},
		"accepted without hash":   {Height: 3},
		"negative height":         {Height: -3, Hash: h},
		"error with result":       {Code: Busy, Result: 1},
		"unknown code":            {Code: lastCode + 1},
		"long hash":               {Height: 3, Hash: append(h, 0)},
	} {
		if o.check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestMeter(t *testing.T) {
	now := time.Unix(1000, 0)
	m := newMeter(2, 3, 2, func() time.Time { return now })
	take := func(want bool) {
		t.Helper()
		if got := m.allow("a"); got != want {
			t.Errorf("allow = %v", got)
		}
	}
	for _, want := range []bool{true, true, true, false} {
		take(want)
	}
	now = now.Add(500 * time.Millisecond)
	take(true)
	take(false)
	if !m.allow("b") {
		t.Error("one peer's debt holds up another")
	}
	if m.allow("c") {
		t.Error("remembers more peers than it may")
	}
	now = now.Add(time.Minute)
	if !m.allow("c") {
		t.Error("does not forget peers who owe nothing")
	}
}

// fuzz checks that a decoder takes only the one form of a message.
func fuzz[T any](f *testing.F, seeds ...T) {
	for _, s := range seeds {
		f.Add(codec.MustMarshal(&s))
	}
	f.Add([]byte{0xa1, 0x18, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		var v T
		if decode(b, &v, 4096) != nil {
			return
		}
		if !bytes.Equal(codec.MustMarshal(&v), b) {
			t.Fatalf("% x has another form", b)
		}
	})
}

func FuzzQuery(f *testing.F) {
	fuzz(f, query{Kind: kindLightBlock, Height: 9}, query{Kind: kindProve, Key: []byte("k")})
}
func FuzzReply(f *testing.F) {
	fuzz(f, reply{Code: Busy, Detail: "x"}, reply{Block: []byte{1}}, reply{Height: 1, Key: []byte{1}, Value: []byte{2}, Proof: []byte{3}, Found: true})
}
func FuzzSubmission(f *testing.F) { fuzz(f, submission{Tx: []byte{1}}) }
func FuzzOutcome(f *testing.F) {
	fuzz(f, outcome{Result: 3, Log: "no"}, outcome{Height: 4, Hash: make([]byte, 32)})
}
