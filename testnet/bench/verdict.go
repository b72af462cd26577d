package bench

import (
	"crypto/rand"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
)

// verdictRow is what the device's gate takes for commands of one algorithm.
type verdictRow struct {
	Name    string
	Bytes   int           // of a command
	Verify  time.Duration // CPU of the signature check alone
	Verdict time.Duration // CPU of the whole answer: check, two syncs, receipt
}

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
		signer          key.Signer
		verify, verdict []time.Duration
	}{
		{verdictRow: verdictRow{Name: "1, secp256k1"}, signer: d.owner},
		{verdictRow: verdictRow{Name: "2, P-256"}, signer: browser},
		{verdictRow: verdictRow{Name: "3, passkey"}, signer: phone},
	}
	for round := range o.Rounds + 1 {
		for i := range all {
			a := &all[i]
			d.caller.Key = a.signer
			check, whole, size, err := d.verdict(o.Commands)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", a.Name, err)
			}
			a.Bytes = size
			if round > 0 { // the first one warms up
				a.verify, a.verdict = append(a.verify, check), append(a.verdict, whole)
			}
		}
	}
	rows := make([]verdictRow, len(all))
	for i, a := range all {
		rows[i] = a.verdictRow
		rows[i].Verify, rows[i].Verdict = median(a.verify), median(a.verdict)
	}
	return rows, nil
}

// verdict answers n commands and gives the CPU time of one check and of one
// whole answer.
func (d *door) verdict(n int) (check, whole time.Duration, size int, err error) {
	raw := make([][]byte, n)
	for i := range raw {
		cmd, err := d.sign()
		if err != nil {
			return 0, 0, 0, err
		}
		raw[i] = cmd.Bytes()
		size = len(raw[i])
	}
	start := ownCPU()
	for i := range raw {
		if err := d.accepted(d.handle(raw[i])); err != nil {
			return 0, 0, 0, err
		}
	}
	whole = (ownCPU() - start) / time.Duration(n)
	var digest [32]byte
	_, _ = rand.Read(digest[:])
	pub, sig := d.caller.Key.Public(), d.caller.Key.Sign(digest)
	start = ownCPU()
	for range verdictChecks {
		if err := pub.Verify(digest, sig); err != nil {
			return 0, 0, 0, err
		}
	}
	return (ownCPU() - start) / verdictChecks, whole, size, nil
}

// ownCPU is the CPU time that this process has taken (getrusage(2)).
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("bench: getrusage: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
