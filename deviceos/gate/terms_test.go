package gate_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/vault/vaulttest"
)

// terms is a grant to open the lock for two years, to be narrowed.
func (w *world) terms(narrow func(*tx.CreateGrant)) *tx.CreateGrant {
	p := &tx.CreateGrant{
		Grantee:   w.guest.Public(),
		Targets:   []tx.Target{{Device: w.device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open", "state"}}},
		NotBefore: uint64(w.now.Unix()), NotAfter: uint64(w.now.Add(2 * 365 * 24 * time.Hour).Unix()),
	}
	narrow(p)
	return p
}

// at moves the time on, with a block.
func (w *world) at(t time.Time) {
	w.now = t
	w.ledger.block(t, true)
}

func TestHandle_Windows(t *testing.T) {
	w := newWorld(t, gate.Limits{}) // Monday, 09:00 UTC, which is 11:00 in Berlin
	w.grant = w.createGrant(w.terms(func(p *tx.CreateGrant) {
		p.Zone = "Europe/Berlin"
		p.Windows = []tx.Window{{Day: 1, From: 11 * 60, To: 12 * 60}, {Day: 7, From: 22 * 60, To: 24 * 60}}
	}))
	open := func() []byte { return w.sign(w.guestBody(), w.guest) }
	w.ok(open())
	w.at(time.Date(2026, 6, 1, 9, 59, 59, 0, time.UTC))
	w.ok(open())
	w.at(time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC))
	w.want(open(), command.Deferred, command.OutsideWindow)
	w.ok(w.sign(w.body(), w.owner)) // the owner has no windows
	w.at(time.Date(2026, 6, 7, 21, 59, 59, 0, time.UTC))
	w.ok(open()) // Sunday, 23:59:59
	w.at(time.Date(2026, 6, 7, 22, 0, 0, 0, time.UTC))
	w.want(open(), command.Deferred, command.OutsideWindow) // Monday, 00:00
	w.at(time.Date(2026, 12, 7, 9, 30, 0, 0, time.UTC))
	w.want(open(), command.Deferred, command.OutsideWindow) // in winter it is 10:30
	w.at(time.Date(2026, 12, 7, 10, 30, 0, 0, time.UTC))
	w.ok(open())
}

func TestHandle_UnknownZone(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.grant = w.createGrant(w.terms(func(p *tx.CreateGrant) {
		p.Zone, p.Windows = "Mars/Base_1", []tx.Window{{Day: 1, From: 0, To: 1440}}
	}))
	w.refused(w.sign(w.guestBody(), w.guest), command.UnknownZone)
}

// TestHoldsAt_ClockChanges: an hour that the clocks leave out does not come, one
// that they double comes twice.
func TestHoldsAt_ClockChanges(t *testing.T) {
	sunday := func(from, to uint16) *tx.CreateGrant {
		return &tx.CreateGrant{Zone: "Europe/Berlin", Windows: []tx.Window{{Day: 7, From: from, To: to}}}
	}
	small, large := sunday(2*60, 3*60), sunday(1*60+30, 3*60+30)
	// On 28 March 2027 the clocks go from 02:00 to 03:00 at 01:00 UTC; on
	// 31 October from 03:00 back to 02:00 at 01:00 UTC.
	for _, c := range []struct {
		at           string
		small, large bool
	}{
		{"2027-03-28T00:29:59Z", false, false}, // 01:29:59
		{"2027-03-28T00:30:00Z", false, true},
		{"2027-03-28T00:59:59Z", false, true}, // 01:59:59, then 03:00:00
		{"2027-03-28T01:00:00Z", false, true},
		{"2027-03-28T01:29:59Z", false, true},
		{"2027-03-28T01:30:00Z", false, false},
		{"2027-10-30T23:59:59Z", false, true}, // 01:59:59
		{"2027-10-31T00:00:00Z", true, true},
		{"2027-10-31T00:59:59Z", true, true}, // 02:59:59, then 02:00:00 again
		{"2027-10-31T01:00:00Z", true, true},
		{"2027-10-31T01:59:59Z", true, true},
		{"2027-10-31T02:00:00Z", false, true}, // 03:00
		{"2027-10-31T02:30:00Z", false, false},
		{"2027-11-01T01:30:00Z", false, false}, // Monday
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if s, l := gate.HoldsAt(t, small, at), gate.HoldsAt(t, large, at); s != c.small || l != c.large {
			t.Errorf("at %s: %v and %v, want %v and %v", c.at, s, l, c.small, c.large)
		}
	}
}

func TestHandle_Uses(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.grant = w.createGrant(w.terms(func(p *tx.CreateGrant) { p.Uses = 3 }))
	open := func() []byte { return w.sign(w.guestBody(), w.guest) }
	first := open()
	r := w.ok(first)
	if again := w.send(first); !bytes.Equal(again.Bytes(), r.Bytes()) {
		t.Fatal("a retry has another receipt")
	}
	w.refused(w.sign(w.guestBody(), w.stranger), command.UnknownKey) // costs nothing
	w.bolt.do = func(context.Context, gate.Order) ([]byte, error) {
		return nil, &command.Error{Code: command.Failed, Detail: "jammed"}
	}
	w.send(open()) // begun: it counts, whatever became of it
	w.bolt.do = nil
	w.restart()
	w.ok(open())
	w.refused(open(), command.UsedUp)
	w.restart()
	w.refused(open(), command.UsedUp)
	w.refused(w.sign(func() command.Body { b := w.guestBody(); b.Method = "state"; return b }(), w.guest), command.UsedUp)
	if again := w.send(first); !bytes.Equal(again.Bytes(), r.Bytes()) {
		t.Fatal("the first command's receipt is gone")
	}
	w.ok(w.sign(w.body(), w.owner))
}

func TestHandle_Rate(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.grant = w.createGrant(w.terms(func(p *tx.CreateGrant) { p.Rate = &tx.Rate{Count: 2, Period: 60} }))
	open := func() []byte { return w.sign(w.guestBody(), w.guest) }
	begin := w.now
	w.ok(open())
	w.at(begin.Add(40 * time.Second))
	w.ok(open())
	w.want(open(), command.Deferred, command.GrantRate)
	w.restart()
	w.at(begin.Add(60*time.Second - time.Millisecond))
	w.want(open(), command.Deferred, command.GrantRate)
	w.at(begin.Add(60 * time.Second))
	w.ok(open()) // the first has left the span, the second has not
	w.want(open(), command.Deferred, command.GrantRate)
	w.at(begin.Add(100 * time.Second))
	w.ok(open())
	w.want(open(), command.Deferred, command.GrantRate)
}

// TestHandle_UsesOverPowerCut: the use is on the disk before anything moves, and
// a power cut at any moment never gives it back.
func TestHandle_UsesOverPowerCut(t *testing.T) {
	for seed := range uint64(8) {
		disk := vaulttest.New()
		w := worldOn(t, disk)
		w.grant = w.createGrant(w.terms(func(p *tx.CreateGrant) { p.Uses = 1 }))
		var crashed *vaulttest.Disk
		w.bolt.do = func(context.Context, gate.Order) ([]byte, error) {
			crashed = disk.Crash(seed) // the bolt moves as the power goes
			return nil, nil
		}
		w.send(w.sign(w.guestBody(), w.guest))
		w.bolt.do = nil
		w.fs = crashed
		w.open()
		w.refused(w.sign(w.guestBody(), w.guest), command.UsedUp)
	}
}
