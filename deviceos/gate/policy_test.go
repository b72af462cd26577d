package gate_test

import (
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

func (w *world) id() key.DeviceID { return w.device.Public().DeviceID() }

// policy sets the next policy of the device.
func (w *world) policy(rules ...tx.MethodPolicy) *tx.Tx {
	w.t.Helper()
	d, err := state.GetDevice(w.ledger.present, w.id())
	if err != nil {
		w.t.Fatal(err)
	}
	return w.execute(w.owner, &tx.SetPolicy{Device: w.id(), Epoch: d.Epoch, Version: d.Policy + 1, Rules: rules}, tx.RoleAccount)
}

func demand(method string, class tx.Freshness, signers uint8) tx.MethodPolicy {
	return tx.MethodPolicy{Endpoint: "lock", Method: method, Class: class, Signers: signers}
}

// of is a command of the owner's for another method.
func (w *world) of(method string) []byte {
	b := w.body()
	b.Method = method
	return w.sign(b, w.owner)
}

// lie puts a record past all rules, as validators who act together can.
func (w *world) lie(k []byte, record any) {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	_ = w.ledger.present.Set(k, codec.MustMarshal(record))
}

// shows makes the device's record say another policy version.
func (w *world) shows(version uint64) {
	w.t.Helper()
	d, err := state.GetDevice(w.ledger.present, w.id())
	if err != nil {
		w.t.Fatal(err)
	}
	d.Policy = version
	w.lie(state.DeviceKey(w.id()), d)
	w.ledger.block(w.now, true)
}

// TestPolicy_Demands: what the owner asks for is asked of everybody, and of no
// other method; the next version takes it back.
func TestPolicy_Demands(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.ok(w.of("open"))
	w.policy(demand("open", tx.FreshAccess, 2), demand("state", tx.FreshSealed, 1))
	w.refused(w.of("open"), command.TooFewSigners)
	w.refused(w.sign(w.guestBody(), w.guest), command.TooFewSigners)
	w.want(w.of("state"), command.Deferred, command.NotSealed)
	w.ok(w.of("dim"))
	w.refused(w.of("melt"), command.NoMethod)
	w.restart()
	w.refused(w.of("open"), command.TooFewSigners)
	w.policy(demand("state", tx.FreshRead, 1))
	w.ok(w.of("open"))
	w.ok(w.of("state"))
	w.policy()
	w.ok(w.of("state"))
}

// TestPolicy_Class: a stricter class asks for a newer word of the ledger; a
// looser one goes down to the floor and no further.
func TestPolicy_Class(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.ok(w.of("dim"))
	old := 30 * time.Minute
	w.policy(demand("dim", tx.FreshAccess, 1))
	if err := w.gate.Refresh(t.Context()); err != nil { // as with every new head
		t.Fatal(err)
	}
	w.ok(w.of("dim"))
	w.now = w.now.Add(old)
	w.ledger.offline = true
	w.want(w.of("dim"), command.Deferred, command.Stale)
	w.ok(w.of("state"))
	w.ledger.offline = false
	w.ledger.block(w.now, false)
	w.ok(w.of("dim")) // asks for the newer header itself

	// Looser than the maker's class, and than the floor.
	for _, c := range []struct {
		name  string
		floor func(string, string) peripheral.Class
		age   time.Duration
		ok    bool
	}{
		{"no floor", nil, 10 * time.Minute, false},
		{"floor R1", func(string, string) peripheral.Class { return peripheral.Comfort }, 10 * time.Minute, true},
		{"floor R1, two hours", func(string, string) peripheral.Class { return peripheral.Comfort }, 2 * time.Hour, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, gate.Limits{})
			w.floor = c.floor
			w.restart()
			w.policy(demand("open", tx.FreshRead, 1))
			w.ok(w.of("open"))
			w.now = w.now.Add(c.age)
			w.ledger.offline = true
			if c.ok {
				w.ok(w.of("open"))
			} else {
				w.want(w.of("open"), command.Deferred, command.Stale)
			}
		})
	}
}

// TestPolicy_KeyChange: a change of keys does not open what the owner had closed,
// whether the device saw the policy before or finds it afterwards. What such a
// policy would loosen stays as made.
func TestPolicy_KeyChange(t *testing.T) {
	for _, seen := range []bool{true, false} {
		w := newWorld(t, gate.Limits{})
		w.floor = func(string, string) peripheral.Class { return peripheral.Read }
		w.restart()
		w.policy(demand("dim", tx.FreshSealed, 1), demand("open", tx.FreshRead, 1), demand("state", tx.FreshRead, 3))
		if seen {
			w.want(w.of("dim"), command.Deferred, command.NotSealed)
		}
		next := newKey(77)
		x := w.build(w.owner, &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: next.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}}, tx.RoleAccount)
		x.Sign(w.chain, tx.RoleNewKey, next)
		w.commit(x)
		of := func(method string) []byte {
			b := w.body()
			b.Method, b.Key = method, next.Public().ID()
			return w.sign(b, next)
		}
		w.want(of("dim"), command.Deferred, command.NotSealed)
		w.refused(of("state"), command.TooFewSigners)
		w.ok(of("open"))
		w.now = w.now.Add(10 * time.Minute)
		w.ledger.offline = true
		if seen {
			w.ok(of("open")) // as the owner had said, and the device had verified
		} else {
			w.want(of("open"), command.Deferred, command.Stale)
		}
		w.ledger.offline = false
		// The owner says it anew.
		p := w.build(w.owner, &tx.SetPolicy{Device: w.id(), Epoch: 1, Version: 2})
		p.Sign(w.chain, tx.RoleAccount, next)
		w.commit(p)
		w.ok(of("dim"))
	}
}

