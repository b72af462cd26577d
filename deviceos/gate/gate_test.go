package gate_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/vault/vaulttest"
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

func TestArm_OnceAndForThisDevice(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	own := state.Ownership{Device: w.device.Public().DeviceID(), Epoch: 1, Owner: state.NewPin(w.stranger.Public())}
	if err := w.gate.Arm(own); err == nil {
		t.Fatal("an owned device took another owner")
	}
	u := unowned(t, gate.Limits{})
	own.Device[0] ^= 1
	if err := u.gate.Arm(own); err == nil {
		t.Fatal("a device took the ownership of another")
	}
	w.restart()
	if has, ok := w.gate.Owner(); !ok || has.Owner.Account != w.owner.Public().AccountID() {
		t.Fatal("the owner is lost over a restart")
	}
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
	w.refused(raw, command.Expired)
	w.restart()
	w.refused(raw, command.Expired)
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

func TestHandle_GrantTimes(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	make := func(from, to time.Duration) tx.ID {
		return w.createGrant(&tx.CreateGrant{
			Grantee:   w.guest.Public(),
			Targets:   []tx.Target{{Device: w.device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
			NotBefore: uint64(w.now.Add(from).Unix()), NotAfter: uint64(w.now.Add(to).Unix()),
		})
	}
	w.grant = make(time.Minute, time.Hour)
	w.want(w.sign(w.guestBody(), w.guest), command.Deferred, command.GrantNotYet)
	w.grant = make(-time.Hour, -time.Second)
	w.refused(w.sign(w.guestBody(), w.guest), command.GrantExpired)
	w.grant = make(0, 0)
	w.ok(w.sign(w.guestBody(), w.guest))
}

func TestHandle_RevocationBitesAtOnce(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.ok(w.sign(w.guestBody(), w.guest))
	w.revoke()
	w.refused(w.sign(w.guestBody(), w.guest), command.GrantRevoked)
	// Only the grantee is told so.
	w.refused(w.sign(w.guestBody(), w.stranger), command.UnknownKey)
	w.restart()
	w.refused(w.sign(w.guestBody(), w.guest), command.GrantRevoked)
	w.ok(w.sign(w.body(), w.owner))
}

// A class R2 command never runs under an older head than the newest that the
// device knows of, also when the proofs do not come.
func TestHandle_NewHeadWithoutProofs(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	state := func() []byte {
		b := w.guestBody()
		b.Method = "state"
		return w.sign(b, w.guest)
	}
	w.ok(w.sign(w.guestBody(), w.guest))
	w.ok(state())
	w.ledger.block(w.now, true)
	w.ledger.offline = true
	w.want(w.sign(w.guestBody(), w.guest), command.Deferred, command.Stale)
	w.want(w.sign(w.body(), w.owner), command.Deferred, command.Stale)
	w.ok(state()) // R0 is content with an older word
	w.ledger.offline = false
	w.ok(w.sign(w.guestBody(), w.guest))
}

func TestHandle_FreshnessClasses(t *testing.T) {
	for _, c := range []struct {
		method string
		age    time.Duration
	}{{"open", time.Minute}, {"dim", time.Hour}, {"state", 24 * time.Hour}} {
		t.Run(c.method, func(t *testing.T) {
			w := newWorld(t, gate.Limits{})
			invoke := func() []byte {
				b := w.body()
				b.Method = c.method
				return w.sign(b, w.owner)
			}
			w.ok(invoke())
			w.ledger.offline = true
			w.now = w.now.Add(c.age)
			w.ok(invoke())
			w.now = w.now.Add(time.Millisecond)
			deferred := invoke()
			w.want(deferred, command.Deferred, command.Stale)
			// The same bytes succeed once the device has caught up by itself.
			w.ledger.offline = false
			w.ledger.block(w.now, false)
			w.ok(deferred)
		})
	}
}

func TestHandle_FirstHeadMissing(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.ledger.head = gate.Head{}
	w.ledger.offline = true
	w.restart()
	w.want(w.sign(w.body(), w.owner), command.Deferred, command.Stale)
}

// A guest that comes right after the grant was made: the device has not heard
// of that block, but the guest names its height.
func TestHandle_SeenLeadsToANewerHead(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	old := w.ledger.Head()
	grant := w.createGrant(&tx.CreateGrant{
		Grantee:   w.stranger.Public(),
		Targets:   []tx.Target{{Device: w.device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
		NotBefore: 1, NotAfter: uint64(w.now.Unix()) + 60,
	})
	b := w.body()
	b.Principal, b.Key, b.Grant = w.stranger.Public().AccountID(), w.stranger.Public().ID(), &grant
	w.ledger.head = old
	w.ok(w.sign(b, w.stranger))
	if w.ledger.updates != 1 {
		t.Fatalf("%d updates", w.ledger.updates)
	}
}

// All validators together cannot give the device another owner.
func TestHandle_LyingValidators(t *testing.T) {
	thief := newKey(66)
	dev := newKey(1).Public().DeviceID()
	steal := func(w *world) {
		d, err := state.GetDevice(w.ledger.present, dev)
		if err != nil {
			t.Fatal(err)
		}
		id := thief.Public().AccountID()
		d.Owner, d.Epoch = &id, 2
		w.ledger.present[string(state.DeviceKey(dev))] = codec.MustMarshal(d)
		w.ledger.present[string(state.AccountKey(id))] = codec.MustMarshal(state.Account{
			Root: thief.Public(), KeySet: state.RootKeySet(thief.Public()),
		})
	}
	account := func(w *world) state.Account {
		a, err := state.GetAccount(w.ledger.present, w.owner.Public().AccountID())
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	put := func(w *world, k []byte, v any) { w.ledger.present[string(k)] = codec.MustMarshal(v) }
	cases := map[string]func(w *world){
		"owner without a transfer": steal,
		"transfer signed by the thief alone": func(w *world) {
			steal(w)
			tr := w.build(w.owner, &tx.Transfer{Device: dev, Epoch: 2, To: thief.Public().AccountID()})
			tr.Sign(w.chain, tx.RoleAccount, thief)
			tr.Sign(w.chain, tx.RoleNewOwner, thief)
			w.ledger.present[string(state.OwnerChangeKey(dev, 2))] = tr.Bytes()
		},
		"owner changed in the same epoch": func(w *world) {
			steal(w)
			d, err := state.GetDevice(w.ledger.present, dev)
			if err != nil {
				t.Fatal(err)
			}
			d.Epoch = 1
			put(w, state.DeviceKey(dev), d)
		},
		"keys added without a rotation": func(w *world) {
			a := account(w)
			a.KeySet.Keys = append(a.KeySet.Keys, tx.AccountKey{Key: thief.Public(), Rights: tx.RightInvoke})
			put(w, state.AccountKey(w.owner.Public().AccountID()), a)
		},
		"rotation signed by the thief": func(w *world) {
			p := &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: thief.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}}
			rt := w.build(w.owner, p)
			rt.Sign(w.chain, tx.RoleAccount, thief)
			rt.Sign(w.chain, tx.RoleNewKey, thief)
			w.ledger.present[string(state.KeyChangeKey(w.owner.Public().AccountID(), 1))] = rt.Bytes()
			a := account(w)
			a.KeySet = state.KeySet{Version: 1, Threshold: 1, Keys: p.Keys}
			put(w, state.AccountKey(w.owner.Public().AccountID()), a)
		},
		"device gone":     func(w *world) { delete(w.ledger.present, string(state.DeviceKey(dev))) },
		"device garbled":  func(w *world) { w.ledger.present[string(state.DeviceKey(dev))] = []byte{1} },
		"account gone":    func(w *world) { delete(w.ledger.present, string(state.AccountKey(w.owner.Public().AccountID()))) },
		"epoch went back": func(w *world) { put(w, state.DeviceKey(dev), state.Device{Key: w.device.Public()}) },
	}
	for name, lie := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, gate.Limits{})
			honest := map[string][]byte{}
			for k, v := range w.ledger.present {
				honest[k] = v
			}
			before, _ := w.gate.Owner()
			lie(w)
			w.ledger.block(w.now, true)
			for _, epoch := range []uint64{1, 2} {
				b := w.body()
				b.Epoch, b.Principal, b.Key = epoch, thief.Public().AccountID(), thief.Public().ID()
				w.refused(w.sign(b, thief), command.Untrusted)
				b.Principal = w.owner.Public().AccountID()
				w.refused(w.sign(b, thief), command.Untrusted)
			}
			w.refused(w.sign(w.body(), w.owner), command.Untrusted)
			w.refused(w.sign(w.guestBody(), w.guest), command.Untrusted)
			w.restart()
			w.refused(w.sign(w.body(), w.owner), command.Untrusted)
			if after, _ := w.gate.Owner(); after.Epoch != before.Epoch || after.Owner.Account != before.Owner.Account || after.Owner.Keys.Version != 0 {
				t.Fatal("the device took over what nobody signed")
			}
			// Once the ledger tells the truth again, the owner is obeyed.
			w.ledger.present = honest
			w.ledger.block(w.now, true)
			w.ok(w.sign(w.body(), w.owner))
		})
	}
}

