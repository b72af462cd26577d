package adversary_test

import (
	"slices"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// at is a good command of the owner's with this nonce.
func (w *world) at(nonce uint64) []byte {
	return w.owned(func(b *command.Body) {
		b.Nonce = nonce
		b.Params = []byte{byte(w.nonce), byte(w.nonce >> 8)} // no two are the same command
	})
}

// after makes an attack of a command with a nonce, sent after others.
func after(nonces []uint64, last uint64) func(*world) []byte {
	return func(w *world) []byte {
		for _, n := range nonces {
			w.ok(w.at(n))
		}
		return w.at(last)
	}
}

// done makes an attack of a command that was obeyed before something.
func done(then func(w *world, raw []byte) []byte) func(*world) []byte {
	return func(w *world) []byte {
		raw := w.owned(nil)
		w.ok(raw)
		return then(w, raw)
	}
}

// spoilt has another last byte, which is one of the signature.
func spoilt(raw []byte) []byte {
	bad := slices.Clone(raw)
	bad[len(bad)-1] ^= 1
	return bad
}

var replay = []attack{
	{name: "positive control: the first of a lane", bytes: after(nil, 1), code: command.OK},
	{name: "positive control: in order", bytes: after([]uint64{1, 2, 3}, 4), code: command.OK},
	{name: "positive control: out of order", bytes: after([]uint64{9, 3}, 5), code: command.OK},
	{name: "positive control: the lowest in the window", bytes: after([]uint64{100}, 37), code: command.OK},
	{name: "positive control: the widest jump", bytes: after([]uint64{1}, 1+gate.MaxJump), code: command.OK},
	{name: "positive control: a second lane of the key", bytes: func(w *world) []byte {
		w.ok(w.at(50))
		return w.owned(func(b *command.Body) { b.Salt, b.Nonce = 8, 1 })
	}, code: command.OK},

	{name: "the same bytes again", bytes: done(func(_ *world, raw []byte) []byte { return raw }), code: command.OK, again: true},
	{name: "the same bytes after a restart", bytes: done(func(w *world, raw []byte) []byte { w.restart(); return raw }), code: command.OK, again: true},
	{name: "the same bytes when they have expired", bytes: done(func(w *world, raw []byte) []byte { w.pass(2 * time.Minute); return raw }), code: command.OK, again: true},
	{name: "the same bytes after a restart, when they have expired", bytes: done(func(w *world, raw []byte) []byte {
		w.restart()
		w.pass(2 * time.Minute)
		return raw
	}), code: command.OK, again: true},
	{name: "the same bytes in the middle of others", bytes: done(func(w *world, raw []byte) []byte {
		for range 70 {
			w.ok(w.owned(nil))
		}
		return raw
	}), code: command.OK, again: true},
	{name: "the same bytes after the transfer", bytes: done(func(w *world, raw []byte) []byte { w.transfer(2, owner, stranger); return raw }), code: command.OK, again: true},
	{name: "the guest's bytes again, the grant ended meanwhile", bytes: func(w *world) []byte {
		raw := w.lent(nil)
		w.ok(raw)
		w.revoke(w.grant)
		return raw
	}, code: command.OK, again: true},
	{name: "a second assertion of the same command", bytes: func(w *world) []byte {
		phone := keytest.Phone("phone")
		w.addKeys(phone)
		b := w.body(func(b *command.Body) { b.Key = phone.Public().ID() })
		w.ok(w.sign(b, phone))
		return w.sign(b, phone.With(func(a *keytest.Assertion) { a.Count = 7 }))
	}, code: command.OK, again: true},
	{name: "a done command with a spoilt signature", bytes: done(func(_ *world, raw []byte) []byte { return spoilt(raw) }), status: command.Unknown, code: command.BadSignature},
	{name: "a done command with a spoilt signature, expired", bytes: done(func(w *world, raw []byte) []byte {
		w.pass(2 * time.Minute)
		return spoilt(raw)
	}), status: command.Unknown, code: command.BadSignature},
	{name: "a done command in its high form", bytes: done(func(w *world, raw []byte) []byte {
		c, err := command.Decode(raw)
		w.check(err)
		c.Sigs[0].Bytes = negate(c.Sigs[0].Bytes)
		return c.Bytes()
	}), status: command.Unknown, code: command.HighS},
	{name: "a done command that the device has forgotten", bytes: done(func(w *world, raw []byte) []byte {
		w.pass(time.Hour)
		w.ok(w.owned(nil))
		return raw
	}), status: command.Unknown, code: command.Expired},
	{name: "a done command, forgotten, after a restart", bytes: done(func(w *world, raw []byte) []byte {
		w.pass(time.Hour)
		w.ok(w.owned(nil))
		w.restart()
		return raw
	}), status: command.Unknown, code: command.Expired},
	{name: "another command with a used nonce", bytes: after([]uint64{5}, 5), code: command.Replayed},
	{name: "another command with a used nonce, after a restart", bytes: func(w *world) []byte {
		w.ok(w.at(5))
		w.restart()
		return w.at(5)
	}, code: command.Replayed},
	{name: "a nonce below the window", bytes: after([]uint64{100}, 36), code: command.Replayed},
	{name: "a nonce far below the window", bytes: after([]uint64{1000}, 1), code: command.Replayed},
	{name: "a nonce that was used before the window moved", bytes: after([]uint64{37, 100}, 37), code: command.Replayed},
	{name: "a nonce just too far", bytes: after(nil, gate.MaxJump+1), code: command.JumpTooFar},
	{name: "the greatest nonce there is", bytes: after([]uint64{1}, 1<<64-1), code: command.JumpTooFar},
	{name: "a spoilt command uses up no nonce", bytes: func(w *world) []byte {
		bad := w.at(3)
		if r, err := w.ask(spoilt(bad)); err != nil || r.Body.Code != command.BadSignature {
			w.t.Fatalf("%v, %v", r, err)
		}
		return bad
	}, code: command.OK},
	{name: "one lane too many", bytes: func(w *world) []byte {
		for salt := range uint64(gate.MaxLanesPerKey) {
			w.ok(w.owned(func(b *command.Body) { b.Salt, b.Nonce = 100+salt, 1 }))
		}
		return w.owned(func(b *command.Body) { b.Salt, b.Nonce = 99, 1 })
	}, status: command.Deferred, code: command.TooManyLanes},
	{name: "a command of a lane that made room for others", bytes: func(w *world) []byte {
		raw := w.owned(func(b *command.Body) { b.Salt, b.Nonce = 100, 1 })
		w.ok(raw)
		w.pass(31 * time.Second)
		for salt := range uint64(gate.MaxLanesPerKey) {
			w.ok(w.owned(func(b *command.Body) { b.Salt, b.Nonce = 101+salt, 1 }))
		}
		return raw
	}, code: command.OK, again: true},
	{name: "the guest with the owner's lane and nonce", bytes: func(w *world) []byte {
		w.ok(w.at(5))
		return w.lent(func(b *command.Body) { b.Nonce = 5 }) // lanes are the keys' own
	}, code: command.OK},
}

// stale is a command that was issued d ago.
func stale(d time.Duration, life time.Duration) func(*world) []byte {
	return own(func(b *command.Body) {
		b.IssuedAt = uint64(int64(b.IssuedAt) - d.Milliseconds())
		b.Expires = b.IssuedAt + uint64(life.Milliseconds())
	})
}

var timing = []attack{
	{name: "positive control: the last moment", bytes: stale(59_999*time.Millisecond, time.Minute), code: command.OK},
	{name: "positive control: as far ahead as clocks may differ", bytes: stale(-gate.MaxAhead, time.Minute), code: command.OK},
	{name: "positive control: the longest life", bytes: stale(0, time.Minute), code: command.OK},
	{name: "a moment too late", bytes: stale(time.Minute, time.Minute), code: command.Expired},
	{name: "of last year", bytes: stale(365*24*time.Hour, time.Minute), code: command.Expired},
	{name: "of the year 1970", bytes: own(func(b *command.Body) { b.IssuedAt, b.Expires = 0, 1 }), code: command.Expired},
	{name: "a life of a moment too long", bytes: stale(0, time.Minute+time.Millisecond), code: command.LifeTooLong},
	{name: "a life without end", bytes: own(func(b *command.Body) { b.Expires = 1<<64 - 1 }), code: command.LifeTooLong},
	{name: "issued a moment too far ahead", bytes: stale(-gate.MaxAhead-time.Millisecond, time.Minute), status: command.Deferred, code: command.NotYet},
	{name: "issued at the end of time", bytes: own(func(b *command.Body) { b.IssuedAt, b.Expires = 1<<64-2, 1<<64-1 }), status: command.Deferred, code: command.NotYet},
	{name: "kept back until it has expired", bytes: func(w *world) []byte {
		raw := w.owned(nil)
		w.pass(31 * time.Second)
		return raw
	}, code: command.Expired},
	{name: "kept back, and the device's clock put back", bytes: func(w *world) []byte {
		raw := w.owned(nil)
		w.pass(31 * time.Second)
		w.drift(-time.Hour) // the newest header still tells the time
		return raw
	}, code: command.Expired},
	{name: "kept back, the clock put back and the power cut", bytes: func(w *world) []byte {
		raw := w.owned(nil)
		w.pass(31 * time.Second)
		w.ok(w.owned(nil)) // its intent keeps the time
		w.drift(-time.Hour)
		w.restart()
		return raw
	}, status: command.Unknown, code: command.Expired},
	{name: "first too early, then in time", bytes: func(w *world) []byte {
		raw := stale(-time.Minute, time.Minute)(w)
		if r, err := w.ask(raw); err != nil || r.Body.Code != command.NotYet || r.Body.Status != command.Deferred {
			w.t.Fatalf("%v, %v", r, err)
		}
		w.pass(40 * time.Second)
		return raw
	}, code: command.OK},
}
