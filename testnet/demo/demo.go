// Package demo shows the whole journey on a test network of real processes and
// checks every step: from the first key to an opened door, what a guest may, what
// no attacker may, the MQTT side, and a validator that dies and comes back.
//
// It is a show and a test in one, and holds no rules. It believes neither the
// wallet's words nor a node's: each step is judged by the device's signed
// receipts and by the bolt's own count of its movements. Callers use Run.
//
// What must never change: a step that was not proven fails the whole, and
// nothing runs any more when Run returns, unless that was asked for.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// ErrFailed: a step did not come out as it must.
var ErrFailed = errors.New("the demonstration failed")

// Config configures Run. Dir, Programs and Out are needed.
type Config struct {
	Dir      string // of the network, empty or absent
	Programs string
	Keep     bool      // leave the network running
	Out      io.Writer // is told the story
}

// Step is how one step came out.
type Step struct {
	Title  string
	Proof  string // what was checked
	Time   time.Duration
	Passed bool
	// LeftOut: it could not be shown on this machine, and nothing was proven.
	LeftOut bool
}

// errLeftOut: a step cannot be shown here; what it wraps says why.
var errLeftOut = errors.New("left out")

// step is one row of the list.
type step struct {
	title string
	do    func(*world, context.Context) (proof string, err error)
}

// steps is the one list of what is shown, in order: later steps build on
// earlier ones.
func steps() []step {
	return []step{
		{"Four validators, two locks and an MQTT bridge start as processes of their own", (*world).start},
		{"The owner makes a key: hos key new", (*world).makeKey},
		{"The owner pairs both locks: hos device pair CODE", (*world).pair},
		{"The owner opens the front door through the mesh: hos door open", (*world).ownerOpens},
		{"A guest is granted one method and opens the door: hos grant add", (*world).guestOpens},
		{"The grant is revoked, and the guest is refused within two blocks: hos grant revoke", (*world).guestRefused},
		{"A phone's browser becomes a key and opens the door: hos key add-phone", (*world).phoneOpens},
		{"The phone is lost: the key is revoked and refused within two blocks: hos key revoke", (*world).phoneRevoked},
		{"Forged commands are refused", (*world).forged},
		{"A replayed command moves nothing", (*world).replayed},
		{"A command for one lock is refused by the other", (*world).crossDevice},
		{"An MQTT bridge without a grant can do nothing", (*world).mqttWithout},
		{"With a grant, an MQTT client opens the door", (*world).mqttWith},
		{"A validator is killed: the ledger and the door go on", (*world).validatorDies},
		{"The validator comes back and has the same state", (*world).validatorReturns},
	}
}

// Steps is how many steps there are.
func Steps() int { return len(steps()) }

// limits of time: of one step and of the clean-up.
const (
	stepTime = 60 * time.Second
	downTime = 60 * time.Second
)

// Run shows everything and returns how it came out, with an error that is
// ErrFailed if a step failed. All processes have ended at return.
func Run(ctx context.Context, cfg Config) (done []Step, err error) {
	w := &world{cfg: cfg}
	m, _ := manifest.Shape("demo")
	w.net, err = harness.New(harness.Config{Dir: cfg.Dir, Programs: cfg.Programs, Manifest: m, Tied: !cfg.Keep, Tell: w.detail})
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, w.close(ctx))
		w.summary(done, err)
	}()
	list := steps()
	for i, s := range list {
		w.say("\n[%2d/%d] %s", i+1, len(list), s.title)
		began := time.Now()
		ctx, cancel := context.WithTimeout(ctx, stepTime)
		proof, err := s.do(w, ctx)
		cancel()
		r := Step{Title: s.title, Proof: proof, Time: time.Since(began), Passed: err == nil, LeftOut: errors.Is(err, errLeftOut)}
		done = append(done, r)
		if r.LeftOut {
			w.say("        %v", err)
			continue
		}
		if err != nil {
			w.say("        FAILED: %v", err)
			return done, fmt.Errorf("%w in step %d, %q: %w", ErrFailed, i+1, s.title, err)
		}
		w.say("        ok: %s (%.1f s)", proof, r.Time.Seconds())
	}
	return done, nil
}

func (w *world) say(format string, args ...any)    { fmt.Fprintf(w.cfg.Out, format+"\n", args...) }
func (w *world) detail(format string, args ...any) { w.say("        "+format, args...) }

// close ends everything, also when ctx has ended.
func (w *world) close(ctx context.Context) error {
	var errs []error
	if w.phone != nil {
		w.phone.Close()
	}
	if w.client != nil {
		errs = append(errs, w.client.Close())
	}
	if w.ring != nil {
		w.ring.Zero()
	}
	if w.cfg.Keep {
		return errors.Join(errs...)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTime)
	defer cancel()
	return errors.Join(append(errs, w.net.Down(ctx))...)
}

func (w *world) summary(done []Step, err error) {
	var total time.Duration
	left := 0
	w.say("\n%s", "Summary")
	for i, s := range done {
		mark := "ok      "
		switch {
		case s.LeftOut:
			mark = "left out"
			left++
		case !s.Passed:
			mark = "FAILED  "
		}
		total += s.Time
		w.say("  %2d  %s  %5.1f s  %s", i+1, mark, s.Time.Seconds(), s.Title)
	}
	switch {
	case err == nil && left > 0:
		w.say("%d steps are proven, in %.0f s; %d are left out, as said above.", len(done)-left, total.Seconds(), left)
	case err == nil:
		w.say("All %d steps are proven, in %.0f s.", len(done), total.Seconds())
	default:
		w.say("The logs are in %s", w.net.Logs())
	}
	if w.cfg.Keep {
		w.say("The network runs on: hos-testnet status --dir %s", w.net.Dir())
	}
}
