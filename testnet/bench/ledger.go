package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Load of one round: each of loadVendors sends perVendor transactions.
const (
	loadVendors = 64
	perVendor   = 48
	loadTotal   = loadVendors * perVendor
)

// ledgerRow is what a network did under the load.
type ledgerRow struct {
	Name   string
	PerSec float64       // committed transactions a second
	CPU    time.Duration // over all validators, per transaction
	Size   int           // bytes of one transaction
	// Ratio is what ours takes over what this one and a verification on each
	// validator take, the median of the rounds' own ratios: what slows a machine
	// for some seconds slows both. 0 for ours.
	Ratio float64
}

// ledgerBar is the most that our ledger may take, as a multiple of what kvstore
// takes and one verification on each validator. It is held against both: kvstore
// as it is shipped, with an index on the disk as ours has one, and without.
const ledgerBar = 1.3

// ledgerRows are both ledgers and what one verification of a secp256k1
// signature takes beside them.
type ledgerRows struct {
	Rows   []ledgerRow
	Verify time.Duration
	Light  lightRow
	Waits  []latencyRow
}

// load makes the transactions of one round, n for each vendor, to be sent in
// order; from is how many each has sent before.
type load func(from, n int) ([][][]byte, error)

// ledgers measures our ledger and kvstore in turn under the same load.
func ledgers(ctx context.Context, o Options) (out ledgerRows, err error) {
	dir, err := os.MkdirTemp("", "hos-bench-")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(dir)
	makers, err := newMakers(loadVendors)
	if err != nil {
		return out, err
	}
	nets, err := startLedgers(ctx, dir, filepath.Join(o.Bin, "hosd"), vendorsOf(makers))
	defer func() {
		for _, n := range nets {
			n.stop()
		}
	}()
	if err != nil {
		return out, err
	}
	ours := nets[0]
	loads := []load{
		func(from, n int) ([][][]byte, error) { return registrations(ours.doc, makers, from, n) },
		keyValues, keyValues,
	}
	if out, err = compareLedgers(ctx, o.Rounds, nets, loads); err != nil {
		return out, err
	}
	if out.Waits, err = latencies(ctx, o.Rounds, nets, loads, (o.Rounds+1)*perVendor); err != nil {
		return out, err
	}
	out.Light, err = ours.lightSteps(ctx)
	return out, err
}

// KVStoreVerb is the hidden verb of hos-testnet that runs a peer validator.
const KVStoreVerb = "kvstore-node"

// startLedgers starts our ledger, kvstore as CometBFT ships it, and kvstore
// without an index. The networks that it has begun come back with an error too.
func startLedgers(ctx context.Context, dir, hosd string, vendors []genesis.Vendor) (nets []*network, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	kvstore := func(more ...string) launch {
		return func(root, listen, peers, rpc string) *exec.Cmd {
			return exec.Command(self, append([]string{KVStoreVerb, "--home", root, "--p2p-listen", listen, "--p2p-peers", peers, "--rpc-listen", rpc}, more...)...)
		}
	}
	for _, l := range []struct {
		name    string
		vendors []genesis.Vendor
		run     launch
	}{
		{"hosd", vendors, func(root, listen, peers, rpc string) *exec.Cmd {
			return exec.Command(hosd, "start", "--home", root, "--p2p-listen", listen, "--p2p-peers", peers,
				"--rpc-listen", rpc, "--http-listen", "127.0.0.1:0", "--mesh-listen", "127.0.0.1:0")
		}},
		{"kvstore", nil, kvstore("--indexed")},
		{"kvstore-bare", nil, kvstore()},
	} {
		n, err := startNetwork(ctx, l.name, dir, hosd, l.vendors, l.run)
		if n != nil {
			nets = append(nets, n)
		}
		if err != nil {
			return nets, err
		}
	}
	return nets, nil
}

// compareLedgers lets the networks take turns; the first one is ours.
func compareLedgers(ctx context.Context, rounds int, nets []*network, loads []load) (out ledgerRows, err error) {
	var verify []time.Duration
	rates, cpus, ratios := make([][]float64, len(nets)), make([][]time.Duration, len(nets)), make([][]float64, len(nets))
	rows := make([]ledgerRow, len(nets))
	for round := range rounds + 1 {
		var used []time.Duration
		for i, n := range nets {
			txs, err := loads[i](round*perVendor, perVendor)
			if err != nil {
				return out, err
			}
			took, cpu, err := n.carry(ctx, txs)
			if err != nil {
				return out, fmt.Errorf("%s: %w", n.name, err)
			}
			rows[i].Name, rows[i].Size = n.name, len(txs[0][0])
			rates[i] = append(rates[i], loadTotal/took.Seconds())
			used = append(used, cpu/loadTotal)
		}
		cost, err := verifyCost()
		if err != nil {
			return out, err
		}
		verify = append(verify, cost)
		for i, cpu := range used {
			cpus[i], ratios[i] = append(cpus[i], cpu), append(ratios[i], ratio(used[0], cpu+validators*cost))
		}
	}
	for i := range rows { // the first round warms up
		rows[i].PerSec, rows[i].CPU = median(rates[i][1:]), median(cpus[i][1:])
		if i > 0 {
			rows[i].Ratio = median(ratios[i][1:])
		}
	}
	return ledgerRows{Rows: rows, Verify: median(verify)}, nil
}

