package gate_test

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

func TestHandle_OwnerAndGuest(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	first := w.ok(w.sign(w.body(), w.owner))
	if first.Body.Counter != 1 || len(first.Body.Prev) != 0 || string(first.Body.Result) != "wide" {
		t.Fatalf("first receipt: %+v", first.Body)
	}
	if first.Body.Height != w.ledger.Head().Height || !bytes.Equal(first.Body.HeadHash, w.ledger.Head().Hash) {
		t.Fatal("receipt does not name the head")
	}
	second := w.ok(w.sign(w.guestBody(), w.guest))
	hash := first.Hash()
	if second.Body.Counter != 2 || !bytes.Equal(second.Body.Prev, hash[:]) {
		t.Fatal("receipts are not chained")
	}
}

func TestHandle_HotCommandAsksNobody(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.ok(w.sign(w.guestBody(), w.guest))
	w.ledger.gets, w.ledger.updates = 0, 0
	w.ok(w.sign(w.guestBody(), w.guest))
	w.ok(w.sign(w.body(), w.owner))
	if w.ledger.gets != 0 || w.ledger.updates != 0 {
		t.Fatalf("%d proofs and %d headers for commands under a known head", w.ledger.gets, w.ledger.updates)
	}
	w.ledger.block(w.now, true)
	if err := w.gate.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.ledger.gets = 0
	w.ok(w.sign(w.guestBody(), w.guest))
	if w.ledger.gets != 0 {
		t.Fatalf("%d proofs after a refresh", w.ledger.gets)
	}
}

// Every way in which a command can be wrong, with the code that tells it.
func TestHandle_Refusals(t *testing.T) {
	ms := func(d time.Duration) uint64 { return uint64(d.Milliseconds()) }
	cases := []struct {
		name   string
		guest  bool
		by     func(w *world) *key.Private // nil: who should
		change func(w *world, b *command.Body)
		status command.Status // 0: rejected
		code   command.Code
	}{
		{name: "positive control: owner", code: command.OK},
		{name: "positive control: guest", guest: true, code: command.OK},
		{name: "other ledger", change: func(_ *world, b *command.Body) { b.Chain[0] ^= 1 }, code: command.WrongChain},
		{name: "other device", change: func(_ *world, b *command.Body) { b.Device[3] ^= 1 }, code: command.WrongDevice},
		{name: "later epoch", change: func(_ *world, b *command.Body) { b.Epoch = 2 }, code: command.StaleEpoch},
		{name: "critical extension", change: func(_ *world, b *command.Body) { b.Ext = map[uint64]codec.Raw{5: {0}} }, code: command.UnknownExtension},
		{name: "positive control: optional extension", change: func(_ *world, b *command.Body) { b.Ext = map[uint64]codec.Raw{128: {0}} }, code: command.OK},
		{name: "expired", change: func(_ *world, b *command.Body) { b.IssuedAt -= 60_000; b.Expires = b.IssuedAt + 60_000 }, code: command.Expired},
		{name: "positive control: last moment", change: func(_ *world, b *command.Body) { b.IssuedAt -= 59_999; b.Expires = b.IssuedAt + 60_000 }, code: command.OK},
		{name: "from the future", change: func(_ *world, b *command.Body) {
			b.IssuedAt += ms(gate.MaxAhead) + 1
			b.Expires = b.IssuedAt + 1000
		}, status: command.Deferred, code: command.NotYet},
		{name: "positive control: a little ahead", change: func(_ *world, b *command.Body) { b.IssuedAt += ms(gate.MaxAhead); b.Expires += 20_000 }, code: command.OK},
		{name: "lives too long", change: func(_ *world, b *command.Body) { b.Expires = b.IssuedAt + 60_001 }, code: command.LifeTooLong},
		{name: "key of nobody", by: func(w *world) *key.Private { return w.stranger }, change: func(w *world, b *command.Body) { b.Key = w.stranger.Public().ID() }, code: command.UnknownKey},
		{name: "principal of nobody", change: func(w *world, b *command.Body) { b.Principal = w.stranger.Public().AccountID() }, code: command.UnknownKey},
		{name: "signed by another key than named", by: func(w *world) *key.Private { return w.stranger }, code: command.UnknownKey},
		{name: "grant that is not there", guest: true, change: func(_ *world, b *command.Body) { b.Grant = &tx.ID{1} }, code: command.UnknownGrant},
		{name: "another's grant", guest: true, by: func(w *world) *key.Private { return w.stranger }, change: func(w *world, b *command.Body) {
			b.Key, b.Principal = w.stranger.Public().ID(), w.stranger.Public().AccountID()
		}, code: command.UnknownKey},
		{name: "grant of a key, principal of the owner", guest: true, change: func(w *world, b *command.Body) { b.Principal = w.owner.Public().AccountID() }, code: command.UnknownKey},
		{name: "method outside the grant", guest: true, change: func(_ *world, b *command.Body) { b.Method = "dim" }, code: command.NotGranted},
		{name: "method that does not exist", change: func(_ *world, b *command.Body) { b.Method = "melt" }, code: command.NoMethod},
		{name: "endpoint that does not exist", change: func(_ *world, b *command.Body) { b.Endpoint = "oven" }, code: command.NoMethod},
		{name: "nonce far ahead", change: func(_ *world, b *command.Body) { b.Nonce = gate.MaxJump + 1 }, code: command.JumpTooFar},
		{name: "positive control: nonce just not too far", change: func(_ *world, b *command.Body) { b.Nonce = gate.MaxJump }, code: command.OK},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, gate.Limits{})
			b, k := w.body(), w.owner
			if c.guest {
				b, k = w.guestBody(), w.guest
			}
			if c.by != nil {
				k = c.by(w)
			}
			var raw []byte
			if c.change != nil {
				c.change(w, &b)
			}
			if b.Ext[5] != nil { // command.New refuses to build it
				b.Version, b.Type = command.Version, command.TypeInvoke
				raw = envelope(w, b, k)
			} else {
				raw = w.sign(b, k)
			}
			switch {
			case c.code == command.OK:
				w.ok(raw)
			case c.status == 0:
				w.refused(raw, c.code)
			default:
				w.want(raw, c.status, c.code)
			}
		})
	}
}

