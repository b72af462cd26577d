package abci

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/cometbft/cometbft/abci/types"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Load of BenchmarkApp: each block holds perMaker registrations of each maker.
const (
	benchMakers = 64
	perMaker    = 8
)

// BenchmarkApp is what a validator's application does for one transaction but
// for verifying its signature: admission, proposal, execution and commit, with
// the disk. The processor time is the figure; the clock depends on the disk.
func BenchmarkApp(b *testing.B) {
	w := newWorld(b)
	w.dir = b.TempDir()
	makers := make([]*key.Private, benchMakers)
	for i := range makers {
		makers[i] = secret(b, fmt.Sprint("maker ", i))
		w.doc.Vendors = append(w.doc.Vendors, genesis.Vendor{
			Name: fmt.Sprint("maker-", i), Keys: []key.Public{makers[i].Public()}, Threshold: 1, Quota: 1 << 30,
		})
	}
	w.open()
	w.init(w.initRequest())
	var used time.Duration
	sent, made := uint64(0), 0
	for b.Loop() {
		b.StopTimer()
		txs := w.registrations(makers, sent)
		sent += perMaker
		before := processTime(b)
		b.StartTimer()
		w.carry(txs)
		b.StopTimer()
		used += processTime(b) - before
		made += len(txs)
		b.StartTimer()
	}
	b.ReportMetric(float64(used.Microseconds())/float64(made), "cpu-µs/tx")
}

// registrations are a block's transactions, their signatures known to be valid.
func (w *world) registrations(makers []*key.Private, sequence uint64) (out [][]byte) {
	for i, m := range makers {
		for n := range uint64(perMaker) {
			k := secret(w.t, fmt.Sprint("made ", i, sequence+n))
			t := w.tx(m.Public().AccountID(), sequence+n, &tx.RegisterDevice{Key: k.Public(), SealKey: [32]byte{1}, Model: "bench"}, signer{tx.RoleVendor, m})
			for _, s := range state.Signatures(w.app.reads, t) {
				if err := w.app.seen.check(s.Key, t.Digest(w.doc.Chain()), s.Sig); err != nil {
					w.t.Fatal(err)
				}
			}
			out = append(out, t.Bytes())
		}
	}
	return out
}

// carry takes transactions all the way.
func (w *world) carry(txs [][]byte) {
	for _, raw := range txs {
		if r, err := w.app.CheckTx(w.t.Context(), &types.RequestCheckTx{Tx: raw}); err != nil || r.Code != CodeOK {
			w.t.Fatal(r, err)
		}
	}
	height, hash := w.app.Height()+1, []byte{byte(w.app.Height()), byte(w.app.Height() >> 8), 1}
	p, err := w.app.ProcessProposal(w.t.Context(), &types.RequestProcessProposal{Height: height, Time: w.now, Hash: hash, Txs: txs})
	if err != nil || p.Status != types.ResponseProcessProposal_ACCEPT {
		w.t.Fatal(p, err)
	}
	if _, err := w.app.FinalizeBlock(w.t.Context(), &types.RequestFinalizeBlock{Height: height, Time: w.now, Hash: hash, Txs: txs}); err != nil {
		w.t.Fatal(err)
	}
	w.commit()
}

// processTime is the processor time that this process has taken.
func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
