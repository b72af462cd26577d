package adversary_test

import (
	"errors"
	"runtime"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// heap is what the process holds after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// flood makes an attack of n bad commands; the good one after them is answered
// and the device holds and keeps no more than before.
func flood(n int, bad func(w *world, i int) []byte) func(*world) []byte {
	return func(w *world) []byte {
		w.ok(w.owned(nil))
		kept, at, before := w.kept(), w.nonce, heap()
		for i := range n {
			_, _ = w.ask(bad(w, i)) // the verdicts have rows of their own
		}
		w.nonce = at
		w.unchanged(kept)
		if grown := heap() - before; grown > maxGrown {
			w.t.Fatalf("%d bytes more are held after %d bad commands", grown, n)
		}
		return w.owned(nil)
	}
}

// maxGrown allows for what the runtime and the transports hold after a while;
// the smallest memory of each of the bad commands would be more.
const maxGrown = 512 << 10

const many = 1500

// meek are the gate's own limits, which other attacks have out of their way.
var meek = gate.Limits{Strangers: 5, Lookups: 2, PerKey: 100, PerPeer: 100}

var resources = []attack{
	{name: "a flood of garbage", alone: true, bytes: flood(many, func(_ *world, i int) []byte { return []byte{byte(i), byte(i >> 8), 1} }), code: command.OK},
	{name: "a flood of commands by strangers, each another", alone: true, bytes: flood(many, func(w *world, i int) []byte {
		return w.sign(w.body(func(b *command.Body) {
			b.Key[0], b.Key[1], b.Salt = byte(i), byte(i>>8), uint64(i)
			b.Nonce = 1
		}), stranger)
	}), code: command.OK},
	{name: "a flood of spoilt signatures in new lanes", alone: true, bytes: flood(many, func(w *world, i int) []byte {
		return spoilt(w.owned(func(b *command.Body) { b.Salt, b.Nonce = uint64(1000+i), 1 }))
	}), code: command.OK},
	{name: "a flood under grants that do not exist", alone: true, bytes: flood(200, func(w *world, i int) []byte {
		return w.lent(func(b *command.Body) {
			g := w.grant
			g[0], g[1] = byte(i), ^g[1]
			b.Grant, b.Nonce = &g, 1
		})
	}), code: command.OK},
	{name: "a flood of the longest commands there are", alone: true, bytes: flood(300, func(w *world, i int) []byte {
		return spoilt(w.owned(func(b *command.Body) { b.Params, b.Nonce = make([]byte, 2800), 100_000 }))
	}), code: command.OK},
	{name: "strangers get no answer when their share is used up", limits: meek, bytes: func(w *world) []byte {
		raw := w.sign(w.body(func(b *command.Body) { b.Key = stranger.Public().ID() }), stranger)
		for range 200 {
			if _, err := w.ask(raw); errors.Is(err, errNoAnswer) {
				return raw
			}
		}
		w.t.Fatal("200 strangers were all answered")
		return nil
	}, code: silence},
	{name: "positive control: the owner after a flood, by the same peer that has proven itself", limits: meek, bytes: func(w *world) []byte {
		w.ok(w.owned(nil))
		for range 30 {
			_, _ = w.ask(w.sign(w.body(func(b *command.Body) { b.Key, b.Nonce = stranger.Public().ID(), 1 }), stranger))
		}
		return w.owned(nil)
	}, code: command.OK},
	{name: "a key over its rate", limits: gate.Limits{PerKey: 1, PerPeer: 1e6, Strangers: 1e6, Lookups: 1e6}, bytes: func(w *world) []byte {
		for range 2 {
			w.ok(w.owned(nil))
		}
		return w.owned(nil)
	}, status: command.Deferred, code: command.RateLimited},
	{name: "a guest over his rate does not use up the owner's", limits: gate.Limits{PerKey: 1, PerPeer: 1e6, Strangers: 1e6, Lookups: 1e6}, bytes: func(w *world) []byte {
		for range 4 {
			_, _ = w.ask(w.lent(nil))
		}
		return w.owned(nil)
	}, code: command.OK},
	{name: "a spoilt signature does not use up the key's rate", limits: gate.Limits{PerKey: 1, PerPeer: 1e6, Strangers: 1e6, Lookups: 1e6}, bytes: func(w *world) []byte {
		for range 20 {
			_, _ = w.ask(spoilt(w.owned(nil)))
		}
		return w.owned(nil)
	}, code: command.OK},
	{name: "more commands than the device remembers", limits: gate.Limits{Records: 4}, bytes: func(w *world) []byte {
		for range 4 {
			w.ok(w.owned(nil))
		}
		return w.owned(nil)
	}, status: command.Deferred, code: command.RateLimited},
	{name: "one command too many at a time", limits: gate.Limits{Running: 1}, bytes: func(w *world) []byte {
		begun, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
		w.bolt.hold = func() { close(begun); <-end }
		first := w.owned(nil)
		go func() { defer close(done); w.gate.Load().Handle(w.t.Context(), "first", first) }()
		<-begun
		w.bolt.mu.Lock()
		w.bolt.hold = nil
		w.bolt.mu.Unlock()
		w.t.Cleanup(func() { close(end); <-done })
		return w.owned(nil)
	}, status: command.Deferred, code: command.RateLimited},
}