// TestPolicy_DiesWithTheEpoch: the next owner's device is as made.
func TestPolicy_DiesWithTheEpoch(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.policy(demand("open", tx.FreshAccess, 2))
	w.refused(w.of("open"), command.TooFewSigners)
	root := w.guest.Public()
	x := w.build(w.owner, &tx.Transfer{Device: w.id(), Epoch: 2, To: root.AccountID(), Root: &root}, tx.RoleAccount)
	x.Sign(w.chain, tx.RoleNewOwner, w.guest)
	w.commit(x)
	b := w.body()
	b.Epoch, b.Principal, b.Key = 2, root.AccountID(), root.ID()
	w.ok(w.sign(b, w.guest))
	w.restart()
	b.Nonce++
	w.ok(w.sign(b, w.guest))
}

// TestPolicy_Lies: validators who act together cannot loosen what the owner has
// set, nor bring an older policy back, also over a restart.
func TestPolicy_Lies(t *testing.T) {
	set := func(t *testing.T) (w *world, first state.Policy) {
		w = newWorld(t, gate.Limits{})
		w.floor = func(string, string) peripheral.Class { return peripheral.Read }
		w.restart()
		w.policy(demand("open", tx.FreshRead, 1))
		first, err := state.GetPolicy(w.ledger.present, w.id())
		if err != nil {
			t.Fatal(err)
		}
		w.policy(demand("open", tx.FreshAccess, 2))
		w.refused(w.of("open"), command.TooFewSigners)
		return w, first
	}
	for name, tell := range map[string]func(*world, state.Policy){
		"no policy":      func(w *world, _ state.Policy) { w.shows(0) },
		"an older one":   func(w *world, first state.Policy) { w.lie(state.PolicyKey(w.id()), first); w.shows(1) },
		"record missing": func(w *world, _ state.Policy) { delete(w.ledger.present, string(state.PolicyKey(w.id()))); w.shows(3) },
		"older in the record of a newer": func(w *world, first state.Policy) {
			first.Version = 3
			w.lie(state.PolicyKey(w.id()), first)
			w.shows(3)
		},
		"another version than the device's record": func(w *world, _ state.Policy) { w.shows(3) },
		"noise": func(w *world, _ state.Policy) {
			w.lie(state.PolicyKey(w.id()), state.Policy{Epoch: 1, Version: 3, Tx: []byte{0x9f}})
			w.shows(3)
		},
		"of another device": func(w *world, _ state.Policy) {
			p := w.build(w.owner, &tx.SetPolicy{Device: key.DeviceID{9}, Epoch: 1, Version: 3}, tx.RoleAccount)
			w.lie(state.PolicyKey(w.id()), state.Policy{Epoch: 1, Version: 3, Tx: p.Bytes()})
			w.shows(3)
		},
	} {
		for _, again := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				w, first := set(t)
				if again {
					w.restart()
				}
				tell(w, first)
				w.refused(w.of("open"), command.Untrusted)
			})
		}
	}
	t.Run("signed by nobody", func(t *testing.T) {
		w, _ := set(t)
		p := w.build(w.owner, &tx.SetPolicy{Device: w.id(), Epoch: 1, Version: 900, Rules: []tx.MethodPolicy{demand("dim", tx.FreshSealed, 1), demand("open", tx.FreshRead, 1)}})
		p.Sign(w.chain, tx.RoleAccount, w.stranger)
		good, err := state.GetPolicy(w.ledger.present, w.id())
		if err != nil {
			t.Fatal(err)
		}
		w.lie(state.PolicyKey(w.id()), state.Policy{Epoch: 1, Version: 900, Tx: p.Bytes()})
		w.shows(900)
		w.refused(w.of("open"), command.TooFewSigners)           // loosens nothing
		w.want(w.of("dim"), command.Deferred, command.NotSealed) // narrows
		w.lie(state.PolicyKey(w.id()), good)
		w.shows(2) // and sets no mark that the truth could not reach
		w.ok(w.of("dim"))
		w.refused(w.of("open"), command.TooFewSigners)
	})
}

// TestPolicy_Unproven: a policy that the device's record promises and nobody
// shows leaves the command waiting, and a store that cannot be read does not
// open.
func TestPolicy_Unproven(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.ok(w.of("open"))
	w.policy(demand("open", tx.FreshAccess, 2))
	w.ledger.slow = func(k []byte) {
		if k[0] == 'l' {
			w.ledger.mu.Lock()
			w.ledger.offline = true
			w.ledger.mu.Unlock()
		}
	}
	w.want(w.of("open"), command.Deferred, command.Stale)
	w.ledger.mu.Lock()
	w.ledger.offline = false
	w.ledger.mu.Unlock()
	w.ledger.slow = nil
	w.refused(w.of("open"), command.TooFewSigners)
	if err := w.vault.Commit(vault.Write{Key: vault.FamilyPolicy.Key(), Value: []byte{0x9f}}); err != nil {
		t.Fatal(err)
	}
	if _, err := gate.Open(gate.Config{
		Chain: w.chain, Device: w.device, Vault: w.vault, Clock: clockAt(w), Ledger: w.ledger, Actuator: w.bolt, Class: classes,
	}); err == nil {
		t.Fatal("a store with a damaged policy opens")
	}
}
