package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/wallet/home"
)

// TestJourney_FirstRun: three commands from nothing to an open door; later ones
// need no settings, since the wallet has pinned the ledger.
func TestJourney_FirstRun(t *testing.T) {
	w := newWorld(t)
	code := w.device(t, "lock")
	p := w.person(t)
	p.hos(exitOK, "key", "new")
	r := p.json("hos.pairing", "device", "pair", code.String())
	if d := r["device"].(map[string]any); d["name"] != "front-door" || d["owned"] != true || d["verified"] != true || d["epoch"] != float64(1) {
		t.Errorf("paired %v", d)
	}
	delete(p.env, "HOS_GENESIS")
	delete(p.env, "HOS_NODE")
	out, _ := p.hos(exitOK, "door", "open")
	if !strings.HasPrefix(out, "front-door: executed (ok)\n") || w.devices[code.Device].opened != 1 {
		t.Errorf("opened %d times, said %q", w.devices[code.Device].opened, out)
	}
	file := filepath.Join(p.dir, "receipt")
	r = p.json("hos.receipt", "do", "front-door", "lock.state", "--receipt-out", file)
	if r["status"] != "executed" || r["code"] != "ok" || r["counter"] != float64(2) || r["text"] != `{"state":"locked"}` || len(r["command"].(string)) != 64 {
		t.Errorf("receipt %v", r)
	}
	if v := p.json("hos.receipt", "receipt", "verify", file, "--command", r["command"].(string)); v["valid"] != true {
		t.Errorf("verified %v", v)
	}
	p.hos(exitInvalid, "receipt", "verify", file, "--command", strings.Repeat("0", 64))
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	p.hos(exitInvalid, "receipt", "verify", file)
	p.hos(exitFailure, "door", "open", "--receipt-out", file) // never replaced by accident
	l := p.json("hos.device.list", "device", "list")
	if len(l["devices"].([]any)) != 1 || l["height"].(float64) == 0 {
		t.Errorf("list %v", l)
	}
	if s := p.json("hos.status", "status"); s["online"] != true || s["devices"] != float64(1) || s["chain_id"] != "hos-test" {
		t.Errorf("status %v", s)
	}
}

// TestJourney_Guest: a grant works until it is revoked, for what it covers, and
// the guest needs no settings but the invitation.
func TestJourney_Guest(t *testing.T) {
	w := newWorld(t)
	owner, dev := w.owner(t, "lock")
	guest, other := w.person(t), w.person(t)
	delete(guest.env, "HOS_GENESIS")
	delete(guest.env, "HOS_NODE")
	guest.hos(exitOK, "key", "new")
	other.hos(exitOK, "key", "new")
	add := []string{"grant", "add", "--device", "front-door", "--to", guest.public(), "--method", "lock.open", "--for", "24h", "--name", "guest"}

	_, talk := owner.hos(exitUsage, add...)
	if !strings.Contains(talk, "--yes") || !strings.Contains(talk, "lock.open of front-door") {
		t.Errorf("without --yes: %s", talk)
	}
	owner.console = &answers{list: []string{"no"}}
	owner.hos(exitFailure, add...)
	owner.console = &answers{list: []string{"y"}}
	g := owner.json("hos.grant", add...)
	owner.console = nil

	invitation := g["invitation"].(string)
	other.hos(exitDenied, "grant", "accept", invitation)
	guest.hos(exitUsage, "grant", "accept", invitation[:len(invitation)-9])
	guest.json("hos.invitation", "grant", "accept", invitation, "--name", "cottage")
	guest.hos(exitOK, "door", "open")
	guest.hos(exitOK, "door", "open", "cottage", "--grant", g["grant"].(string))
	if dev.opened != 2 {
		t.Errorf("opened %d times, want 2", dev.opened)
	}
	guest.hos(exitNotFound, "door", "lock") // not covered: nothing is sent
	guest.hos(exitRefused, "door", "lock", "--grant", g["grant"].(string)[:12])

	if l := owner.json("hos.grant.list", "grant", "list"); l["grants"].([]any)[0].(map[string]any)["status"] != "active" {
		t.Errorf("list %v", l)
	}
	owner.hos(exitOK, "grant", "revoke", g["grant"].(string)[:12])
	owner.hos(exitFailure, "grant", "revoke", g["grant"].(string))
	if l := guest.json("hos.grant.list", "grant", "list"); l["grants"].([]any)[0].(map[string]any)["status"] != "revoked" {
		t.Errorf("guest's list %v", l)
	}
	_, talk = guest.hos(exitRefused, "door", "open")
	if !strings.Contains(talk, "grant_revoked") || dev.opened != 2 {
		t.Errorf("after revocation: opened %d, %s", dev.opened, talk)
	}
	guest.hos(exitDenied, "grant", "add", "--to", other.public(), "--method", "lock.open", "--for", "1h", "--yes")
}