func TestHandle_ForgedGrants(t *testing.T) {
	dev := newKey(1).Public().DeviceID()
	payload := func(w *world) *tx.CreateGrant {
		return &tx.CreateGrant{
			Grantee: w.stranger.Public(), NotBefore: 1, NotAfter: uint64(w.now.Unix()) + 60,
			Targets: []tx.Target{{Device: dev, Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
		}
	}
	cases := map[string]struct {
		forge func(w *world) (tx.ID, state.Grant)
		code  command.Code
	}{
		"signed by the thief": {func(w *world) (tx.ID, state.Grant) {
			g := w.build(w.owner, payload(w))
			g.Sign(w.chain, tx.RoleAccount, w.stranger)
			return g.ID(w.chain), state.Grant{Issuer: w.owner.Public().AccountID(), Status: state.Active, Tx: g.Bytes()}
		}, command.ForgedGrant},
		"another's transaction under the owner's name": {func(w *world) (tx.ID, state.Grant) {
			g := w.build(w.stranger, payload(w), tx.RoleAccount)
			return g.ID(w.chain), state.Grant{Issuer: w.owner.Public().AccountID(), Status: state.Active, Tx: g.Bytes()}
		}, command.ForgedGrant},
		"by a stranger": {func(w *world) (tx.ID, state.Grant) {
			g := w.build(w.stranger, payload(w), tx.RoleAccount)
			return g.ID(w.chain), state.Grant{Issuer: w.stranger.Public().AccountID(), Status: state.Active, Tx: g.Bytes()}
		}, command.NotGranted},
		"the owner's transaction under another id": {func(w *world) (tx.ID, state.Grant) {
			g, err := state.GetGrant(w.ledger.present, w.grant)
			if err != nil {
				t.Fatal(err)
			}
			return tx.ID{9}, g
		}, command.ForgedGrant},
		"no transaction": {func(w *world) (tx.ID, state.Grant) {
			return tx.ID{9}, state.Grant{Issuer: w.owner.Public().AccountID(), Status: state.Active}
		}, command.ForgedGrant},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, gate.Limits{})
			id, g := c.forge(w)
			w.ledger.present[string(state.GrantKey(id))] = codec.MustMarshal(g)
			w.ledger.block(w.now, true)
			b := w.body()
			b.Principal, b.Key, b.Grant = w.stranger.Public().AccountID(), w.stranger.Public().ID(), &id
			w.refused(w.sign(b, w.stranger), c.code)
			w.ok(w.sign(w.guestBody(), w.guest))
		})
	}
}

