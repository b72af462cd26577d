package gate_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// from sends a command as a peer.
func (w *world) from(peer string, raw []byte) command.Code {
	w.t.Helper()
	return w.decode(raw, w.gate.Handle(context.Background(), peer, raw)).Body.Code
}

// swept is who has no right left under the newest head.
func (w *world) swept() []string {
	w.t.Helper()
	if _, owned := w.gate.Owner(); owned {
		if err := w.gate.Refresh(context.Background()); err != nil {
			w.t.Log("refresh:", err)
		}
	}
	out := w.gate.Sweep()
	slices.Sort(out)
	return out
}

// TestSweep_Revoked: with the first head that shows the end of a grant, whoever
// used it is told apart from all others, once.
func TestSweep_Revoked(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	for peer, raw := range map[string][]byte{
		"owner": w.sign(w.body(), w.owner), "guest": w.sign(w.guestBody(), w.guest), "stranger": w.sign(w.body(), w.stranger),
		"both": w.sign(w.guestBody(), w.guest),
	} {
		if code := w.from(peer, raw); (code == command.OK) != (peer != "stranger") {
			t.Fatalf("%s: %s", peer, code)
		}
	}
	if code := w.from("both", w.sign(w.body(), w.owner)); code != command.OK {
		t.Fatal(code)
	}
	if got := w.swept(); len(got) != 0 {
		t.Fatalf("ended while all rights hold: %v", got)
	}
	w.revoke()
	if got := w.swept(); !slices.Equal(got, []string{"guest"}) {
		t.Fatalf("ended %v", got)
	}
	if got := w.swept(); len(got) != 0 {
		t.Fatalf("ended again: %v", got)
	}
}

// TestSweep_Expired: a grant that is over ends as one that was revoked.
func TestSweep_Expired(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.grant = w.createGrant(&tx.CreateGrant{
		Grantee:   w.guest.Public(),
		Targets:   []tx.Target{{Device: w.device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
		NotBefore: uint64(w.now.Unix()), NotAfter: uint64(w.now.Add(time.Minute).Unix()),
	})
	if code := w.from("guest", w.sign(w.guestBody(), w.guest)); code != command.OK {
		t.Fatal(code)
	}
	w.now = w.now.Add(2 * time.Minute)
	w.ledger.block(w.now, true)
	if got := w.swept(); !slices.Equal(got, []string{"guest"}) {
		t.Fatalf("ended %v", got)
	}
}

// TestSweep_Released: the owner's own streams end with the ownership.
func TestSweep_Released(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	for peer, raw := range map[string][]byte{"owner": w.sign(w.body(), w.owner), "guest": w.sign(w.guestBody(), w.guest)} {
		if code := w.from(peer, raw); code != command.OK {
			t.Fatal(code)
		}
	}
	w.execute(w.owner, &tx.Release{Device: w.device.Public().DeviceID(), Epoch: 2}, tx.RoleAccount)
	if got := w.swept(); !slices.Equal(got, []string{"guest", "owner"}) {
		t.Fatalf("ended %v", got)
	}
}

// TestSweep_Bounded: peers that come and go leave no more behind than there is
// room for; the newest are remembered.
func TestSweep_Bounded(t *testing.T) {
	w := newWorld(t, gate.Limits{PerKey: 1000})
	for i := range 200 {
		w.now = w.now.Add(time.Second)
		w.ledger.block(w.now, true)
		if code := w.from(fmt.Sprintf("peer %03d", i), w.sign(w.guestBody(), w.guest)); code != command.OK {
			t.Fatalf("peer %d: %s", i, code)
		}
	}
	w.revoke()
	if got := w.swept(); len(got) != 64 || got[63] != "peer 199" {
		t.Fatalf("%d ended, %v", len(got), got)
	}
}
