package vectors_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/attest"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

// attestFile makes streams of one device, and judges the last statement of each.
func attestFile(t *testing.T) vectors.File {
	f := vectors.File{Name: "attest", About: "statements of one device, each at its place in a stream"}
	say := func(by *key.Private, n uint64, prev *attest.Statement, change func(*attest.Body)) *attest.Statement {
		b := attest.Body{Epoch: 1, Stream: "events", Kind: attest.Event, Seq: n, Subject: "lock/moved",
			Time: start*1000 + n, Height: 10 + n, HeadHash: bytes.Repeat([]byte{9}, 32)}
		if prev != nil {
			h := prev.Hash()
			b.Prev = h[:]
		}
		if change != nil {
			change(&b)
		}
		s, err := attest.Sign(chain(), b, []byte(`{"state":"unlocked"}`), by)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	add := func(name, note string, before []*attest.Statement, raw []byte, payload string, want m) {
		in := m{"chain_digest": b32(chain()), "public": x(device.Public().Bytes), "epoch": "1", "stream": "events", "before": ""}
		var past []string
		for _, s := range before {
			past = append(past, x(s.Bytes()))
		}
		in["before"] = strings.Join(past, " ")
		if payload != "" {
			in["payload"] = x([]byte(payload))
		}
		f.Cases = append(f.Cases, vectors.Case{Name: name, Note: note, Hex: x(raw), In: in, Want: want})
	}
	one := say(device, 1, nil, nil)
	two := say(device, 2, one, nil)
	three := say(device, 3, two, nil)
	type list = []*attest.Statement
	ok := func(name, note string, before list, s *attest.Statement, flags, missing string) {
		add("taken/"+name, note, before, s.Bytes(), "", m{"flags": flags, "missing": missing, "seq": u(s.Body.Seq), "hash": b32(s.Hash()), "payload": x(s.Body.Payload)})
	}
	ok("first", "the beginning of a stream", nil, one, "", "0")
	ok("second", "names the first by its hash", list{one}, two, "", "0")
	ok("drop", "the second did not come", list{one}, three, "drop", "1")
	ok("restart", "the device crashed and is not sure of four numbers", list{one}, say(device, 6, nil, func(b *attest.Body) { b.Unsure = 4 }), "restart", "4")
	ok("restart-drop", "more are missing than the device is not sure of", list{one}, say(device, 6, nil, func(b *attest.Body) { b.Unsure = 3 }), "restart drop", "4")
	ok("time-back", "the clock was set back", list{one}, say(device, 2, one, func(b *attest.Body) { b.Time = 1 }), "time_back", "0")
	ok("height-back", "an older ledger head", list{one}, say(device, 2, one, func(b *attest.Body) { b.Height = 1 }), "height_back", "0")
	refuse := func(name, note string, before list, raw []byte, payload string, flag attest.Flag) {
		add("refused/"+name, note, before, raw, payload, m{"refused": string(flag)})
	}
	refuse("replay", "came before", list{one, two}, one.Bytes(), "", attest.Replay)
	refuse("reorder", "was missing and comes late", list{one, three}, two.Bytes(), "", attest.Reorder)
	refuse("splice", "follows another past", list{one, two}, say(device, 3, one, nil).Bytes(), "", attest.Splice)
	refuse("twice", "another statement had its number", list{one, two}, say(device, 2, one, func(b *attest.Body) { b.Time++ }).Bytes(), "", attest.Splice)
	refuse("foreign-device", "by guest's key, as its own", nil, say(guest, 1, nil, nil).Bytes(), "", attest.ForeignDevice)
	refuse("forged", "names the device but is signed by guest", nil, codec.MustMarshal(attest.Envelope{Body: codec.MustMarshal(one.Body), Sig: say(guest, 1, nil, nil).Sig}), "", attest.BadSignature)
	refuse("epoch", "made under the next owner", nil, say(device, 1, nil, func(b *attest.Body) { b.Epoch = 2 }).Bytes(), "", attest.WrongEpoch)
	refuse("stream", "of another stream", nil, say(device, 1, nil, func(b *attest.Body) { b.Stream = "yard" }).Bytes(), "", attest.ForeignStream)
	refuse("payload", "another picture beside it", nil, one.Bytes(), "another", attest.PayloadMismatch)
	body := func(change func(*attest.Body)) []byte {
		b := one.Body
		change(&b)
		return codec.MustMarshal(attest.Envelope{Body: codec.MustMarshal(b), Sig: one.Sig})
	}
	refuse("inline", "carries another payload than it says", nil, body(func(b *attest.Body) { b.Payload = []byte("x") }), "", attest.PayloadMismatch)
	refuse("chain", "of another ledger", nil, body(func(b *attest.Body) { b.Chain[0] ^= 1 }), "", attest.WrongChain)
	refuse("version", "version 2", nil, body(func(b *attest.Body) { b.Version = 2 }), "", attest.BadVersion)
	refuse("kind", "kind 5", nil, body(func(b *attest.Body) { b.Kind = 5 }), "", attest.Malformed)
	refuse("no-past", "number 2 names nothing before it", nil, body(func(b *attest.Body) { b.Seq = 2 }), "", attest.Malformed)
	refuse("extension", "a critical extension", nil, body(func(b *attest.Body) { b.Ext = map[uint64]codec.Raw{127: {0}} }), "", attest.Malformed)
	refuse("trailing", "a byte after the end", nil, append(one.Bytes(), 0), "", attest.Malformed)
	refuse("wide", "a length in two bytes", nil, append([]byte{0xb8, 2}, one.Bytes()[1:]...), "", attest.NotCanonical)
	return f
}

func TestAttest(t *testing.T) {
	each(t, "attest", func(t *testing.T, c vectors.Case) m {
		v := attest.NewVerifier(attest.Source{Chain: get32(t, c, "chain_digest"), Device: public(t, c), Epoch: 1, Stream: c.In["stream"]}, &attest.State{})
		for _, b := range strings.Fields(c.In["before"]) {
			if got := v.Accept(unhex(t, b), nil); !got.Taken {
				t.Fatalf("before: %+v", got)
			}
		}
		var payload []byte
		if p, ok := c.In["payload"]; ok {
			payload = unhex(t, p)
		}
		got := v.Accept(c.Bytes(), payload)
		var flags []string
		for _, f := range got.Flags {
			flags = append(flags, string(f))
		}
		if !got.Taken {
			return m{"refused": strings.Join(flags, " ")}
		}
		s := got.Statement
		return m{"flags": strings.Join(flags, " "), "missing": u(got.Missing), "seq": u(s.Body.Seq), "hash": b32(s.Hash()), "payload": x(s.Body.Payload)}
	})
}

// TestAttest_EveryFlag: no flag but that of too many bytes is without a case.
func TestAttest_EveryFlag(t *testing.T) {
	told := map[string]bool{string(attest.TooLarge): true}
	for _, c := range load(t, "attest").Cases {
		for _, f := range append(strings.Fields(c.Want["flags"]), c.Want["refused"]) {
			told[f] = true
		}
	}
	for _, f := range attest.Flags() {
		if !told[string(f)] {
			t.Errorf("no case of %s", f)
		}
	}
}
