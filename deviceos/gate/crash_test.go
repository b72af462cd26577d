package gate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/vault/vaulttest"
)

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

// TestHandle_ActuatorPanics: the outcome is unknown, and the gate goes on.
func TestHandle_ActuatorPanics(t *testing.T) {
	w := newWorld(t, gate.Limits{Running: 1})
	w.bolt.do = func(context.Context, gate.Order) ([]byte, error) { panic("own fault") }
	raw := w.sign(w.body(), w.owner)
	r := w.send(raw)
	if r.Body.Status != command.Unknown || r.Body.Code != command.Interrupted {
		t.Fatalf("got %s %s", r.Body.Status, r.Body.Code)
	}
	w.bolt.do = nil
	if again := w.send(raw); !bytes.Equal(again.Bytes(), r.Bytes()) || w.bolt.total() != 1 {
		t.Fatal("the command was tried again")
	}
	w.ok(w.sign(w.body(), w.owner))
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

// Many strangers flood together; an owner and a guest whose programs have just
// started, strangers themselves, still get through at once.
func TestHandle_FloodAndNewPeers(t *testing.T) {
	w := newWorld(t, gate.Limits{Strangers: 20, Lookups: 10})
	b := w.body()
	unknown := tx.ID{1}
	b.Grant, b.Key, b.Principal = &unknown, w.stranger.Public().ID(), w.stranger.Public().AccountID()
	junk := w.sign(b, w.stranger)
	for i := range 2000 {
		w.gate.Handle(context.Background(), fmt.Sprint("stranger ", i%16), junk)
	}
	for name, raw := range map[string][]byte{"owner": w.sign(w.body(), w.owner), "guest": w.sign(w.guestBody(), w.guest)} {
		answer := w.gate.Handle(context.Background(), name, raw)
		if answer == nil {
			t.Fatalf("%s is ignored", name)
		}
		if r := w.decode(raw, answer); r.Body.Status != command.Executed {
			t.Fatalf("%s: %s %s", name, r.Body.Status, r.Body.Code)
		}
		if !w.gate.Knows(name) || w.gate.Knows("stranger 1") {
			t.Fatal("not known by its command, or a stranger is")
		}
	}
}

// A node of the device's own hands on many people's commands: a few bad ones of
// some do not shut the others out, as they would if the node were a stranger.
func TestHandle_FloodThroughTrustedNode(t *testing.T) {
	w := newWorld(t, gate.Limits{Strangers: 50, Lookups: 10, PerPeer: 200})
	b := w.body()
	b.Key = w.stranger.Public().ID()
	junk := w.sign(b, w.stranger)
	flood := func(node string) []byte {
		for range 100 {
			w.gate.Handle(context.Background(), node, junk)
		}
		return w.gate.Handle(context.Background(), node, w.sign(w.body(), w.owner))
	}
	w.gate.Trust("own node")
	raw := w.sign(w.body(), w.owner)
	if r, err := command.DecodeReceipt(flood("own node")); err != nil || r.Body.Status != command.Executed {
		t.Fatalf("the owner is shut out: %v %+v", err, r)
	}
	if r, err := command.DecodeReceipt(flood("other node")); err == nil && r.Body.Code != command.RateLimited {
		t.Fatalf("a stranger may do the same: %s", r.Body.Code)
	}
	w.ok(raw)
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
