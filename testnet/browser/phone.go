package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
)

// Final are the states of a lock on the page in which the pressing of its
// button ends. Only Executed is green.
var Final = []string{Executed, "refused", "expired", "unknown", "offline", "forged", "deferred", "cancelled"}

// Executed is the state that only the device's own verified receipt gives.
const Executed = "executed"

// linkForm is what the wallet prints for a phone.
var linkForm = regexp.MustCompile(`https?://[a-z0-9.:-]+/#phone=[A-Za-z0-9_-]+`)

// Link finds the link for a phone in what the wallet says; empty if there is
// none.
func Link(said string) string { return linkForm.FindString(said) }

// Join opens a wallet's link and does what the page asks for: makes the
// passkey, and for a phone of the account itself confirms what the wallet has
// made of it. own is false for a guest's phone.
func (b *Browser) Join(ctx context.Context, link string, own bool) error {
	if err := b.Visit(ctx, link); err != nil {
		return err
	}
	if err := b.Press(ctx, "#create"); err != nil {
		return err
	}
	if !own {
		return nil
	}
	return b.Press(ctx, "#confirm")
}

// Lock is the selector of a device's lock on the page.
func Lock(id key.DeviceID) string { return fmt.Sprintf(`hos-lock[device="%s"]`, id) }

// Pressed is how the pressing of a lock's button came out.
type Pressed struct {
	State string        // one of Final
	Took  time.Duration // from the click to that state, by the page's clock
}

// Open presses the button of a lock and waits for the state in which that ends.
func (b *Browser) Open(ctx context.Context, id key.DeviceID) (Pressed, error) {
	lock := Lock(id)
	if _, err := b.Await(ctx, lock, ""); err != nil {
		return Pressed{}, err
	}
	final, _ := json.Marshal(Final) // strings always can be
	var out struct {
		State string
		MS    float64
	}
	err := b.Script(ctx, fmt.Sprintf(`new Promise((done) => {
		const lock = %s(%s), began = performance.now();
		const watch = new MutationObserver(() => {
			const State = lock.getAttribute('state');
			if (!%s.includes(State)) return;
			watch.disconnect();
			done({State, MS: performance.now() - began});
		});
		watch.observe(lock, {attributes: true, attributeFilter: ['state']});
		lock.shadowRoot.querySelector('[part~=open]').click();
	})`, find, quote(lock), final), &out)
	if err != nil {
		return Pressed{}, fmt.Errorf("press the button of %s: %w\nthe page shows: %s", id, err, b.Screen())
	}
	return Pressed{State: out.State, Took: time.Duration(out.MS * float64(time.Millisecond))}, nil
}
