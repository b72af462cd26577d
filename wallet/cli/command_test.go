package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJourney_Command: two owners sign one command; a file can be sent again
// and is done once; what has not been begun can be cancelled.
func TestJourney_Command(t *testing.T) {
	w := newWorld(t)
	p, d := w.owner(t, "lock")
	other, stranger := w.person(t).made(), w.person(t).made()
	offer, file, both := filepath.Join(p.dir, "offer.json"), filepath.Join(p.dir, "open.cmd"), filepath.Join(p.dir, "both.cmd")
	p.hos(exitOK, "key", "add", other.public(), "--out", offer, "--yes")
	other.hos(exitOK, "key", "accept", offer, "--yes")
	d.signers = 2

	p.hos(exitUsage, "command", "sign", "front-door", "lock.open")
	p.hos(exitUsage, "command", "sign", "front-door", "open", "--out", file)
	p.hos(exitNotFound, "command", "sign", "back-door", "lock.open", "--out", file)
	if c := p.json("hos.command", "command", "sign", "front-door", "lock.open", "--out", file); c["method"] != "open" || len(c["signed"].([]any)) != 1 {
		t.Errorf("signed: %v", c)
	}
	p.hos(exitFailure, "command", "sign", "front-door", "lock.open", "--out", file) // the file is there
	p.hos(exitRefused, "command", "send", file)
	p.hos(exitOK, "command", "sign", "front-door", "lock.open", "--out", file, "--force")
	p.hos(exitFailure, "command", "cosign", file, "--out", both, "--yes")
	stranger.hos(exitDenied, "command", "cosign", file, "--out", both, "--yes")
	_, talk := other.hos(exitUsage, "command", "cosign", file, "--out", both)
	if !strings.Contains(talk, "lock.open") {
		t.Errorf("what is signed is not shown: %s", talk)
	}
	other.hos(exitOK, "command", "cosign", file, "--out", both, "--yes")
	if out, _ := p.hos(exitOK, "command", "show", both); strings.Count(out, "signed by") != 2 {
		t.Errorf("shown: %s", out)
	}
	p.hos(exitOK, "command", "send", both)
	p.hos(exitOK, "command", "send", both)
	if d.opened != 1 {
		t.Errorf("opened %d times", d.opened)
	}
	d.signers = 0
	p.hos(exitRefused, "command", "cancel", both) // it is done

	p.hos(exitOK, "command", "sign", "front-door", "lock.open", "--out", file, "--force")
	p.hos(exitOK, "command", "cancel", file)
	_, talk = p.hos(exitRefused, "command", "send", file)
	if !strings.Contains(talk, "cancelled") || d.opened != 1 {
		t.Errorf("after the cancel: %s, opened %d times", talk, d.opened)
	}

	if err := os.WriteFile(file, []byte("open"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"show", "send", "cancel"} {
		p.hos(exitInvalid, "command", verb, file)
	}
	p.hos(exitNotFound, "command", "show", filepath.Join(p.dir, "none"))
}

// TestJourney_DoSealed: a command that the ledger seals is sent when it is
// sealed, at once or after another owner has approved.
func TestJourney_DoSealed(t *testing.T) {
	w := newWorld(t)
	p, d := w.owner(t, "lock")
	other := w.person(t).made()
	offer, file := filepath.Join(p.dir, "offer.json"), filepath.Join(p.dir, "open.cmd")
	p.hos(exitOK, "key", "add", other.public(), "--out", offer, "--yes")
	other.hos(exitOK, "key", "accept", offer, "--yes")
	p.hos(exitOK, "door", "open", "--seal", "--yes")
	if d.opened != 1 {
		t.Fatalf("opened %d times", d.opened)
	}
	p.hos(exitUsage, "door", "open", "--seal", "--needed", "2", "--yes")
	c := p.json("hos.command", "door", "open", "--seal", "--needed", "2", "--keep", file, "--yes")
	if c["sealed"] != true {
		t.Errorf("kept: %v", c)
	}
	_, talk := p.hos(exitRefused, "command", "send", file)
	if !strings.Contains(talk, "not_sealed") {
		t.Errorf("before the second approval: %s", talk)
	}
	other.hos(exitOK, "seal", "approve", c["device"].(string), c["command"].(string), "--yes")
	p.hos(exitOK, "command", "send", file)
	if d.opened != 2 {
		t.Errorf("opened %d times", d.opened)
	}
	p.hos(exitOK, "command", "sign", "front-door", "lock.state", "--sealed", "--out", file, "--force")
	if out, _ := p.hos(exitOK, "command", "show", file); !strings.Contains(out, "only when the ledger has sealed it") {
		t.Errorf("shown: %s", out)
	}
}
