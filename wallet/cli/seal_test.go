package cli

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/ticket"
)

// TestJourney_Seal: two owners of one account seal a command together; one
// alone, and whoever is no owner, cannot.
func TestJourney_Seal(t *testing.T) {
	w := newWorld(t)
	p, _ := w.owner(t, "lock")
	other, stranger := w.person(t), w.person(t)
	other.hos(exitOK, "key", "new")
	stranger.hos(exitOK, "key", "new")
	id, once := statetest.Command("open").String(), statetest.Command("once").String()
	device := statetest.Key("lock").Public().DeviceID().String()
	p.hos(exitDenied, "seal", "open", "front-door", id, "--needed", "2", "--yes")
	file := filepath.Join(p.dir, "offer.json")
	p.hos(exitOK, "key", "add", other.public(), "--out", file, "--yes")
	other.hos(exitOK, "key", "accept", file, "--yes")

	p.hos(exitNotFound, "seal", "show", "front-door", id)
	p.hos(exitUsage, "seal", "show", "front-door", "abc")
	p.hos(exitNotFound, "seal", "show", "back-door", id)
	p.hos(exitNotFound, "seal", "approve", "front-door", id, "--yes")
	p.hos(exitUsage, "seal", "open", "front-door", id, "--for", "169h", "--yes")
	_, talk := p.hos(exitUsage, "seal", "open", "front-door", id, "--needed", "2")
	if !strings.Contains(talk, id) || !strings.Contains(talk, "2 keys") {
		t.Errorf("what is opened is not shown: %s", talk)
	}
	out, _ := p.hos(exitOK, "seal", "open", "front-door", id, "--needed", "2", "--yes")
	if !strings.Contains(out, "1 of 2 approvals") {
		t.Errorf("opened: %s", out)
	}
	p.hos(exitFailure, "seal", "open", "front-door", id, "--yes")
	p.hos(exitFailure, "seal", "approve", "front-door", id, "--yes")
	stranger.hos(exitNotFound, "seal", "approve", device, id, "--yes")
	if s := p.json("hos.seal", "seal", "show", "front-door", id); s["status"] != "open" || s["valid"] != false || s["keys"] != float64(2) {
		t.Errorf("open: %v", s)
	}
	out, _ = other.hos(exitOK, "seal", "approve", device, id, "--yes")
	if !strings.Contains(out, "is sealed") {
		t.Errorf("approved: %s", out)
	}
	other.hos(exitFailure, "seal", "approve", device, id, "--yes")
	if s := stranger.json("hos.seal", "seal", "show", device, id); s["status"] != "sealed" || s["valid"] != true || len(s["approved"].([]any)) != 2 {
		t.Errorf("sealed: %v", s)
	}
	if out, _ := p.hos(exitOK, "seal", "show", "front-door", id); !strings.Contains(out, "2 of 2 needed") {
		t.Errorf("shown: %s", out)
	}
	p.hos(exitOK, "seal", "open", "front-door", once, "--needed", "2", "--for", "1h", "--yes")
	w.set(func() { w.now = w.now.Add(time.Hour) })
	other.hos(exitFailure, "seal", "approve", device, once, "--yes")
	if s := p.json("hos.seal", "seal", "show", "front-door", once); s["status"] != "expired" {
		t.Errorf("expired: %v", s)
	}
}

