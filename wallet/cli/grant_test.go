package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func first(list map[string]any) map[string]any { return list["grants"].([]any)[0].(map[string]any) }

// TestJourney_NarrowGrant: what is asked for stands in the signed grant, is shown
// before it is signed, and is listed on both sides.
func TestJourney_NarrowGrant(t *testing.T) {
	w := newWorld(t)
	owner, _ := w.owner(t, "lock")
	guest := w.person(t)
	guest.hos(exitOK, "key", "new")
	add := []string{"grant", "add", "--to", guest.public(), "--method", "lock.open", "--for", "720h",
		"--window", "mon-fri 08:00-18:00 Europe/Berlin", "--window", "sat 22:00-02:00", "--uses", "3", "--rate", "5/1h"}
	_, talk := owner.hos(exitUsage, add...)
	for _, word := range []string{"mon-fri 08:00-18:00, sat 22:00-24:00, sun 00:00-02:00 Europe/Berlin", "3 times in all", "5 times in any 1h"} {
		if !strings.Contains(talk, word) {
			t.Errorf("does not say %q: %s", word, talk)
		}
	}
	g := owner.json("hos.grant", append(add, "--yes")...)
	for name, want := range map[string]any{"windows": "mon-fri 08:00-18:00, sat 22:00-24:00, sun 00:00-02:00 Europe/Berlin", "uses": 3.0, "rate": "5/1h0m0s", "depth": 0.0, "private": false, "parent": nil} {
		if g[name] != want {
			t.Errorf("%s is %v, want %v", name, g[name], want)
		}
	}
	i := guest.json("hos.invitation", "grant", "accept", g["invitation"].(string))
	for who, list := range map[string]map[string]any{"owner": first(owner.json("hos.grant.list", "grant", "list")), "guest": first(guest.json("hos.grant.list", "grant", "list")), "invitation": i} {
		if list["windows"] != g["windows"] || list["uses"] != 3.0 || list["rate"] != "5/1h0m0s" {
			t.Errorf("%s: %v", who, list)
		}
	}
	if out, _ := guest.hos(exitOK, "grant", "list"); !strings.Contains(out, "3 in all; 5/1h0m0s") {
		t.Errorf("list %s", out)
	}
	guest.hos(exitOK, "door", "open")
}

func TestGrantAdd_BadTerms(t *testing.T) {
	w := newWorld(t)
	owner, _ := w.owner(t, "lock")
	guest := w.person(t)
	guest.hos(exitOK, "key", "new")
	for _, bad := range [][]string{
		{"--window", "mon-fri 08:00-18:00"}, {"--window", "mon-fry 08:00-18:00 Europe/Berlin"}, {"--window", "mon 8-18 Europe/Berlin"},
		{"--window", "mon 08:00-08:00 Europe/Berlin"}, {"--window", "mon 08:00-18:00 Europe/Berln"}, {"--window", "mon 08:00-18:00 ../x"},
		{"--window", "mon"}, {"--window", "mon 24:00-08:00 Europe/Berlin"},
		{"--window", "mon 08:00-18:00 Europe/Berlin", "--window", "tue 08:00-18:00 Europe/Paris"},
		{"--window", "daily 08:00-10:00 UTC", "--window", "daily 11:00-12:00", "--window", "daily 13:00-14:00"},
		{"--uses", "1000001"}, {"--rate", "5"}, {"--rate", "0/1h"}, {"--rate", "65/1h"}, {"--rate", "5/1500ms"}, {"--rate", "5/900h"},
		{"--delegate", "5"}, {"--private", "--delegate", "1"}, {"--private", "--phone"}, {"--phone", "--delegate", "1"},
	} {
		args := []string{"grant", "add", "--method", "lock.open", "--for", "1h", "--yes"}
		if !strings.Contains(strings.Join(bad, " "), "--phone") {
			args = append(args, "--to", guest.public())
		}
		_, talk := owner.hos(exitUsage, append(args, bad...)...)
		if !strings.Contains(talk, "--"+strings.TrimPrefix(bad[0], "--")) {
			t.Errorf("%v: %s", bad, talk)
		}
	}
}