// verifyCost is the processor time of one verification of a secp256k1 signature
// in this process, with all processors busy as they are under the load: two that
// share a core's units are slower than one alone.
func verifyCost() (time.Duration, error) {
	const each = 500
	k, err := key.Generate(rand.Reader)
	if err != nil {
		return 0, err
	}
	pub, digest := k.Public(), [32]byte{1}
	sig := k.Sign(digest)
	failed := make(chan error, runtime.NumCPU())
	var running sync.WaitGroup
	before := ownCPU()
	for range cap(failed) {
		running.Go(func() {
			for range each {
				if err := pub.Verify(digest, sig); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	running.Wait()
	close(failed)
	return (ownCPU() - before) / time.Duration(each*cap(failed)), <-failed
}

// carry sends one round and waits until every transaction is in a block.
func (n *network) carry(ctx context.Context, txs [][][]byte) (took, cpu time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	before, err := n.rpc[0].Status(ctx)
	if err != nil {
		return 0, 0, err
	}
	used, err := n.cpu()
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	var wg sync.WaitGroup
	failed := make(chan error, len(txs))
	for i, list := range txs {
		wg.Go(func() {
			for _, t := range list {
				r, err := n.rpc[i%len(n.rpc)].BroadcastTxSync(ctx, t)
				if err == nil && r.Code != 0 {
					err = fmt.Errorf("refused with code %d: %s", r.Code, r.Log)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		return 0, 0, err
	}
	if err := n.waitCommitted(ctx, before.SyncInfo.LatestBlockHeight, loadTotal); err != nil {
		return 0, 0, err
	}
	took = time.Since(start)
	after, err := n.cpu()
	return took, after - used, err
}

// waitCommitted counts the transactions of the blocks after a height, and
// demands that each one was executed.
func (n *network) waitCommitted(ctx context.Context, height int64, want int) error {
	for have := 0; have < want; {
		next := height + 1
		r, err := n.rpc[0].BlockResults(ctx, &next)
		if err != nil { // not yet
			if err := pause(ctx, poll); err != nil {
				return fmt.Errorf("%d of %d transactions are in blocks", have, want)
			}
			continue
		}
		for _, t := range r.TxsResults {
			if t.Code != 0 {
				return fmt.Errorf("a transaction in block %d failed: %s", next, t.Log)
			}
		}
		have += len(r.TxsResults)
		height = next
	}
	return nil
}

func newMakers(n int) ([]*key.Private, error) {
	out := make([]*key.Private, n)
	for i := range out {
		k, err := key.Generate(rand.Reader)
		if err != nil {
			return nil, err
		}
		out[i] = k
	}
	return out, nil
}

func vendorsOf(makers []*key.Private) []genesis.Vendor {
	out := make([]genesis.Vendor, len(makers))
	for i, k := range makers {
		out[i] = genesis.Vendor{Name: fmt.Sprintf("maker-%d", i), Keys: []key.Public{k.Public()}, Threshold: 1, Quota: 1 << 30}
	}
	return out
}

// registrations is our load: each vendor registers devices.
func registrations(doc *genesis.Doc, makers []*key.Private, from, count int) ([][][]byte, error) {
	chain, expires := doc.Chain(), uint64(time.Now().Add(time.Hour).Unix())
	out := make([][][]byte, len(makers))
	for i, maker := range makers {
		for n := range count {
			dev, err := key.Generate(rand.Reader)
			if err != nil {
				return nil, err
			}
			t, err := tx.New(maker.Public().AccountID(), uint64(from+n), expires,
				&tx.RegisterDevice{Key: dev.Public(), SealKey: [32]byte{1}, Model: "bench"})
			if err != nil {
				return nil, err
			}
			t.Sign(chain, tx.RoleVendor, maker)
			out[i] = append(out[i], t.Bytes())
		}
	}
	return out, nil
}

// keyValues is kvstore's load: as many pairs, of the size of a registration.
func keyValues(from, count int) ([][][]byte, error) {
	out := make([][][]byte, loadVendors)
	pad := strings.Repeat("v", registrationSize-24)
	for i := range out {
		for n := range count {
			out[i] = append(out[i], fmt.Appendf(nil, "%015d.%07d=%s", from+n, i, pad))
		}
	}
	return out, nil
}

// registrationSize is about what a registration takes on the wire.
const registrationSize = 218