func TestJourney_Transfer(t *testing.T) {
	w := newWorld(t)
	old, dev := w.owner(t, "lock")
	next, other := w.person(t), w.person(t)
	next.hos(exitOK, "key", "new")
	other.hos(exitOK, "key", "new")
	file := filepath.Join(old.dir, "offer.json")
	old.hos(exitUsage, "transfer", "offer", "front-door", "--to", next.public(), "--out", file)
	old.hos(exitOK, "transfer", "offer", "front-door", "--to", next.public(), "--out", file, "--yes")
	other.hos(exitDenied, "transfer", "accept", file, "--yes")
	next.hos(exitUsage, "transfer", "accept", file)
	next.json("hos.tx", "transfer", "accept", file, "--yes", "--name", "mine")
	next.hos(exitOK, "door", "open", "mine")
	old.hos(exitRefused, "door", "open")
	if dev.opened != 1 {
		t.Errorf("opened %d times, want 1", dev.opened)
	}
	next.hos(exitFailure, "transfer", "accept", file, "--yes") // the same offer again
	l := old.json("hos.device.list", "device", "list")
	if d := l["devices"].([]any)[0].(map[string]any); d["owned"] != false || d["epoch"] != float64(2) {
		t.Errorf("old owner's list %v", d)
	}
	old.hos(exitOK, "device", "forget", "front-door")
	old.hos(exitNotFound, "door", "open")
}

// TestJourney_Release: a lost device goes nowhere until it is found, and a
// released one obeys nobody and has nobody for an owner.
func TestJourney_Release(t *testing.T) {
	w := newWorld(t)
	p, dev := w.owner(t, "lock")
	p.hos(exitNotFound, "device", "lost", "cellar")
	p.hos(exitFailure, "device", "found", "front-door")
	p.json("hos.tx", "device", "lost", "front-door")
	if d := p.json("hos.device.list", "device", "list")["devices"].([]any)[0].(map[string]any); d["lost"] != true || d["frozen"] != false {
		t.Errorf("a lost device is listed as %v", d)
	}
	if out, _ := p.hos(exitOK, "device", "list"); !strings.Contains(out, "you, reported lost") {
		t.Errorf("a lost device is listed as %s", out)
	}
	p.hos(exitDenied, "device", "lost", "front-door")
	p.hos(exitDenied, "device", "release", "front-door", "--yes")
	p.hos(exitOK, "door", "open")
	p.hos(exitOK, "device", "found", "front-door")
	_, talk := p.hos(exitUsage, "device", "release", "front-door")
	if !strings.Contains(talk, "pairing code") {
		t.Errorf("without --yes: %s", talk)
	}
	p.json("hos.tx", "device", "release", "front-door", "--yes")
	p.hos(exitDenied, "device", "release", "front-door", "--yes")
	p.hos(exitRefused, "door", "open")
	if dev.opened != 1 {
		t.Errorf("opened %d times, want 1", dev.opened)
	}
	l := p.json("hos.device.list", "device", "list")
	if d := l["devices"].([]any)[0].(map[string]any); d["owned"] != false || d["owner"] != nil || d["epoch"] != float64(2) {
		t.Errorf("list %v", d)
	}
}

func TestJourney_Keys(t *testing.T) {
	w := newWorld(t)
	p, dev := w.owner(t, "lock")
	before := p.json("hos.key", "key", "show")
	p.hos(exitUsage, "key", "rotate")
	if now := p.json("hos.key", "key", "show"); now["public"] != before["public"] {
		t.Errorf("a rotation that was not confirmed changed the key")
	}
	p.hos(exitOK, "key", "rotate", "--yes")
	after := p.json("hos.key", "key", "show")
	if after["public"] == before["public"] || after["account"] != before["account"] {
		t.Errorf("after rotation %v, before %v", after, before)
	}
	p.hos(exitOK, "door", "open")

	second := w.person(t)
	second.hos(exitOK, "key", "new")
	file := filepath.Join(p.dir, "key.json")
	p.hos(exitOK, "key", "add", second.public(), "--rights", "invoke", "--out", file, "--yes")
	second.hos(exitOK, "key", "accept", file, "--yes")
	if s := second.json("hos.key", "key", "show"); s["account"] != before["account"] {
		t.Errorf("the second wallet acts for %v", s["account"])
	}
	second.put(t, p)
	second.hos(exitOK, "door", "open")
	second.hos(exitDenied, "key", "remove", after["key"].(string), "--yes") // it may only invoke
	p.hos(exitOK, "key", "remove", second.json("hos.key", "key", "show")["key"].(string), "--yes")
	second.hos(exitRefused, "door", "open")
	if dev.opened != 2 {
		t.Errorf("opened %d times, want 2", dev.opened)
	}
}

