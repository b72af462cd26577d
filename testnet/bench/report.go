package bench

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// Report is all figures of one run.
type Report struct {
	Gate, Bare []roundTripRow
	Cold       []roundTripRow
	Flood      floodRow
	Ledgers    ledgerRows
	Trees      []treeRow
	Growth     growthRow
	Agent      agentRow
	Verdicts   []verdictRow
	Evidence   []evidenceRow
	Phone      phoneRow
	Sync       syncRow
	Rounds     int
}

// bars of the command path, ours over theirs.
var bars = map[string]float64{"raw TLS 1.3": 1.2, "mosquitto QoS 1": 1.0}

func (r *Report) write(out io.Writer, o Options) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Measured side by side\n\nWritten by `make bench`: one run on one machine (%d cores), each figure a median of %d rounds in which ours and theirs took turns. Times depend on the machine, ratios hardly.\n\n", runtime.NumCPU(), r.Rounds)
	for _, t := range []struct {
		part  string
		table func()
	}{
		{"gate", func() {
			roundTripTable(&b, "Signed command, round trip", "The real gate stands at the end of every transport: it verifies the signature, syncs the intent to disk, acts, syncs the result and signs the receipt; the same signed bytes and the same receipts travel. TLS carries them as frames with a length; mosquitto at QoS 1 both ways.", r.Gate, bars)
		}},
		{"transport", func() {
			roundTripTable(&b, "The same bytes, transport alone", "An echo of 300 bytes in the place of the gate. No bar is set here; it shows what the transport itself costs.", r.Bare, nil)
		}},
		{"cold", func() {
			roundTripTable(&b, "From nothing to the first receipt", "A sender without a connection: dialling, the handshake (Noise and yamux, or TLS 1.3), one command and its verified receipt.", r.Cold, nil)
		}},
		{"flood", func() { r.floodTable(&b) }},
		{"ledger", func() { r.ledgerTable(&b) }},
		{"tree", func() { r.treeTable(&b) }},
		{"growth", func() { r.growthTable(&b) }},
		{"agent", func() { r.agentTable(&b) }},
		{"verdict", func() { r.verdictTable(&b) }},
		{"evidence", func() { r.evidenceTable(&b) }},
		{"phone", func() { r.phoneTable(&b) }},
		{"sync", func() { r.syncTable(&b) }},
	} {
		if o.wants(t.part) {
			t.table()
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func roundTripTable(b *strings.Builder, title, what string, rows []roundTripRow, bars map[string]float64) {
	fmt.Fprintf(b, "## %s\n\n%s\n\n| transport | p50 | p99 | ours / theirs, p50 | p99 | bar |\n|---|---|---|---|---|---|\n", title, what)
	for _, r := range rows {
		fmt.Fprintf(b, "| %s | %s | %s | %.2f | %.2f | %s |\n", r.Name, micro(r.P50), micro(r.P99), ratio(rows[0].P50, r.P50), ratio(rows[0].P99, r.P99), verdict(bars[r.Name], ratio(rows[0].P50, r.P50), ratio(rows[0].P99, r.P99)))
	}
	b.WriteString("\n")
}

func (r *Report) floodTable(b *strings.Builder) {
	f := r.Flood
	fmt.Fprintf(b, "\n## An honest sender in a flood\n\nThe real stream and gate with their default limits. %d hosts send %d commands a second with wrong signatures, and come back when they are cut off; they run on the same machine.\n\n| figure | value | bar | |\n|---|---|---|---|\n", floodPeers, floodRate)
	fmt.Fprintf(b, "| invalid commands that left, of them answered | %.0f/s, %.0f/s | | |\n", f.Sent, f.Answered)
	fmt.Fprintf(b, "| honest command, p99 without the flood | %s | | |\n", micro(f.Idle))
	of := ratio(f.Flooded, f.Idle)
	fmt.Fprintf(b, "| honest command, p99 in the flood | %s, %.1f times | %.0f times | %s |\n\n", micro(f.Flooded), of, floodBar, holds(of <= floodBar))
}

func (r *Report) ledgerTable(b *strings.Builder) {
	l := r.Ledgers
	fmt.Fprintf(b, "## The ledger under load\n\nFour validators as processes each, the same engine, settings and stores; %d transactions a round through CometBFT's RPC from %d senders. Ours are signed device registrations that change an authenticated tree; kvstore's are unsigned pairs of about the same size. `kvstore` keeps CometBFT's index of transactions, as it is shipped and as hosd keeps its own; `kvstore-bare` keeps none. One verification of a signature takes %s here; the last ratio is that of the median round.\n\n| application | bytes | committed/s | CPU per transaction, all validators | hosd / it, throughput | CPU | CPU of hosd / (it + a verification on each validator) | bar |\n|---|---|---|---|---|---|---|---|\n", loadTotal, loadVendors, micro(l.Verify))
	for i, row := range l.Rows {
		fmt.Fprintf(b, "| %s | %d | %.0f | %s |", row.Name, row.Size, row.PerSec, micro(row.CPU))
		if i == 0 {
			b.WriteString(" | | | |\n")
			continue
		}
		fmt.Fprintf(b, " %.2f | %.2f | %.2f | %.1f %s |\n", l.Rows[0].PerSec/row.PerSec, ratio(l.Rows[0].CPU, row.CPU), row.Ratio, ledgerBar, holds(row.Ratio <= ledgerBar))
	}
	b.WriteString("\n")
	if l := r.Ledgers.Light; l.Steps > 0 {
		fmt.Fprintf(b, "A light client took %s of CPU for each of %d headers in a row, and %s for a jump to the last one; a header with its commit and %d validators has %d bytes.\n\n",
			micro(l.Step), l.Steps, micro(l.Jump), validators, l.Bytes)
	}
	r.latencyTable(b)
}

func (r *Report) latencyTable(b *strings.Builder) {
	if len(r.Ledgers.Waits) == 0 {
		return
	}
	fmt.Fprintf(b, "### How long a transaction takes\n\nFrom the moment at which a transaction was due to the answer that it is in a block: %d a second at all validators in turn, %d a round, each sent when it is due whatever has become of those before. The bar is 1.2 times the pause after a block (500 ms) and 250 ms.\n\n| ledger and way | p50 | p99 | no answer in %s | bar for p50 |\n|---|---|---|---|---|\n", latencyRate, latencyTotal, latencyWait)
	for i, w := range r.Ledgers.Waits {
		bar := ""
		if i == 0 {
			bar = fmt.Sprintf("%d ms %s", latencyBar.Milliseconds(), holds(w.P50 <= latencyBar))
		}
		fmt.Fprintf(b, "| %s | %d ms | %d ms | %d | %s |\n", w.Name, w.P50.Milliseconds(), w.P99.Milliseconds(), w.Late, bar)
	}
	b.WriteString("\n")
}

func (r *Report) treeTable(b *strings.Builder) {
	fmt.Fprintf(b, "## The state tree\n\nRandom updates of records of %d bytes in blocks of %d, each block on disk before the next, the last %d versions kept and older ones pruned at each block. Times are processor time; updates a second depend on the disk.\n\n| tree | keys | updates/s | CPU per update | CPU per proof | proof | CPU per check of a proof |\n|---|---|---|---|---|---|---|\n", treeValue, treeBlock, treeKeep)
	for _, t := range r.Trees {
		check := ""
		if t.Verify > 0 {
			check = micro(t.Verify)
		}
		fmt.Fprintf(b, "| %s | %d | %.0f | %s | %s | %d bytes | %s |\n", t.Name, t.Keys, t.PerSec, micro(t.Update), micro(t.Prove), t.Proof, check)
	}
	for i := 0; i+1 < len(r.Trees); i += 2 {
		ours, theirs := r.Trees[i], r.Trees[i+1]
		fmt.Fprintf(b, "\nOurs / bare iavl at %d keys: %.2f in throughput, %.2f in CPU per update.\n", ours.Keys, ours.PerSec/theirs.PerSec, ratio(ours.Update, theirs.Update))
	}
	b.WriteString("\n")
}

func (r *Report) agentTable(b *strings.Builder) {
	a := r.Agent
	fmt.Fprintf(b, "## The device agent\n\nThe real `hos-agent` with `hbusd` and `hos-lock` in processes of their own, one validator, after pairing and %d door openings.\n\n| figure | value | bar | |\n|---|---|---|---|\n", agentCommands)
	fmt.Fprintf(b, "| program, stripped | %.1f MB | %d MB | %s |\n", mega(a.Size), agentSizeBar/1_000_000, holds(a.Size <= agentSizeBar))
	fmt.Fprintf(b, "| memory after pairing | %.1f MB | | |\n", mega(a.Idle))
	fmt.Fprintf(b, "| memory after the commands | %.1f MB | %d MB | %s |\n", mega(a.Busy), agentRSSBar/1_000_000, holds(a.Busy <= agentRSSBar))
	fmt.Fprintf(b, "| following the ledger for a day, read and written (sockets and disk) | %.1f MB, %.1f MB | | |\n", mega(a.Read), mega(a.Written))
	fmt.Fprintf(b, "| signed command to receipt, through bus and lock app | p50 %s, p99 %s | | |\n", micro(a.P50), micro(a.P99))
}

func (r *Report) verdictTable(b *strings.Builder) {
	b.WriteString("\n## Algorithms\n\nCPU time of the device's process for one command: the signature check alone; the gate's verdict, with every check; its whole answer, with two syncs and a signed receipt.\n\n| algorithm | bytes | check | verdict | verdict / check | bar | whole answer |\n|---|---|---|---|---|---|---|\n")
	for _, v := range r.Verdicts {
		of := ratio(v.Verdict, v.Verify)
		fmt.Fprintf(b, "| %s | %d | %s | %s | %.2f | %.1f %s | %s |\n", v.Name, v.Bytes, micro(v.Verify), micro(v.Verdict), of, verdictBar, holds(of <= verdictBar), micro(v.Whole))
	}
}

func (r *Report) evidenceTable(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Evidence\n\nWhat a device without a network is shown, and its CPU time for it: headers from its head to the newest one, and %d proofs of records of %d bytes out of %d. Where validators changed, one after the other, more than the newest header is needed.\n\n| validators | of them replaced | messages | headers | bytes | CPU at the device |\n|---|---|---|---|---|---|\n", evidenceReads, evidenceValue, evidenceRecords)
	for _, e := range r.Evidence {
		fmt.Fprintf(b, "| %d | %d | %d | %d | %d | %s |\n", e.Validators, e.Changed, e.Messages, e.Headers, e.Bytes, micro(e.CPU))
	}
}

// bundleBar is the most that the phone page may weigh, gzip.
const bundleBar = 150_000

func (r *Report) phoneTable(b *strings.Builder) {
	size := r.Phone.Bundle
	b.WriteString("\n## The phone page\n\nA real Chromium with a virtual authenticator on the page that `hosd` serves: from the click on Open to the green that only the device's verified receipt gives, through node, mesh, agent, bus and lock app on loopback.\n\n| figure | value | bar | |\n|---|---|---|---|\n")
	fmt.Fprintf(b, "| bundle, gzip | %.1f KB | %d KB | %s |\n", float64(size)/1e3, bundleBar/1000, holds(size <= bundleBar))
	if r.Phone.Absent {
		b.WriteString("| click to verified receipt | not measured: no Chromium on this machine | | |\n")
		return
	}
	fmt.Fprintf(b, "| click to verified receipt | p50 %s, p99 %s | | |\n", micro(r.Phone.P50), micro(r.Phone.P99))
	fmt.Fprintf(b, "| of that, the browser's own assertion | p50 %s | | |\n", micro(r.Phone.Assert))
}

// verdict is the last column of a comparison.
func verdict(bar, p50, p99 float64) string {
	if bar == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %s", bar, holds(max(p50, p99) <= bar))
}

func holds(ok bool) string {
	if ok {
		return "holds"
	}
	return "missed"
}

func mega(n int64) float64 { return float64(n) / 1e6 }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

func micro(d time.Duration) string {
	return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
}
