package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestJourney_Recover: an owner names guardians and loses the key; they give the
// account to a new wallet, which opens the door.
func TestJourney_Recover(t *testing.T) {
	w := newWorld(t)
	code := w.device(t, "lock")
	p := w.person(t)
	p.hos(exitOK, "key", "new")
	p.hos(exitOK, "device", "pair", code.String())
	account := p.json("hos.key", "key", "show")["account"].(string)
	anna, ben, next, other := w.person(t), w.person(t), w.person(t), w.person(t)
	for _, who := range []*person{anna, ben, next, other} {
		who.hos(exitOK, "key", "new")
	}
	file := filepath.Join(p.dir, "offer.json")
	next.hos(exitDenied, "recover", "start", account, "--out", file, "--yes")
	p.hos(exitUsage, "recover", "guardians", "set", "nobody", "--yes")
	p.hos(exitUsage, "recover", "guardians", "set", anna.public(), "--threshold", "2", "--yes")
	p.hos(exitUsage, "recover", "guardians", "set", anna.public(), ben.public())
	p.hos(exitOK, "recover", "guardians", "set", anna.public(), ben.public(), "--delay", "1h", "--yes")
	g := p.json("hos.guardians", "recover", "guardians", "show")
	if len(g["guardians"].([]any)) != 2 || g["threshold"] != float64(2) || g["delay"] != float64(3600) || g["due"] != float64(0) {
		t.Errorf("guardians %v", g)
	}

	begin := func() {
		t.Helper()
		next.hos(exitOK, "recover", "start", account, "--out", file, "--force", "--yes")
		other.hos(exitDenied, "recover", "approve", file, "--yes")
		anna.hos(exitOK, "recover", "approve", file, "--out", file, "--force", "--yes")
		ben.json("hos.tx", "recover", "approve", file, "--yes")
	}
	begin()
	next.hos(exitDenied, "recover", "finish", account, "--yes")
	p.hos(exitOK, "recover", "cancel")
	p.hos(exitNotFound, "recover", "cancel")
	begin()
	if g := anna.json("hos.guardians", "recover", "guardians", "show", account); g["due"] == float64(0) {
		t.Errorf("guardians %v", g)
	}
	anna.hos(exitOK, "recover", "freeze", account)
	other.hos(exitDenied, "recover", "freeze", account)
	p.hos(exitDenied, "device", "release", "front-door", "--yes")
	if out, _ := p.hos(exitOK, "device", "list"); !strings.Contains(out, "you, account frozen") {
		t.Errorf("a frozen account is listed as %s", out)
	}
	w.set(func() { w.now = w.now.Add(time.Hour) })
	p.hos(exitDenied, "recover", "cancel")
	other.hos(exitDenied, "recover", "finish", account, "--yes")
	next.hos(exitOK, "recover", "finish", account, "--yes")
	p.hos(exitDenied, "recover", "unfreeze", "--yes")
	next.hos(exitOK, "recover", "unfreeze", "--yes")
	if a := next.json("hos.key", "key", "show")["account"]; a != account {
		t.Errorf("the new wallet's account is %v, want %s", a, account)
	}
	out, _ := next.hos(exitOK, "recover", "guardians", "show")
	if !strings.Contains(out, anna.public()) {
		t.Errorf("guardians after the recovery:\n%s", out)
	}
	next.hos(exitOK, "recover", "guardians", "set", "--yes")
}
