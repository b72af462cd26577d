package adversary_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

var update = flag.Bool("update", false, "write docs/security-tests.md")

// attack is one thing that somebody hostile does, ending with bytes that come to
// the device. Where it is over before, the last bytes are a good command, which
// must still be obeyed; so must every positive control.
type attack struct {
	name   string
	limits gate.Limits
	bytes  func(w *world) []byte
	status command.Status // 0: executed for OK, else rejected
	code   command.Code
	again  bool // it is known to the device: answered without being done again
	alone  bool // it measures memory: nothing else may run
}

// group is the attacks of one kind.
type group struct {
	name    string
	attacks []attack
}

var groups = []group{
	{"signature and encoding", encoding},
	{"binding", binding},
	{"replay and order", replay},
	{"time", timing},
	{"authorisation", authorisation},
	{"delegation", delegation},
	{"ledger view", views},
	{"transport and resources", resources},
}

// The numbers are asserted, so that no attack is lost unseen.
const (
	wantAttacks  = 301
	wantControls = 28
)

// control begins the names of commands that must be obeyed.
const control = "positive control: "

func (a attack) want() command.Status {
	switch {
	case a.status != 0:
		return a.status
	case a.code == command.OK:
		return command.Executed
	default:
		return command.Rejected
	}
}

// strike carries the attack out and checks verdict, bolt and disk.
func (a attack) strike(w *world, strict bool) {
	w.t.Helper()
	raw := a.bytes(w)
	moved, kept := w.bolt.total(), w.kept()
	r, err := w.ask(raw)
	if _, bad := command.Decode(raw); bad != nil && strict {
		if no := refusal(""); !errors.As(err, &no) || !slices.Contains([]string{"bad_command", "too_large", "bad_body"}, string(no)) {
			w.t.Fatalf("the node carried on what is no command: %v", err)
		}
		w.unchanged(kept)
		return
	}
	if a.code == silence {
		if !errors.Is(err, errNoAnswer) {
			w.t.Fatalf("%v, want no answer", err)
		}
		w.unchanged(kept)
		return
	}
	w.check(err)
	if r.Body.Status != a.want() || r.Body.Code != a.code {
		w.t.Fatalf("%s %s, want %s %s", r.Body.Status, r.Body.Code, a.want(), a.code)
	}
	if a.code == command.OK && !a.again {
		moved++
	} else {
		w.unchanged(kept)
	}
	if got := w.bolt.total(); got != moved {
		w.t.Fatalf("the bolt moved %d times, want %d", got, moved)
	}
}

// silence stands for no answer at all.
const silence command.Code = 0xffff

func TestAttacks(t *testing.T) {
	for _, c := range carriers {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.strikes(t, false)
		})
	}
}

// TestAttacks_Memory is those which look at the memory of the whole process.
func TestAttacks_Memory(t *testing.T) {
	for _, c := range carriers {
		t.Run(c.name, func(t *testing.T) { c.strikes(t, true) })
	}
}

func (c way) strikes(t *testing.T, alone bool) {
	for _, g := range groups {
		for _, a := range g.attacks {
			if a.alone == alone {
				t.Run(g.name+"/"+a.name, func(t *testing.T) { a.strike(newWorld(t, a.limits, c.open), c.strict) })
			}
		}
	}
}

// TestAttacks_Listed: the list for people names every attack, and there are as
// many as there were.
func TestAttacks_Listed(t *testing.T) {
	const file = "../../docs/security-tests.md"
	var b strings.Builder
	attacks, controls := 0, 0
	seen := make(map[string]bool)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n", strings.ToUpper(g.name[:1])+g.name[1:])
		for _, a := range g.attacks {
			if seen[g.name+a.name] {
				t.Errorf("%s: %s is there twice", g.name, a.name)
			}
			seen[g.name+a.name] = true
			verdict := fmt.Sprintf("%s `%s`", a.want(), a.code)
			switch {
			case a.code == silence:
				verdict = "no answer"
			case a.again:
				verdict = "the first receipt"
			case a.code == command.OK && !strings.HasPrefix(a.name, control):
				verdict = "nothing; a good command after it is executed"
			}
			if strings.HasPrefix(a.name, control) {
				controls++
			} else {
				attacks++
			}
			fmt.Fprintf(&b, "- %s: %s\n", a.name, verdict)
		}
	}
	fmt.Fprintf(&b, "\n## From the device to its owner\nThe device has done it; what comes back is altered on the way. The owner takes none of it for an answer, and gets the true one by sending the same bytes again.\n")
	for _, l := range lies {
		attacks++
		fmt.Fprintf(&b, "- %s: `%s`\n", l.name, l.code)
	}
	if attacks != wantAttacks || controls != wantControls {
		t.Errorf("%d attacks and %d positive controls, want %d and %d", attacks, controls, wantAttacks, wantControls)
	}
	text := fmt.Sprintf(listHead, attacks, controls, len(carriers), carrierNames()) + b.String()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != text {
		t.Errorf("%s is not the list of attacks (%v): go test ./testnet/adversary -update", file, err)
	}
}

func carrierNames() string {
	var names []string
	for _, c := range carriers {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

const listHead = "# The attacks that are tested\n" +
	"`testnet/adversary` carries out %d attacks and %d positive controls over each of %d carriers (%s), against the real gate with its store on disk and a light client over signed headers. Each line is one, with the verdict that is asserted; asserted as well are the bolt's movements, and that what nobody had a right to leaves nothing on the disk. Every byte of a command is flipped and every shorter length tried besides. This list is written by `go test ./testnet/adversary -update`.\n"