// put lets a second wallet of the same owner know the first one's devices.
func (p *person) put(t *testing.T, from *person) {
	t.Helper()
	devices, err := home.Open(from.env["HOS_HOME"]).Devices()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if _, err := home.Open(p.env["HOS_HOME"]).PutDevice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJourney_RestoreAndPassphrase(t *testing.T) {
	w := newWorld(t)
	p, _ := w.owner(t, "lock")
	words := p.json("hos.backup", "key", "backup")["words"].(string)
	again := w.person(t)
	delete(again.env, "HOS_PASSPHRASE")
	again.console = &answers{list: []string{words, "first", "first"}}
	again.hos(exitOK, "key", "restore")
	if a, b := again.json("hos.key", "key", "show"), p.json("hos.key", "key", "show"); a["account"] != b["account"] {
		t.Errorf("restored %v, want %v", a["account"], b["account"])
	}
	again.console = &answers{list: []string{"first", "second", "other"}}
	again.hos(exitUsage, "key", "passphrase")
	again.console = &answers{list: []string{"first", "second", "second"}}
	again.hos(exitOK, "key", "passphrase")
	again.console = &answers{list: []string{"first"}}
	again.hos(exitDenied, "key", "backup")
	again.console = &answers{list: []string{"second"}}
	again.hos(exitOK, "key", "backup")
	again.console = &answers{list: []string{"second", "", ""}}
	again.hos(exitUsage, "key", "passphrase") // empty, and not meant so
	again.console = &answers{list: []string{"second"}}
	again.hos(exitOK, "key", "passphrase", "--empty-passphrase")
}

func TestJourney_Vendor(t *testing.T) {
	w := newWorld(t)
	p := w.person(t)
	p.hos(exitOK, "key", "new")
	args := []string{"vendor", "register", "--device", statetest.Key("new lock").Public().String(), "--seal", strings.Repeat("01", 32), "--model", "Lock 2"}
	p.hos(exitDenied, args...) // not a vendor
	info, err := key.ParsePublic(p.public())
	if err != nil {
		t.Fatal(err)
	}
	w.doc.Vendors[0].Keys = []key.Public{info}
	w.tree = new(statetest.Tree)
	if err := w.doc.Apply(w.tree); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.env["HOS_GENESIS"], w.doc.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(p.env["HOS_HOME"], "owner.key")
	p.json("hos.tx", append(args, "--key-file", keyFile)...)
	p.hos(exitFailure, args...) // registered already
	if _, err := state.GetDevice(w.tree, statetest.Key("new lock").Public().DeviceID()); err != nil {
		t.Errorf("not registered: %v", err)
	}
	p.hos(exitUsage, "vendor", "register", "--device", "x", "--seal", "00", "--model", "m")
}

// TestDo_Trouble: each way in which a command can fail has its own exit code,
// and none opens the door twice.
func TestDo_Trouble(t *testing.T) {
	w := newWorld(t)
	p, dev := w.owner(t, "lock")
	lost := 0
	w.spoil = func(*command.Receipt) error {
		if lost++; lost <= 2 {
			return &sdk.Error{Kind: sdk.NoReceipt, Detail: "the command may have been executed"}
		}
		return nil
	}
	p.hos(exitOK, "door", "open") // the third time the same bytes are answered
	if dev.opened != 1 || lost != 3 {
		t.Errorf("opened %d times in %d tries", dev.opened, lost)
	}
	cases := []struct {
		name string
		err  error
		exit int
	}{
		{"no receipt", &sdk.Error{Kind: sdk.NoReceipt, Detail: "the command may have been executed"}, exitNoReceipt},
		{"unreachable", &sdk.Error{Kind: sdk.Unreachable, Detail: "device"}, exitNoReceipt},
		{"bad receipt", &sdk.Error{Kind: sdk.BadReceipt, Detail: "not this device"}, exitInvalid},
	}
	for _, c := range cases {
		w.spoil = func(*command.Receipt) error { return c.err }
		p.hos(c.exit, "door", "open")
	}
	w.spoil = nil
	dev.busy = 1
	opened := dev.opened
	p.hos(exitOK, "door", "open") // deferred once, then done
	if dev.opened != opened+1 {
		t.Errorf("opened %d times, want %d", dev.opened, opened+1)
	}
	p.hos(exitNotFound, "door", "open", "cellar")
	p.hos(exitUsage, "do", "front-door", "open")
	p.hos(exitUsage, "do", "front-door", "lock.open", "--params", "{")
	p.env["HOS_PASSPHRASE"] = "wrong"
	p.hos(exitDenied, "door", "open")
}

// TestDo_LostThenUnreachable: a command that was lost once may have been
// executed; that the device cannot be reached afterwards must not turn this into
// "nothing was done". Without a loss before, that is just what is known.
func TestDo_LostThenUnreachable(t *testing.T) {
	w := newWorld(t)
	p, dev := w.owner(t, "lock")
	away := &sdk.Error{Kind: sdk.Unreachable, Detail: "device"}
	tries := 0
	w.spoil = func(*command.Receipt) error {
		if tries++; tries == 1 {
			return &sdk.Error{Kind: sdk.NoReceipt, Detail: "the command may have been executed"}
		}
		return away
	}
	opened := dev.opened
	_, talk := p.hos(exitNoReceipt, "door", "open")
	if dev.opened == opened || tries < 2 {
		t.Fatalf("the device did not act before the answer was lost, in %d tries", tries)
	}
	if strings.Contains(talk, "nothing was done") || !strings.Contains(talk, "may have been executed") {
		t.Errorf("the door moved, and hos said:\n%s", talk)
	}
	w.spoil = func(*command.Receipt) error { return away }
	if _, talk = p.hos(exitNoReceipt, "door", "open"); !strings.Contains(talk, "nothing was done") {
		t.Errorf("never reached, and hos said:\n%s", talk)
	}
}

func TestTrouble_Ledger(t *testing.T) {
	w := newWorld(t)
	p, dev := w.owner(t, "lock")
	guest := w.person(t)
	guest.hos(exitOK, "key", "new")
	w.refuse = 1 // another wallet of the same owner was first: it is built again
	add := []string{"grant", "add", "--to", guest.public(), "--method", "lock.open", "--for", "1h", "--yes"}
	p.hos(exitOK, add...)
	w.refuse = attempts
	p.hos(exitFailure, add...)
	w.refuse, w.down = 0, true
	p.hos(exitUnreachable, add...)
	p.hos(exitUnreachable, "device", "list")
	p.hos(exitUnreachable, "status")
	p.hos(exitUnreachable, "watch")
	p.hos(exitOK, "device", "list", "--offline")
	p.hos(exitOK, "door", "open") // needs no node
	if dev.opened != 1 {
		t.Errorf("opened %d times, want 1", dev.opened)
	}
}

func TestPair_Refusals(t *testing.T) {
	w := newWorld(t)
	owner, _ := w.owner(t, "lock")
	thief := w.person(t)
	thief.hos(exitOK, "key", "new")
	good := w.device(t, "second lock")
	wrongSecret, wrongChain, unknown := good, good, good
	wrongSecret.Secret[5] ^= 1
	wrongChain.Chain[0] ^= 1
	unknown.Device[0] ^= 1
	for name, c := range map[string]struct {
		exit int
		code string
	}{
		"not a code":     {exitUsage, "HOS1:AAAA"},
		"wrong secret":   {exitInvalid, wrongSecret.String()},
		"other ledger":   {exitFailure, wrongChain.String()},
		"nobody answers": {exitNoReceipt, unknown.String()},
	} {
		t.Run(name, func(t *testing.T) { thief.hos(c.exit, "device", "pair", c.code) })
	}
	thief.hos(exitUsage, "device", "pair")
	thief.hos(exitUsage, "device", "pair", good.String(), "--qr", "x")
	thief.hos(exitUsage, "device", "pair", good.String(), "--name", "My Door")
	thief.hos(exitNotFound, "device", "pair", "--code-file", filepath.Join(thief.dir, "none"))

	file := filepath.Join(owner.dir, "code")
	if err := os.WriteFile(file, []byte(strings.ToLower(good.String())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	owner.hos(exitOK, "device", "pair", "--qr", file)
	owner.hos(exitUsage, "door", "open") // two doors now
	thief.hos(exitDenied, "device", "pair", good.String())
	owner.hos(exitOK, "device", "forget", "front-door-2")
	owner.hos(exitOK, "device", "pair", good.String()) // its owner may know it again
	owner.hos(exitUsage, "device", "rename", "front-door-2", "front-door")
	owner.hos(exitOK, "device", "rename", "front-door-2", "cellar")
	owner.hos(exitOK, "door", "open", "cellar")
}
