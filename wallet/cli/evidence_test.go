package cli

import (
	"strings"
	"testing"
)

// TestJourney_Vouch: a device that was without news for too long opens when its
// owner gives its word, and not before it was asked for that.
func TestJourney_Vouch(t *testing.T) {
	w := newWorld(t)
	p, d := w.owner(t, "lock")
	d.expired = true
	_, talk := p.hos(exitRefused, "door", "open")
	if !strings.Contains(talk, "--vouch") {
		t.Errorf("no way out is named: %s", talk)
	}
	p.hos(exitRefused, "door", "open", "--vouch") // nobody is there to ask
	p.hos(exitOK, "door", "open", "--vouch", "--yes")
	if d.opened != 1 {
		t.Errorf("opened %d times", d.opened)
	}
}
