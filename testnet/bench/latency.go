package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/node/home"
)

// latencyRow is how long a transaction takes from handing it in to the answer
// that it is in a block.
type latencyRow struct {
	Name     string
	P50, P99 time.Duration
	Late     int // transactions of all rounds that had no answer in time
}

const (
	// latencyRate is how many transactions are due each second, whatever has
	// become of those before: a sender that waited for answers would leave out
	// just those moments in which the ledger is slow.
	latencyRate = 40
	// latencyPerVendor makes a round last eight seconds.
	latencyPerVendor = 5
	latencyTotal     = latencyPerVendor * loadVendors
	// latencyWait is how long an answer is waited for.
	latencyWait = 20 * time.Second
)

// latencyBar is the most that the median may be: 1.2 times the pause of
// consensus after each block (500 ms, node/engine), and 250 ms.
const latencyBar = 850 * time.Millisecond

// sending is a way to hand transactions in at validator i and to wait until they
// are in a block.
type sending struct {
	name string
	make func() ([][][]byte, error) // the next round's
	send func(ctx context.Context, i int, raw []byte) error
}

// latencies measures both networks after they have carried sent transactions of
// each sender.
func latencies(ctx context.Context, rounds int, nets []*network, loads []load, sent int) ([]latencyRow, error) {
	next := make([]int, len(nets))
	making := func(i int) func() ([][][]byte, error) {
		return func() ([][][]byte, error) {
			from := sent + next[i]
			next[i] += latencyPerVendor
			return loads[i](from, latencyPerVendor)
		}
	}
	ours, theirs := nets[0], nets[1]
	return compareLatencies(ctx, rounds, []sending{
		{ours.name + ", CometBFT's RPC", making(0), ours.throughRPC},
		{theirs.name + ", CometBFT's RPC", making(1), theirs.throughRPC},
		{ours.name + ", its HTTP interface", making(0), ours.throughHTTP},
	})
}

// compareLatencies lets the networks take turns.
func compareLatencies(ctx context.Context, rounds int, all []sending) ([]latencyRow, error) {
	rows := make([]latencyRow, len(all))
	p50, p99 := make([][]time.Duration, len(all)), make([][]time.Duration, len(all))
	for range rounds {
		for i, s := range all {
			rows[i].Name = s.name
			txs, err := s.make()
			if err != nil {
				return nil, err
			}
			took, late, err := openLoop(ctx, time.Second/latencyRate, interleave(txs), s.send)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			rows[i].Late += late
			p50[i], p99[i] = append(p50[i], took.quantile(0.5)), append(p99[i], took.quantile(0.99))
		}
	}
	for i := range rows {
		rows[i].P50, rows[i].P99 = median(p50[i]), median(p99[i])
	}
	return rows, nil
}

// interleave puts the senders' lists into one order, in which a sender's turn
// comes again when all others had theirs.
func interleave(lists [][][]byte) (out [][]byte) {
	for n := range lists[0] {
		for _, list := range lists {
			out = append(out, list[n])
		}
	}
	return out
}

// openLoop sends a transaction at each tick and measures each one from the
// moment at which it was due. One without an answer counts as the whole wait. It
// fails if any is refused.
func openLoop(ctx context.Context, tick time.Duration, txs [][]byte, send func(context.Context, int, []byte) error) (sample, int, error) {
	took, failed := make(sample, len(txs)), make([]error, len(txs))
	var running sync.WaitGroup
	start := time.Now()
	for i, raw := range txs {
		due := start.Add(time.Duration(i) * tick)
		if err := pause(ctx, time.Until(due)); err != nil {
			running.Wait()
			return nil, 0, err
		}
		running.Go(func() {
			ctx, cancel := context.WithDeadline(ctx, due.Add(latencyWait))
			defer cancel()
			failed[i] = send(ctx, i%validators, raw)
			took[i] = time.Since(due)
		})
	}
	running.Wait()
	late := 0
	for i, err := range failed {
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errBusy):
			late++
			took[i] = latencyWait
		case err != nil:
			return nil, 0, err
		}
	}
	return took, late, nil
}

// throughRPC sends through CometBFT's own RPC, which answers when the block is
// executed.
func (n *network) throughRPC(ctx context.Context, i int, raw []byte) error {
	r, err := n.rpc[i].BroadcastTxCommit(ctx, raw)
	switch {
	case err != nil:
		return err
	case r.CheckTx.Code != 0:
		return fmt.Errorf("refused with code %d: %s", r.CheckTx.Code, r.CheckTx.Log)
	case r.TxResult.Code != 0:
		return fmt.Errorf("failed with code %d: %s", r.TxResult.Code, r.TxResult.Log)
	}
	return nil
}

// errBusy: a validator had no place for the request.
var errBusy = errors.New("no place for the request")

// throughHTTP sends through hosd's own interface, as wallets do.
func (n *network) throughHTTP(ctx context.Context, i int, raw []byte) error {
	at, err := home.ReadRun(n.homes[i])
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, at.HTTP+"/v1/tx", bytes.NewReader(raw))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/cbor")
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusServiceUnavailable {
		return errBusy
	}
	said, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", r.Status, said)
	}
	return err
}
