package bench

import (
	"crypto/rand"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
)

// verdictRow is what the device's gate takes for commands of one algorithm.
type verdictRow struct {
	Name    string
	Bytes   int           // of a command
	Verify  time.Duration // CPU of the signature check alone
	Verdict time.Duration // CPU of the gate's verdict: all checks, nothing after
	Whole   time.Duration // CPU of the whole answer: check, two syncs, receipt
}

// verdictBar is the most that a verdict may take, as a multiple of the check of
// its signature.
const verdictBar = 1.3

// verdictChecks is how many signatures are checked in a round, so that the
// process's clock of CPU time is fine enough.
const verdictChecks = 1000

// verdicts measures algorithm by algorithm in turn.
func verdicts(o Options) ([]verdictRow, error) {
	dir, err := os.MkdirTemp("", "hos-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	browser, phone := keytest.P256("bench"), keytest.Phone("bench")
	d, err := openDoor(dir+"/vault", browser.Public(), phone.Public())
	if err != nil {
		return nil, err
	}
	defer d.close()
	all := []struct {
		verdictRow
		signer                 key.Signer
		nonce                  uint64 // of its lane
		verify, verdict, whole []time.Duration
	}{
		{verdictRow: verdictRow{Name: "1, secp256k1"}, signer: d.owner},
		{verdictRow: verdictRow{Name: "2, P-256"}, signer: browser},
		{verdictRow: verdictRow{Name: "3, passkey"}, signer: phone},
	}
	for round := range o.Rounds + 1 {
		for i := range all {
			a := &all[i]
			d.caller.Key, d.nonce = a.signer, a.nonce
			one, err := d.verdict(o.Commands)
			a.nonce = d.nonce
			if err != nil {
				return nil, fmt.Errorf("%s: %w", a.Name, err)
			}
			a.Bytes = one.Bytes
			if round > 0 { // the first one warms up
				a.verify, a.verdict, a.whole = append(a.verify, one.Verify), append(a.verdict, one.Verdict), append(a.whole, one.Whole)
			}
		}
	}
	rows := make([]verdictRow, len(all))
	for i, a := range all {
		rows[i] = a.verdictRow
		rows[i].Verify, rows[i].Verdict, rows[i].Whole = median(a.verify), median(a.verdict), median(a.whole)
	}
	return rows, nil
}

// verdict answers n commands that are carried out and n that fail at the last
// check, for a method that the door does not have: with the signing of the
// refusal taken off, that is what a verdict takes.
func (d *door) verdict(n int) (row verdictRow, err error) {
	if row.Whole, row.Bytes, err = d.answers(n, "open", command.OK); err != nil {
		return row, err
	}
	at := d.nonce
	refused, _, err := d.answers(n, "missing", command.NoMethod)
	if err != nil {
		return row, err
	}
	d.nonce = at // a refusal uses no number up, and lanes do not jump far
	var digest [32]byte
	_, _ = rand.Read(digest[:])
	signing, err := each(func() error { d.device.Sign(digest); return nil })
	if err != nil {
		return row, err
	}
	row.Verdict = refused - signing
	pub, sig := d.caller.Key.Public(), d.caller.Key.Sign(digest)
	row.Verify, err = each(func() error { return pub.Verify(digest, sig) })
	return row, err
}

// answers is the CPU time that one of n answers takes.
func (d *door) answers(n int, method string, want command.Code) (one time.Duration, size int, err error) {
	raw := make([][]byte, n)
	for i := range raw {
		cmd, err := d.signFor(method)
		if err != nil {
			return 0, 0, err
		}
		raw[i] = cmd.Bytes()
		size = len(raw[i])
	}
	start := ownCPU()
	for i := range raw {
		r, err := command.DecodeReceipt(d.handle(raw[i]))
		if err != nil {
			return 0, 0, err
		}
		if r.Body.Code != want {
			return 0, 0, fmt.Errorf("the door answered %s, want %s", r.Body.Code, want)
		}
	}
	return (ownCPU() - start) / time.Duration(n), size, nil
}

// each is the CPU time that f takes once.
func each(f func() error) (time.Duration, error) {
	start := ownCPU()
	for range verdictChecks {
		if err := f(); err != nil {
			return 0, err
		}
	}
	return (ownCPU() - start) / verdictChecks, nil
}

// ownCPU is the CPU time that this process has taken (getrusage(2)).
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("bench: getrusage: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
