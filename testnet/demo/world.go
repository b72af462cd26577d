package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// world is what the steps share.
type world struct {
	cfg    Config
	net    *harness.Network
	client *harness.Client

	owner, guest  person
	front, garage lock
	ring          *keystore.Ring // the owner's keys, for what no wallet would sign
	caller        sdk.Caller     // signs with them, in a lane of its own

	guestGrant string
	opened     *command.Command // one that the front door has executed
	height     int64            // of the ledger when the validator was killed
}

// person is somebody with a wallet folder.
type person struct {
	name, home, pass string
	public           string
}

// lock is a device with its key as the vendor registered it.
type lock struct {
	harness.Device
	remote *sdk.Device
}

// newPerson makes a passphrase file for a wallet folder.
func (w *world) newPerson(name, home string) (person, error) {
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return person{}, err
	}
	p := person{name: name, home: home, pass: filepath.Join(w.net.Dir(), name+".pass")}
	return p, os.WriteFile(p.pass, []byte(hex.EncodeToString(secret)), 0o600)
}

// exit is what hos says by its exit code when a device refuses.
const exitRefused = 5

// hos runs the owner's command line as a person would; the result is decoded
// into result unless it is nil.
func (w *world) hos(ctx context.Context, p person, result any, args ...string) (exit int, err error) {
	w.detail("%s$ hos %s", p.name, shorten(args))
	cmd := exec.CommandContext(ctx, filepath.Join(w.net.Programs(), "hos"), append(args, "--json", "--yes", "--quiet")...)
	cmd.Env = append(os.Environ(), "HOS_HOME="+p.home, "HOS_PASSPHRASE_FILE="+p.pass)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	err = cmd.Run()
	var ended *exec.ExitError
	switch {
	case err == nil, errors.As(err, &ended) && ended.ExitCode() == exitRefused:
	default:
		return cmd.ProcessState.ExitCode(), fmt.Errorf("hos %s: %w: %s", shorten(args), err, strings.TrimSpace(talk.String()))
	}
	if result != nil {
		if err := json.Unmarshal(out.Bytes(), result); err != nil {
			return cmd.ProcessState.ExitCode(), fmt.Errorf("hos %s: %w: %s", shorten(args), err, strings.TrimSpace(talk.String()))
		}
	}
	return cmd.ProcessState.ExitCode(), nil
}

// shorten cuts long arguments for the reader.
func shorten(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; len(a) > 48 {
			out[i] = a[:24] + "…"
		}
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
func (w *world) door(ctx context.Context, p person, method string, l lock) (answer, error) {
	file := filepath.Join(w.net.Dir(), "receipt.cbor")
	var said struct {
		Command command.ID `json:"command"`
		Status  string     `json:"status"`
	}
	if _, err := w.hos(ctx, p, &said, "door", method, l.Name, "--receipt-out", file, "--force"); err != nil {
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