// A revoked grant that validators bring back to life is dead on a device that
// saw the revocation, and a transfer that both signed moves the device on.
func TestHandle_RevocationIsForGood(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	alive := w.ledger.present[string(state.GrantKey(w.grant))]
	w.ok(w.sign(w.guestBody(), w.guest))
	w.revoke()
	w.refused(w.sign(w.guestBody(), w.guest), command.GrantRevoked)
	w.ledger.present[string(state.GrantKey(w.grant))] = alive
	w.ledger.block(w.now, true)
	w.refused(w.sign(w.guestBody(), w.guest), command.GrantRevoked)
}

func TestHandle_TransferAndRotation(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	buyer, phone := newKey(20), newKey(21)
	w.ok(w.sign(w.body(), w.owner))
	late := w.sign(w.body(), w.owner)

	// A phone key that may only invoke; then the root key may no longer.
	rotate := w.build(w.owner, &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{
		{Key: w.owner.Public(), Rights: tx.RightAdmin}, {Key: phone.Public(), Rights: tx.RightInvoke},
	}}, tx.RoleAccount)
	rotate.Sign(w.chain, tx.RoleNewKey, phone)
	w.commit(rotate)
	b := w.body()
	b.Key = phone.Public().ID()
	w.ok(w.sign(b, phone))
	w.refused(w.sign(w.body(), w.owner), command.NotAllowed)
	w.ok(w.sign(w.guestBody(), w.guest)) // the owner's key still stands behind the grant

	root := buyer.Public()
	sale := w.build(w.owner, &tx.Transfer{Device: w.device.Public().DeviceID(), Epoch: 2, To: root.AccountID(), Root: &root}, tx.RoleAccount)
	sale.Sign(w.chain, tx.RoleNewOwner, buyer)
	w.commit(sale)
	b = w.body()
	b.Principal, b.Key, b.Epoch = root.AccountID(), root.ID(), 2
	first := w.sign(b, buyer)
	w.ok(first)
	w.refused(late, command.StaleEpoch)
	w.refused(w.sign(w.guestBody(), w.guest), command.StaleEpoch)
	b = w.guestBody()
	b.Epoch = 2
	w.refused(w.sign(b, w.guest), command.NotGranted) // a grant of the old owner's
	w.restart()
	w.refused(late, command.StaleEpoch)
	b = w.body()
	b.Principal, b.Key, b.Epoch = root.AccountID(), root.ID(), 2
	w.ok(w.sign(b, buyer))
}

