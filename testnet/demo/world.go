package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/testnet/browser"
	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// world is what the steps share.
type world struct {
	cfg    Config
	net    *harness.Network
	client *harness.Client

	owner, guest  harness.Person
	guestKey      string // public
	front, garage lock
	ring          *keystore.Ring // the owner's keys, for what no wallet would sign
	caller        sdk.Caller     // signs with them, in a lane of its own

	phone    *browser.Browser // nil: there is none on this machine
	phoneKey key.KeyID

	guestGrant string
	spareGrant string           // one that is only there to be revoked
	opened     *command.Command // one that the front door has executed
	height     int64            // of the ledger when the validator was killed
}

// lock is a device with its key as the vendor registered it.
type lock struct {
	harness.Device
	remote *sdk.Device
}

// exit is what hos says by its exit code when a device refuses.
const exitRefused = 5

// hos runs the owner's command line as a person would; the result is decoded
// into result unless it is nil. A device's refusal is a result.
func (w *world) hos(ctx context.Context, p harness.Person, result any, args ...string) error {
	w.detail("%s$ hos %s", p.Name, shorten(args))
	a, err := w.net.Hos(ctx, p, args...)
	if err != nil {
		return err
	}
	if a.Exit != 0 && a.Exit != exitRefused {
		return fmt.Errorf("hos %s: exit code %d: %s", shorten(args), a.Exit, bytes.TrimSpace(a.Talk))
	}
	if result == nil {
		return nil
	}
	return a.Decode(result)
}

// shorten cuts for the reader what is long or only there for the checks.
func shorten(args []string) string {
	var out []string
	for _, a := range args {
		if a == "--receipt-out" {
			break
		}
		if len(a) > 48 {
			a = a[:24] + "…"
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}

// answer is a device's verified answer.
type answer struct {
	*command.Receipt
	raw []byte
}

// door runs hos door and returns the device's receipt: the bytes that hos wrote
// to a file, verified here against the device's registered key.
func (w *world) door(ctx context.Context, p harness.Person, method string, l lock, flags ...string) (answer, error) {
	file := filepath.Join(w.net.Dir(), "receipt.cbor")
	var said struct {
		Command command.ID `json:"command"`
		Status  string     `json:"status"`
	}
	args := append(append([]string{"door", method, l.Name}, flags...), "--receipt-out", file, "--force")
	if err := w.hos(ctx, p, &said, args...); err != nil {
		return answer{}, err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return answer{}, err
	}
	a, err := w.verify(l, raw, said.Command)
	if err == nil && a.Body.Status.String() != said.Status {
		err = fmt.Errorf("hos says %s, the receipt %s", said.Status, a.Body.Status)
	}
	return a, err
}

// verify checks a receipt's signature, device and command.
func (w *world) verify(l lock, raw []byte, id command.ID) (answer, error) {
	r, err := command.DecodeReceipt(raw)
	if err == nil {
		err = r.Verify(w.client.Chain(), l.Key, id)
	}
	if err != nil {
		return answer{}, fmt.Errorf("the receipt of %s: %w", l.Name, err)
	}
	return answer{r, raw}, nil
}

// send sends bytes straight to a device, as an attacker would.
func (w *world) send(ctx context.Context, l lock, cmd *command.Command) (answer, error) {
	raw, err := l.remote.Exchange(ctx, cmd.Bytes())
	if err != nil {
		return answer{}, err
	}
	return w.verify(l, raw, cmd.ID(w.client.Chain()))
}

// count asks the bolt's own log how often it moved.
func (w *world) count(l lock) (int, error) {
	moves, err := w.net.Actuations(l.Name)
	return len(moves), err
}

// moved checks that something moves a bolt exactly once, for the very command
// that the receipt answers.
func (w *world) moved(l lock, do func() (answer, error)) (answer, error) {
	before, err := w.count(l)
	if err != nil {
		return answer{}, err
	}
	a, err := do()
	if err != nil {
		return a, err
	}
	if a.Body.Status != command.Executed {
		return a, fmt.Errorf("%s answers %s (%s), not executed", l.Name, a.Body.Status, a.Body.Code)
	}
	moves, err := w.net.Actuations(l.Name)
	if err != nil {
		return a, err
	}
	if len(moves) != before+1 {
		return a, fmt.Errorf("the bolt moved %d times, not once", len(moves)-before)
	}
	if last := moves[len(moves)-1]; last.Command != a.Body.Command {
		return a, fmt.Errorf("the bolt moved for command %s, the receipt is for %s", last.Command, a.Body.Command)
	}
	return a, nil
}

// refused checks that a device answers with a code, and that no bolt moves.
func (w *world) refused(l lock, want command.Code, do func() (answer, error)) (answer, error) {
	before, err := w.counts()
	if err != nil {
		return answer{}, err
	}
	a, err := do()
	if err != nil {
		return a, err
	}
	if a.Body.Status != command.Rejected || a.Body.Code != want {
		return a, fmt.Errorf("%s answers %s (%s), not rejected (%s)", l.Name, a.Body.Status, a.Body.Code, want)
	}
	after, err := w.counts()
	if err == nil && after != before {
		err = fmt.Errorf("the bolts moved: %v before, %v after", before, after)
	}
	return a, err
}

func (w *world) counts() (both [2]int, err error) {
	for i, l := range []lock{w.front, w.garage} {
		n, err := w.count(l)
		if err != nil {
			return both, err
		}
		both[i] = n
	}
	return both, nil
}

// newCaller signs with a person's keys past the wallet, in a new lane.
func (w *world) newCaller(r *keystore.Ring) (sdk.Caller, error) {
	var salt [8]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return sdk.Caller{}, err
	}
	n := uint64(0)
	return sdk.Caller{
		Chain: w.client.Chain(), Key: r.Active(), Principal: r.Account(), Salt: binary.BigEndian.Uint64(salt[:]),
		Nonce: func() (uint64, error) { n++; return n, nil },
	}, nil
}

// call is the usual call of a lock.
func (w *world) call(l lock, method string) sdk.Call {
	return sdk.Call{Device: l.ID, Epoch: 1, Endpoint: "lock", Method: method, Seen: w.client.Ledger().Head().Height}
}
