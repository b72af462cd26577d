package cli

import (
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// TestJourney_Policy: an owner sets, shows and takes back what a device asks of
// commands, and is told before signing.
func TestJourney_Policy(t *testing.T) {
	w := newWorld(t)
	p, dev := w.owner(t, "lock")
	id := dev.key.Public().DeviceID()
	p.hos(exitNotFound, "device", "policy", "cellar")
	if r := p.json("hos.policy", "device", "policy", "front-door"); r["policy"] != float64(0) || len(r["rules"].([]any)) != 0 || r["signed"] != true {
		t.Errorf("as made: %v", r)
	}
	_, talk := p.hos(exitUsage, "device", "policy", "front-door", "--method", "lock.open", "--class", "R1") // not confirmed
	if !strings.Contains(talk, "lock.open") || !strings.Contains(talk, "an hour old") {
		t.Errorf("not told: %s", talk)
	}
	p.json("hos.tx", "device", "policy", "front-door", "--method", "lock.open,lock.lock", "--class", "R1", "--yes")
	p.hos(exitOK, "device", "policy", "front-door", "--method", "lock.open", "--class", "R2", "--signers", "2", "--yes")
	r := p.json("hos.policy", "device", "policy", "front-door")
	rules := r["rules"].([]any)
	if r["policy"] != float64(2) || len(rules) != 2 || rules[1].(map[string]any)["method"] != "lock.open" || rules[1].(map[string]any)["signers"] != float64(2) || rules[0].(map[string]any)["class"] != "R1" {
		t.Errorf("policy %v", r)
	}
	if out, _ := p.hos(exitOK, "device", "policy", "front-door"); !strings.Contains(out, "lock.open") || !strings.Contains(out, "R2") {
		t.Errorf("shown: %s", out)
	}
	p.hos(exitOK, "device", "policy", "front-door", "--method", "lock.open", "--as-made", "--yes")
	if r := p.json("hos.policy", "device", "policy", "front-door"); r["policy"] != float64(3) || len(r["rules"].([]any)) != 1 {
		t.Errorf("after taking back: %v", r)
	}
	for _, bad := range [][]string{
		{"--class", "R1"}, {"--as-made"}, {"--method", "lock.open"}, {"--method", "lock.open", "--class", "R9"}, {"--method", "open", "--class", "R1"},
		{"--method", "lock.open", "--class", "R1", "--as-made"}, {"--method", "lock.Open", "--class", "R1"}, {"--method", "lock.open", "--class", "R1", "--signers", "17", "--yes"},
	} {
		p.hos(exitUsage, append([]string{"device", "policy", "front-door"}, bad...)...)
	}

	// What validators forge is shown as such, and not signed for.
	rec, err := state.GetPolicy(w.tree, id)
	if err != nil {
		t.Fatal(err)
	}
	x, err := tx.Decode(rec.Tx)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := tx.New(x.Body.Account, 9, x.Body.Expires, &tx.SetPolicy{Device: id, Epoch: 1, Version: 3, Rules: []tx.MethodPolicy{{Endpoint: "lock", Method: "unlock", Class: 0, Signers: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	forged.Sign(w.doc.Chain(), tx.RoleAccount, statetest.Key("thief"))
	(&statetest.World{Tree: w.tree}).Put(state.PolicyKey(id), state.Policy{Epoch: 1, Version: 3, Tx: forged.Bytes()})
	if r := p.json("hos.policy", "device", "policy", "front-door"); r["signed"] != false {
		t.Errorf("forged: %v", r)
	}
	if _, talk := p.hos(exitOK, "device", "policy", "front-door"); !strings.Contains(talk, "Set it again") {
		t.Errorf("forged: %s", talk)
	}
	_, talk = p.hos(exitOK, "device", "policy", "front-door", "--method", "lock.open", "--class", "R2", "--yes")
	if strings.Contains(talk, "lock.unlock") || !strings.Contains(talk, "replaces it whole") {
		t.Errorf("signed what was forged: %s", talk)
	}
	if r := p.json("hos.policy", "device", "policy", "front-door"); r["policy"] != float64(4) || r["signed"] != true || len(r["rules"].([]any)) != 1 {
		t.Errorf("set again: %v", r)
	}
}

// TestJourney_Addresses: an owner says where a device is, and another wallet of
// the same account finds it there.
func TestJourney_Addresses(t *testing.T) {
	w := newWorld(t)
	p, _ := w.owner(t, "lock")
	at := "/ip4/192.0.2.7/tcp/27800/p2p/" + statetest.PeerID
	p.hos(exitNotFound, "device", "addresses", "front-door")
	p.hos(exitUsage, "device", "addresses", "front-door", "/ip4/192.0.2.7/tcp/27800")
	p.hos(exitUsage, "device", "addresses", "front-door", "--publish") // the code's address has no peer
	p.hos(exitUsage, "device", "addresses", "front-door", at, "--none")
	p.hos(exitUsage, "device", "addresses", "front-door", at, at)
	if _, talk := p.hos(exitOK, "device", "addresses", "front-door", at); !strings.Contains(talk, "for everybody to see") {
		t.Errorf("not told: %s", talk)
	}
	if out, _ := p.hos(exitOK, "device", "addresses", "front-door"); out != at+"\n" {
		t.Errorf("shown: %q", out)
	}
	if r := p.json("hos.addresses", "device", "addresses", "front-door", "--use"); r["used"] != true || r["addrs"].([]any)[0] != at {
		t.Errorf("used: %v", r)
	}
	list := p.json("hos.device.list", "device", "list")
	if d := list["devices"].([]any)[0].(map[string]any); d["addrs"].([]any)[0] != at {
		t.Errorf("device is %v", d)
	}
	p.json("hos.tx", "device", "addresses", "front-door", "--publish")
	p.hos(exitOK, "device", "addresses", "front-door", "--none")
	if r := p.json("hos.addresses", "device", "addresses", "front-door"); len(r["addrs"].([]any)) != 0 || r["used"] != false {
		t.Errorf("taken back: %v", r)
	}
}