func TestHandle_ActuatorOutcomes(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		status command.Status
		code   command.Code
	}{
		{"refused", &command.Error{Code: command.Failed, Detail: "jammed"}, command.Rejected, command.Failed},
		{"no such method after all", &command.Error{Code: command.NoMethod}, command.Rejected, command.NoMethod},
		{"too slow", context.DeadlineExceeded, command.Unknown, command.TimedOut},
		{"gone", errors.New("connection lost"), command.Unknown, command.Interrupted},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, gate.Limits{})
			w.bolt.do = func(context.Context, gate.Order) ([]byte, error) { return nil, c.err }
			raw := w.sign(w.body(), w.owner)
			r := w.send(raw)
			if r.Body.Status != c.status || r.Body.Code != c.code || r.Body.Counter != 1 {
				t.Fatalf("got %s %s, counter %d", r.Body.Status, r.Body.Code, r.Body.Counter)
			}
			w.bolt.do = nil
			if again := w.send(raw); !bytes.Equal(again.Bytes(), r.Bytes()) || w.bolt.total() != 1 {
				t.Fatal("the command was tried again")
			}
		})
	}
}

// The sender's going away does not cut an actuation short, and whoever sends
// the same bytes meanwhile waits for the one receipt.
func TestHandle_SameBytesAtOnce(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	begun, end := make(chan struct{}), make(chan struct{})
	w.bolt.do = func(ctx context.Context, _ gate.Order) ([]byte, error) {
		close(begun)
		<-end
		return nil, ctx.Err()
	}
	raw := w.sign(w.body(), w.owner)
	ctx, cancel := context.WithCancel(context.Background())
	answers := make(chan []byte, 9)
	var wg sync.WaitGroup
	wg.Go(func() { answers <- w.gate.Handle(ctx, "a", raw) })
	<-begun
	cancel()
	for range 8 {
		wg.Go(func() { answers <- w.gate.Handle(context.Background(), "b", raw) })
	}
	close(end)
	wg.Wait()
	close(answers)
	first := <-answers
	w.decode(raw, first)
	for a := range answers {
		if !bytes.Equal(a, first) {
			t.Fatal("two receipts for one command")
		}
	}
	if w.bolt.total() != 1 {
		t.Fatalf("%d actuations", w.bolt.total())
	}
}