// TestJourney_Delegate: a guest gives a part on, takes it back, and the owner's
// end is everybody's.
func TestJourney_Delegate(t *testing.T) {
	w := newWorld(t)
	owner, dev := w.owner(t, "lock")
	guest, friend, child := w.person(t), w.person(t), w.person(t)
	for _, p := range []*person{guest, friend, child} {
		p.hos(exitOK, "key", "new")
	}
	g := owner.json("hos.grant", "grant", "add", "--to", guest.public(), "--method", "lock.open,lock.state", "--for", "24h", "--uses", "9", "--delegate", "2", "--yes")
	id := g["grant"].(string)
	if g["depth"] != 2.0 {
		t.Errorf("grant %v", g)
	}
	guest.hos(exitNotFound, "grant", "delegate", id, "--to", friend.public(), "--yes") // not accepted yet
	guest.json("hos.invitation", "grant", "accept", g["invitation"].(string))
	_, talk := guest.hos(exitUsage, "grant", "delegate", id[:12], "--to", friend.public(), "--method", "lock.open", "--for", "2h", "--delegate", "1")
	if !strings.Contains(talk, "--yes") || !strings.Contains(talk, "Give a grant that you have on") || !strings.Contains(talk, "9 times in all") {
		t.Errorf("without --yes: %s", talk)
	}
	guest.hos(exitUsage, "grant", "delegate", id[:12], "--yes")
	guest.hos(exitUsage, "grant", "delegate", id[:12], "--to", "x", "--yes")
	guest.hos(exitUsage, "grant", "delegate", id[:12], "--to", friend.public(), "--method", "open", "--yes")
	guest.hos(exitDenied, "grant", "delegate", id[:12], "--to", friend.public(), "--uses", "10", "--yes")
	guest.hos(exitDenied, "grant", "delegate", id[:12], "--to", friend.public(), "--delegate", "2", "--yes")
	guest.hos(exitDenied, "grant", "delegate", id[:12], "--to", friend.public(), "--method", "lock.lock", "--yes")
	on := guest.json("hos.grant", "grant", "delegate", id[:12], "--to", friend.public(), "--method", "lock.open", "--for", "2h", "--uses", "2", "--delegate", "1", "--name", "friend", "--yes")
	if on["parent"] != id || on["uses"] != 2.0 || on["depth"] != 1.0 {
		t.Errorf("given on: %v", on)
	}
	friend.json("hos.invitation", "grant", "accept", on["invitation"].(string), "--name", "cottage")
	friend.hos(exitOK, "door", "open")
	further := friend.json("hos.grant", "grant", "delegate", on["grant"].(string), "--to", child.public(), "--yes")
	child.json("hos.invitation", "grant", "accept", further["invitation"].(string))
	child.hos(exitOK, "door", "open")
	child.hos(exitDenied, "grant", "delegate", further["grant"].(string), "--to", guest.public(), "--yes") // no depth left

	friend.hos(exitDenied, "grant", "revoke", on["grant"].(string)) // not its to end
	friend.hos(exitOK, "grant", "revoke", further["grant"].(string)[:12])
	if _, talk := child.hos(exitRefused, "door", "open"); !strings.Contains(talk, "grant_revoked") {
		t.Errorf("after the end: %s", talk)
	}
	if l := guest.json("hos.grant.list", "grant", "list"); first(l)["name"] != "friend" || first(l)["status"] != "active" || first(l)["parent"] != id {
		t.Errorf("list %v", l)
	}
	owner.hos(exitOK, "grant", "revoke", id)
	if l := guest.json("hos.grant.list", "grant", "list"); first(l)["status"] != "revoked" {
		t.Errorf("below the end: %v", l)
	}
	friend.hos(exitRefused, "door", "open")
	if dev.opened != 2 {
		t.Errorf("opened %d times", dev.opened)
	}
}

// TestJourney_Private: the ledger does not learn who and how, the guest's
// commands bring it along, and the end works as for any grant.
func TestJourney_Private(t *testing.T) {
	w := newWorld(t)
	owner, dev := w.owner(t, "lock")
	guest := w.person(t)
	guest.hos(exitOK, "key", "new")
	add := []string{"grant", "add", "--to", guest.public(), "--method", "lock.open", "--for", "24h", "--uses", "2", "--private"}
	_, talk := owner.hos(exitUsage, add...)
	for _, word := range []string{guest.public(), "2 times in all", "private part", "without the ledger knowing"} {
		if !strings.Contains(talk, word) {
			t.Errorf("does not say %q: %s", word, talk)
		}
	}
	g := owner.json("hos.grant", append(add, "--yes")...)
	if g["private"] != true || g["uses"] != 2.0 || g["grantee"] != guest.public() {
		t.Errorf("grant %v", g)
	}
	id, err := tx.ParseID(g["grant"].(string))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := state.GetGrant(w.tree, id)
	if err != nil {
		t.Fatal(err)
	}
	if raw := codec.MustMarshal(rec); strings.Contains(string(raw), "open") {
		t.Errorf("the record holds the method: %x", raw)
	}
	i := guest.json("hos.invitation", "grant", "accept", g["invitation"].(string))
	if i["private"] != true || i["uses"] != 2.0 {
		t.Errorf("invitation %v", i)
	}
	guest.hos(exitUsage, "grant", "delegate", g["grant"].(string), "--to", owner.public(), "--yes")
	guest.hos(exitOK, "door", "open")
	if l := guest.json("hos.grant.list", "grant", "list"); first(l)["status"] != "active" || first(l)["private"] != true {
		t.Errorf("list %v", l)
	}
	owner.hos(exitOK, "grant", "revoke", g["grant"].(string)[:12])
	if _, talk := guest.hos(exitRefused, "door", "open"); !strings.Contains(talk, "grant_revoked") || dev.opened != 1 {
		t.Errorf("after the end: opened %d, %s", dev.opened, talk)
	}
}

func TestHolds(t *testing.T) {
	g := &tx.CreateGrant{NotBefore: 0, NotAfter: 4_000_000_000, Zone: "Europe/Berlin", Windows: []tx.Window{{Day: 1, From: 11 * 60, To: 12 * 60}}}
	for at, want := range map[string]bool{
		"2026-06-01T08:59:59Z": false, "2026-06-01T09:00:00Z": true, "2026-06-01T10:00:00Z": false, "2026-06-02T09:30:00Z": false, "2100-06-07T09:30:00Z": false,
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if holds(g, when) != want {
			t.Errorf("%s: want %v", at, want)
		}
	}
	g.Zone = "Mars/Base"
	if holds(g, time.Unix(1_780_304_400, 0)) || !holds(&tx.CreateGrant{NotAfter: 9}, time.Unix(5, 0)) {
		t.Error("an unknown zone, or no windows")
	}
}

func TestAdvice_Grants(t *testing.T) {
	other := advice(command.Internal)
	for _, c := range []command.Code{command.OutsideWindow, command.UsedUp, command.GrantRate, command.UnknownZone, command.BadGrantBody} {
		if advice(c) == other {
			t.Errorf("%s has no advice of its own", c)
		}
	}
}