// envelope signs a body that command.New would not build.
func envelope(w *world, b command.Body, k *key.Private) []byte {
	body := codec.MustMarshal(b)
	sig := k.Sign(codec.Digest(codec.LabelCommand, w.chain, body))
	return codec.MustMarshal(command.Envelope{Body: body, Sigs: []command.Sig{{Key: k.Public().ID(), Bytes: sig}}})
}

func TestHandle_BadBytes(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	good := w.sign(w.body(), w.owner)
	b := w.body()
	b.Version, b.Type = 2, command.TypeInvoke
	w.refused(envelope(w, b, w.owner), command.BadVersion)
	b.Version, b.Type = command.Version, 9
	w.refused(envelope(w, b, w.owner), command.BadType)
	w.refused(nil, command.Malformed)
	w.refused([]byte("open the door"), command.Malformed)
	w.refused(append(slices.Clone(good), 0), command.Malformed)
	w.refused(make([]byte, command.MaxBytes+1), command.TooLarge)
	// The envelope's map head in its longer form: same meaning, other bytes.
	w.refused(append([]byte{0xb8, 0x02}, good[1:]...), command.NotCanonical)
	for n := range good {
		r := w.send(good[:n])
		if r.Body.Status != command.Rejected || r.Body.Code != command.Malformed && r.Body.Code != command.NotCanonical {
			t.Fatalf("cut to %d bytes: %s %s", n, r.Body.Status, r.Body.Code)
		}
	}
	if w.bolt.total() != 0 {
		t.Fatal("the bolt moved")
	}
	w.ok(good)
}

func TestHandle_EveryBitFlipped(t *testing.T) {
	for _, guest := range []bool{false, true} {
		w := newWorld(t, gate.Limits{})
		good := w.sign(w.body(), w.owner)
		if guest {
			good = w.sign(w.guestBody(), w.guest)
		}
		disk := w.disk()
		for i := range good {
			for bit := range 8 {
				bad := slices.Clone(good)
				bad[i] ^= 1 << bit
				if r := w.send(bad); r.Body.Status == command.Executed || r.Body.Code == command.OK || r.Body.Counter != 0 {
					t.Fatalf("byte %d bit %d flipped: %s %s", i, bit, r.Body.Status, r.Body.Code)
				}
			}
		}
		if w.bolt.total() != 0 || w.disk() != disk {
			t.Fatal("flipped bytes left a trace")
		}
		w.ok(good)
	}
}