func TestHandle_ConcurrentChain(t *testing.T) {
	w := newWorld(t, gate.Limits{Running: 64})
	var raws [][]byte
	for range 60 {
		raws = append(raws, w.sign(w.body(), w.owner))
	}
	receipts := make([]*command.Receipt, len(raws))
	var wg sync.WaitGroup
	for i, raw := range raws {
		wg.Go(func() {
			r, err := command.DecodeReceipt(w.gate.Handle(context.Background(), "p", raw))
			if err == nil {
				receipts[i] = r
			}
		})
	}
	wg.Wait()
	slices.SortFunc(receipts, func(a, b *command.Receipt) int { return int(a.Body.Counter) - int(b.Body.Counter) })
	var prev []byte
	for i, r := range receipts {
		if r.Body.Status != command.Executed || r.Body.Counter != uint64(i+1) || !bytes.Equal(r.Body.Prev, prev) {
			t.Fatalf("receipt %d: %+v", i, r.Body)
		}
		h := r.Hash()
		prev = h[:]
	}
	w.restart()
	if w.gate.Receipts() != 60 {
		t.Fatal("counter lost")
	}
	if r := w.ok(w.sign(w.body(), w.owner)); !bytes.Equal(r.Body.Prev, prev) {
		t.Fatal("chain broken by the restart")
	}
}

// A power cut at any moment: never two actuations, and a retry is told the
// truth.
func TestHandle_PowerCut(t *testing.T) {
	for seed := range uint64(8) {
		for _, when := range []string{"between intent and actuation", "between actuation and receipt", "after the receipt"} {
			disk := vaulttest.New()
			w := unowned(t, gate.Limits{})
			w.vault.Close()
			w.fs = disk
			w.open()
			own, err := state.VerifyClaim(w.chain, w.device.Public(), state.NewPin(w.owner.Public()), w.claim())
			if err != nil {
				t.Fatal(err)
			}
			if err := w.gate.Arm(own); err != nil {
				t.Fatal(err)
			}
			var crashed *vaulttest.Disk
			done := 0
			w.bolt.do = func(context.Context, gate.Order) ([]byte, error) {
				if when == "between intent and actuation" {
					crashed = disk.Crash(seed)
					return nil, nil
				}
				done++
				if when == "between actuation and receipt" {
					crashed = disk.Crash(seed)
				}
				return nil, nil
			}
			raw := w.sign(w.body(), w.owner)
			before := w.gate.Handle(context.Background(), "p", raw)
			if when == "after the receipt" {
				crashed = disk.Crash(seed)
			}
			w.vault.Close()
			w.fs = crashed
			w.open()
			w.bolt.do = func(context.Context, gate.Order) ([]byte, error) { done++; return nil, nil }
			r := w.send(raw)
			if when == "after the receipt" {
				if !bytes.Equal(r.Bytes(), before) {
					t.Fatal("the receipt changed")
				}
			} else if r.Body.Status != command.Unknown || r.Body.Code != command.Interrupted || r.Body.Counter != 1 {
				t.Fatalf("%s: %s %s", when, r.Body.Status, r.Body.Code)
			}
			if again := w.send(raw); !bytes.Equal(again.Bytes(), r.Bytes()) {
				t.Fatalf("%s: another receipt on the second retry", when)
			}
			if done > 1 {
				t.Fatalf("%s: %d actuations", when, done)
			}
			w.ok(w.sign(w.body(), w.owner))
		}
	}
}