// TestJourney_Anchor: a receipt's hash is anchored when owner and device have
// signed it.
func TestJourney_Anchor(t *testing.T) {
	w := newWorld(t)
	p, d := w.owner(t, "lock")
	receipt, offer := filepath.Join(p.dir, "receipt"), filepath.Join(p.dir, "offer.json")
	if out, _ := p.hos(exitOK, "receipt", "anchored", "front-door"); !strings.Contains(out, "no receipts") {
		t.Errorf("at first: %s", out)
	}
	for range 3 {
		p.hos(exitOK, "door", "open", "--receipt-out", receipt, "--force")
	}
	p.hos(exitOK, "receipt", "anchor", receipt, "--out", offer, "--yes")
	p.hos(exitDenied, "receipt", "submit", offer) // the device has not signed
	raw, err := os.ReadFile(offer)
	if err != nil {
		t.Fatal(err)
	}
	o, err := ticket.ParseOffer(raw, w.doc.Chain())
	if err != nil {
		t.Fatal(err)
	}
	o.Tx.Sign(w.doc.Chain(), tx.RoleDevice, d.key)
	if err := os.WriteFile(offer, o.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _ := p.hos(exitOK, "receipt", "submit", offer); !strings.Contains(out, "1 to 3") {
		t.Errorf("submitted: %s", out)
	}
	p.hos(exitFailure, "receipt", "submit", offer)
	p.hos(exitFailure, "receipt", "anchor", receipt, "--out", offer, "--force", "--yes")
	if a := p.json("hos.receipt.anchor", "receipt", "anchored", "front-door"); a["counter"] != float64(3) || a["hash"] == nil {
		t.Errorf("anchored: %v", a)
	}
	p.hos(exitOK, "receipt", "anchored", "front-door")
	file := filepath.Join(p.dir, "key.json")
	p.hos(exitOK, "key", "add", w.person(t).made().public(), "--out", file, "--yes")
	p.hos(exitUsage, "receipt", "submit", file)
}

// made is a person with a key.
func (p *person) made() *person {
	p.hos(exitOK, "key", "new")
	return p
}

// making gives a world with one more vendor, and the person who has its key.
func making(t *testing.T) (*world, *person) {
	t.Helper()
	w := newWorld(t)
	p := w.person(t).made()
	pub, err := key.ParsePublic(p.public())
	if err != nil {
		t.Fatal(err)
	}
	w.doc.Vendors = append(w.doc.Vendors, genesis.Vendor{Name: "bolt", Keys: []key.Public{pub}, Threshold: 1, Quota: 8})
	w.tree = new(statetest.Tree)
	if err := w.doc.Apply(w.tree); err != nil {
		t.Fatal(err)
	}
	p.env["HOS_GENESIS"] = w.person(t).env["HOS_GENESIS"] // the document with its key
	return w, p
}

// TestJourney_Maker: a maker publishes firmware and an app, revokes some, and
// replaces its keys by two that must both sign.
func TestJourney_Maker(t *testing.T) {
	w, p := making(t)
	second, stranger := w.person(t).made(), w.person(t).made()
	v := p.json("hos.vendor", "vendor", "show")
	id := v["vendor"].(string)
	if v["name"] != "bolt" || v["key_version"] != float64(0) || v["threshold"] != float64(1) {
		t.Errorf("vendor %v", v)
	}
	stranger.hos(exitDenied, "vendor", "show")
	stranger.hos(exitUsage, "vendor", "show", "nobody")
	if out, _ := stranger.hos(exitOK, "vendor", "show", id); !strings.Contains(out, "bolt") {
		t.Errorf("shown: %s", out)
	}
	image := filepath.Join(p.dir, "image")
	if err := os.WriteFile(image, []byte("firmware"), 0o600); err != nil {
		t.Fatal(err)
	}
	publish := func(version string, more ...string) []string {
		return append([]string{"vendor", "release", "publish", image, "--model", "Bolt 1", "--version", version, "--yes"}, more...)
	}
	if l := p.json("hos.vendor.release", "vendor", "release", "list", "Bolt 1"); len(l["versions"].([]any)) != 0 {
		t.Errorf("at first: %v", l)
	}
	p.hos(exitUsage, publish("1.0")...)
	p.hos(exitUsage, publish("1.0.0", "--url", "http://a.example/x")...)
	p.hos(exitUsage, "vendor", "release", "publish", image+".none", "--model", "Bolt 1", "--version", "1.0.0")
	_, talk := p.hos(exitUsage, publish("1.0.0", "--floor", "0.9.0", "--url", "https://b.example/x", "--url", "https://a.example/x", "--yes=false")...)
	if !strings.Contains(talk, "never goes back below 0.9.0") {
		t.Errorf("what is published is not shown: %s", talk)
	}
	p.hos(exitOK, publish("1.0.0", "--from", "0.9.0", "--floor", "0.9.0", "--url", "https://b.example/x", "--url", "https://a.example/x")...)
	p.hos(exitFailure, publish("1.0.0")...)
	stranger.hos(exitDenied, publish("6.6.6", "--vendor", id)...)
	stranger.hos(exitDenied, publish("6.6.6")...)
	p.hos(exitOK, publish("1.1.0")...)
	p.hos(exitOK, "vendor", "release", "revoke", "Bolt 1", "1.1.0")
	p.hos(exitDenied, "vendor", "release", "revoke", "Bolt 1", "1.1.0")
	p.hos(exitNotFound, "vendor", "release", "revoke", "Bolt 1", "9.0.0")
	p.hos(exitUsage, "vendor", "release", "revoke", "Bolt 1", "9")
	p.hos(exitDenied, publish("1.1.0")...)
	list, _ := stranger.hos(exitOK, "vendor", "release", "list", "Bolt 1", "--vendor", id)
	if a, b := strings.Index(list, "1.1.0  revoked"), strings.Index(list, "1.0.0  good"); a < 0 || b < a {
		t.Errorf("listed:\n%s", list)
	}
	show, _ := p.hos(exitOK, "vendor", "release", "show", "Bolt 1", "1.0.0")
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("firmware")))
	for _, want := range []string{"good", sum, "8 bytes", "https://a.example/x", "0.9.0"} {
		if !strings.Contains(show, want) {
			t.Errorf("shown without %q:\n%s", want, show)
		}
	}
	p.hos(exitNotFound, "vendor", "release", "show", "Bolt 1", "3.0.0")

	p.hos(exitUsage, "vendor", "app", "publish", image, "--app", "timer", "--version", "1.0.0", "--form", "exe", "--yes")
	p.hos(exitOK, "vendor", "app", "publish", image, "--app", "timer", "--version", "1.0.0", "--form", "wasm", "--may-call", "lamp,clock", "--yes")
	if out, _ := p.hos(exitOK, "vendor", "app", "show", "timer", "1.0.0"); !strings.Contains(out, "may call  clock") || !strings.Contains(out, "wasm") {
		t.Errorf("app shown:\n%s", out)
	}
	p.hos(exitOK, "vendor", "app", "revoke", "timer", "1.0.0")
	if l := p.json("hos.vendor.app", "vendor", "app", "list", "timer"); l["versions"].([]any)[0].(map[string]any)["status"] != "revoked" {
		t.Errorf("apps: %v", l)
	}

	rotate := []string{"vendor", "keys", "rotate", "--threshold", "2", "--new-key-file", p.keyFile(), "--yes"}
	p.hos(exitUsage, "vendor", "keys", "rotate", "--yes")
	p.hos(exitNotFound, append(rotate, "--new-key-file", filepath.Join(p.dir, "none"))...)
	p.hos(exitOK, append(rotate, "--new-key-file", second.keyFile())...)
	if out, _ := p.hos(exitOK, "vendor", "release", "show", "Bolt 1", "1.0.0"); !strings.Contains(out, "refused") {
		t.Errorf("signed by one of two: %s", out)
	}
	p.hos(exitDenied, publish("2.0.0")...)
	both := []string{"--key-file", p.keyFile(), "--key-file", second.keyFile()}
	p.hos(exitOK, publish("2.0.0", both...)...)
	p.hos(exitFailure, publish("1.0.0", both...)...) // not word for word
	p.hos(exitOK, publish("1.0.0", append(both, "--from", "0.9.0", "--floor", "0.9.0", "--url", "https://a.example/x", "--url", "https://b.example/x")...)...)
	for _, version := range []string{"1.0.0", "2.0.0"} {
		if out, _ := p.hos(exitOK, "vendor", "release", "show", "Bolt 1", version); !strings.Contains(out, "good") {
			t.Errorf("%s signed by both: %s", version, out)
		}
	}
}