// The other form of the same signature is refused, and so is a signature by
// the right key over other bytes.
func TestHandle_Signatures(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	good := w.sign(w.body(), w.owner)
	c, err := command.Decode(good)
	if err != nil {
		t.Fatal(err)
	}
	var s secp256k1.ModNScalar
	s.SetByteSlice(c.Sigs[0].Bytes[32:])
	s.Negate()
	high := s.Bytes()
	copy(c.Sigs[0].Bytes[32:], high[:])
	w.refused(c.Bytes(), command.HighS)
	c.Sigs[0].Bytes = w.owner.Sign([32]byte{1})
	w.refused(c.Bytes(), command.BadSignature)
	w.ok(good)
}

func TestHandle_CrossDevice(t *testing.T) {
	w, other := newWorld(t, gate.Limits{}), newWorld(t, gate.Limits{})
	b := w.body()
	b.Device = newKey(77).Public().DeviceID()
	raw := w.sign(b, w.owner)
	w.refused(raw, command.WrongDevice)
	other.refused(raw, command.WrongDevice)
}

func TestHandle_UnownedDeviceObeysNobody(t *testing.T) {
	w := unowned(t, gate.Limits{})
	w.refused(w.sign(w.body(), w.owner), command.Unowned)
	w.claim() // on the ledger, but pairing has not told the device
	w.refused(w.sign(w.body(), w.owner), command.Unowned)
}

func TestHandle_RetryGetsTheSameReceipt(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	raw := w.sign(w.body(), w.owner)
	first := w.gate.Handle(context.Background(), "peer", raw)
	w.decode(raw, first)
	check := func(when string) {
		t.Helper()
		if again := w.gate.Handle(context.Background(), "other peer", raw); !bytes.Equal(again, first) {
			t.Fatalf("%s: another receipt", when)
		}
	}
	check("at once")
	w.restart()
	check("after a restart")
	w.now = w.now.Add(2 * time.Minute)
	check("after it has expired")
	if w.bolt.total() != 1 {
		t.Fatalf("%d actuations", w.bolt.total())
	}
	w.now = w.now.Add(30 * time.Minute)
	w.ledger.block(w.now, true)
	w.ok(w.sign(w.body(), w.owner)) // makes room
	w.want(raw, command.Unknown, command.Expired)
	w.restart()
	w.want(raw, command.Unknown, command.Expired)
}

func TestHandle_ReplayWindow(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	at := func(nonce uint64) []byte {
		b := w.body()
		b.Nonce = nonce
		b.Params = []byte{byte(nonce), byte(w.nonce)} // another command
		return w.sign(b, w.owner)
	}
	w.ok(at(100))
	w.refused(at(100), command.Replayed)
	w.ok(at(37)) // lowest in the window
	w.refused(at(36), command.Replayed)
	w.refused(at(37), command.Replayed)
	w.ok(at(200))
	w.refused(at(100), command.Replayed)
	w.ok(at(137))
	w.refused(at(136), command.Replayed)
	w.refused(at(200+gate.MaxJump+1), command.JumpTooFar)
	w.restart()
	w.refused(at(200), command.Replayed)
	w.refused(at(137), command.Replayed)
	w.ok(at(200 + gate.MaxJump))
}

func TestHandle_LanesAreBoundedAndOnlyExpiredOnesGo(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	open := func(salt uint64) []byte {
		b := w.body()
		b.Salt, b.Nonce = salt, 1
		return w.sign(b, w.owner)
	}
	var first []byte
	for salt := range uint64(gate.MaxLanesPerKey) {
		raw := open(salt)
		w.ok(raw)
		if salt == 0 {
			first = raw
		}
	}
	w.want(open(99), command.Deferred, command.TooManyLanes)
	w.now = w.now.Add(31 * time.Second)
	w.ok(open(99))
	w.restart()
	w.ok(open(100))
	before := w.bolt.total()
	w.send(first)
	if w.bolt.total() != before {
		t.Fatal("an evicted lane let a command run again")
	}
}

func TestOpen_Refusals(t *testing.T) {
	if _, err := gate.Open(gate.Config{}); err == nil {
		t.Fatal("opened without parts")
	}
}

// The specification names every code, so that none is left unexplained.
func TestSpec_NamesEveryCode(t *testing.T) {
	spec, err := os.ReadFile("../../docs/spec/gate.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range command.Codes() {
		if !regexp.MustCompile(`\b` + c.String() + `\b`).Match(spec) {
			t.Errorf("docs/spec/gate.md does not name %s", c)
		}
	}
}