func TestHandle_FullDisk(t *testing.T) {
	disk := vaulttest.New()
	w := unowned(t, gate.Limits{})
	w.vault.Close()
	w.fs = disk
	w.open()
	own, err := state.VerifyClaim(w.chain, w.device.Public(), state.NewPin(w.owner.Public()), w.claim())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.gate.Arm(own); err != nil {
		t.Fatal(err)
	}
	w.ok(w.sign(w.body(), w.owner))
	lost := w.sign(w.body(), w.owner)
	w.bolt.do = func(context.Context, gate.Order) ([]byte, error) { disk.Fill(0); return nil, nil }
	if r := w.send(lost); r.Body.Status != command.Unknown || r.Body.Code != command.Internal || r.Body.Counter != 0 {
		t.Fatalf("receipt not stored: %s %s", r.Body.Status, r.Body.Code)
	}
	count := w.bolt.total()
	for range 2 {
		r := w.send(w.sign(w.body(), w.owner))
		if r.Body.Status != command.Deferred || r.Body.Code != command.Internal || w.bolt.total() != count {
			t.Fatalf("intent not stored: %s %s, %d actuations", r.Body.Status, r.Body.Code, w.bolt.total()-count)
		}
	}
	<-w.vault.Failed()
	w.vault.Close()
	w.fs = disk.Crash(1)
	w.bolt.do = nil
	w.open()
	if r := w.send(lost); r.Body.Status != command.Unknown || r.Body.Code != command.Interrupted {
		t.Fatalf("after the restart: %s %s", r.Body.Status, r.Body.Code)
	}
	w.ok(w.sign(w.body(), w.owner))
}

// A flood by strangers is answered, then ignored; the owner's connection goes
// on.
func TestHandle_Flood(t *testing.T) {
	w := newWorld(t, gate.Limits{Strangers: 20, Lookups: 2, PerPeer: 500, PerKey: 30})
	ctx := context.Background()
	w.ok(w.sign(w.body(), w.owner)) // "peer" is known from now on
	b := w.body()
	b.Key = w.stranger.Public().ID()
	junk := w.sign(b, w.stranger)
	counts := map[command.Code]int{}
	ignored := 0
	disk := w.disk()
	for i := range 1000 {
		raw := junk
		if i%2 == 0 {
			raw = []byte("junk")
		}
		answer := w.gate.Handle(ctx, "stranger", raw)
		if answer == nil {
			ignored++
			continue
		}
		counts[w.decode(raw, answer).Body.Code]++
	}
	if ignored < 900 || counts[command.RateLimited] == 0 || counts[command.RateLimited] > 60 || counts[command.Malformed] == 0 {
		t.Fatalf("%d ignored, answers %v", ignored, counts)
	}
	if w.disk() != disk {
		t.Fatal("a flood was written to disk")
	}
	w.ok(w.sign(w.body(), w.owner))
	// A key that is authentic but wild is held back, and may go on later.
	limited := false
	for range 80 {
		r := w.send(w.sign(w.body(), w.owner))
		limited = limited || r.Body.Code == command.RateLimited && r.Body.Status == command.Deferred
	}
	if !limited {
		t.Fatal("no limit per key")
	}
	w.now = w.now.Add(5 * time.Second)
	w.ok(w.sign(w.body(), w.owner))
}

func TestHandle_TooManyRunningOrRemembered(t *testing.T) {
	w := newWorld(t, gate.Limits{Running: 1, Records: 3})
	begun, end := make(chan struct{}), make(chan struct{})
	w.bolt.do = func(context.Context, gate.Order) ([]byte, error) { close(begun); <-end; return nil, nil }
	raw := w.sign(w.body(), w.owner)
	answer := make(chan []byte)
	go func() { answer <- w.gate.Handle(context.Background(), "p", raw) }()
	<-begun
	w.want(w.sign(w.body(), w.owner), command.Deferred, command.RateLimited)
	close(end)
	w.decode(raw, <-answer)
	w.bolt.do = nil
	w.ok(w.sign(w.body(), w.owner))
	w.ok(w.sign(w.body(), w.owner))
	w.want(w.sign(w.body(), w.owner), command.Deferred, command.RateLimited)
	w.now = w.now.Add(31 * time.Second)
	w.ok(w.sign(w.body(), w.owner))
}

// The actuator's time runs out by itself.
func TestHandle_ActuatorTimeout(t *testing.T) {
	w := newWorld(t, gate.Limits{Actuate: time.Second})
	raw := w.sign(w.body(), w.owner)
	w.bolt.do = func(ctx context.Context, _ gate.Order) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
	if r := w.send(raw); r.Body.Status != command.Unknown || r.Body.Code != command.TimedOut {
		t.Fatalf("got %s %s", r.Body.Status, r.Body.Code)
	}
}

func TestOpen_Refusals(t *testing.T) {
	if _, err := gate.Open(gate.Config{}); err == nil {
		t.Fatal("opened without parts")
	}
}
