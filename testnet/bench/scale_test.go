package bench

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var rewrite = flag.Bool("update", false, "write the tables of docs/scaling.md")

// scalingDoc is the document whose tables this test makes, between the marks.
const (
	scalingDoc  = "../../docs/scaling.md"
	tablesBegin = "<!-- tables: go test ./testnet/bench -run Scaling -update -->\n"
	tablesEnd   = "<!-- end of tables -->\n"
)

// Figures that benchmarks have measured; docs/scaling.md tells where each comes
// from. Times are of one validator's processor on the machine of
// docs/benchmarks.md.
const (
	cpuTx       = 290 // µs: a transaction on one validator, but for signatures
	cpuSig      = 170 // µs: one signature on one validator
	cpuProof    = 190 // µs: one proof for a light client
	bytesProof  = 1100
	bytesHeader = 1220 // a light block with 4 validators; an empty block has less
	diskKey     = 280  // bytes on disk for a key but for key and value, with the tree above it
	diskUpdate  = 1400 // bytes on disk for an update while its version is kept
	snapKey     = 8    // bytes in a snapshot for a key but for key and value
	keptDays    = 14
	heartbeats  = 24 * 360 // blocks a day without transactions
)

// kindRow is what one transaction of a kind takes.
type kindRow struct {
	kind    tx.Kind
	block   int // bytes in a block
	sigs    int
	added   int // records
	bytes   int // of these, keys included
	changed int // records rewritten
	delta   int // bytes that these grew by
}

// cpu is what it takes of one validator, in µs.
func (r kindRow) cpu() int { return cpuTx + r.sigs*cpuSig }

// measureKind executes x and looks at what it wrote.
func measureKind(t *testing.T, w *statetest.World, x *tx.Tx) kindRow {
	t.Helper()
	before := w.Tree.Clone()
	w.Do(t, x)
	row := kindRow{kind: x.Body.Kind, block: len(x.Bytes()) + 3, sigs: len(x.Sigs)}
	for _, k := range w.Tree.Keys() {
		was, err1 := before.Get([]byte(k))
		is, err2 := w.Tree.Get([]byte(k))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		switch {
		case was == nil:
			row.added++
			row.bytes += len(k) + len(is)
		case !bytes.Equal(was, is):
			row.changed++
			row.delta += len(is) - len(was)
		}
	}
	return row
}

// life is the transactions of a device and its people, in an order in which all
// of them pass.
func life(t *testing.T) (rows []kindRow) {
	w := statetest.NewWorld()
	device, owner, next, guest := statetest.Key("device"), statetest.Key("owner"), statetest.Key("next"), statetest.Key("guest")
	do := func(x *tx.Tx) *tx.Tx {
		rows = append(rows, measureKind(t, w, x))
		return x
	}
	do(w.RegisterTx(t, device))
	do(w.ClaimTx(t, owner, device))
	grant := do(w.GrantTx(t, owner, guest.Public(), device, "lock.open"))
	do(w.RevokeTx(t, owner, grant.ID(w.Block.Chain)))
	do(w.LostTx(t, owner, device))
	do(w.FoundTx(t, owner, device))
	do(w.TransferTx(t, owner, next, device))
	do(w.ReleaseTx(t, next, device))
	do(w.GuardiansTx(t, owner))
	do(w.RotateTx(t, owner, owner, owner, statetest.Key("second")))
	return rows
}

// fleet is what a ledger of some devices holds and does.
type fleet struct {
	devices            float64
	records, bytes     float64
	txs, sigs, updates float64 // a day
	blockBytes         float64 // a day
}

// perDevice is the life that the tables assume, in transactions of each kind for
// one device: those of its whole life stay in the state, those of a year make the
// load.
var perDevice = map[tx.Kind]struct{ life, year float64 }{
	tx.KindRegisterDevice: {1, 0.1}, // ten years
	tx.KindClaim:          {1, 0.1},
	tx.KindTransfer:       {0.2, 0.02},
	tx.KindRelease:        {0.2, 0.02},
	tx.KindRotateKeys:     {0.5, 0.05}, // accounts have some devices each
	tx.KindSetGuardians:   {0.1, 0.01},
	tx.KindCreateGrant:    {3, 0.5},
	tx.KindRevokeGrant:    {1, 0.2},
}

func fleetOf(devices float64, rows []kindRow) fleet {
	f := fleet{devices: devices}
	for _, r := range rows {
		a := perDevice[r.kind]
		f.records += devices * a.life * float64(r.added)
		f.bytes += devices * a.life * float64(r.bytes+r.delta)
		day := devices * a.year / 365
		f.txs += day
		f.sigs += day * float64(r.sigs)
		f.updates += day * float64(r.added+r.changed)
		f.blockBytes += day * float64(r.block)
	}
	return f
}

// disk is the bytes of state, of kept versions and of kept blocks of a full node.
func (f fleet) disk() (stateBytes, versions, blocks float64) {
	return f.bytes + f.records*diskKey, f.updates * keptDays * diskUpdate, (f.blockBytes + heartbeats*bytesHeader) * keptDays
}

// cores is how many processors transactions keep busy on average.
func (f fleet) cores() float64 { return (f.txs*cpuTx + f.sigs*cpuSig) / 1e6 / 86400 }

func scalingTables(rows []kindRow) string {
	var b strings.Builder
	b.WriteString("| transaction | bytes in a block | signatures | CPU of one validator | new records | their bytes, keys included | records rewritten | these grow by |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d µs | %d | %d | %d | %d |\n", r.kind, r.block, r.sigs, r.cpu(), r.added, r.bytes, r.changed, r.delta)
	}
	b.WriteString("\n| one ledger with | 1 million devices | 10 million | 100 million | 1 billion | a zone of 10 million, one of 100 |\n|---|---|---|---|---|---|\n")
	var fleets []fleet
	for _, n := range []float64{1e6, 1e7, 1e8, 1e9, 1e7} {
		fleets = append(fleets, fleetOf(n, rows))
	}
	line := func(name string, value func(f fleet) string) {
		fmt.Fprintf(&b, "| %s |", name)
		for _, f := range fleets {
			fmt.Fprintf(&b, " %s |", value(f))
		}
		b.WriteString("\n")
	}
	line("records", func(f fleet) string { return fmt.Sprintf("%.0f million", f.records/1e6) })
	line("state, keys and values", func(f fleet) string { return size(f.bytes) })
	line("state on disk", func(f fleet) string { s, _, _ := f.disk(); return size(s) })
	line("two weeks of versions", func(f fleet) string { _, v, _ := f.disk(); return size(v) })
	line("two weeks of blocks", func(f fleet) string { _, _, n := f.disk(); return size(n) })
	line("disk of a full node, twice that for compactions", func(f fleet) string { s, v, n := f.disk(); return size(2 * (s + v + n)) })
	line("a snapshot", func(f fleet) string { return size(f.bytes + f.records*snapKey) })
	line("a snapshot over 100 Mbit/s", func(f fleet) string { return hours((f.bytes + f.records*snapKey) * 8 / 100e6) })
	line("transactions a second, average", func(f fleet) string { return fmt.Sprintf("%.2g", f.txs/86400) })
	line("busy processors, average", func(f fleet) string { return few(f.cores()) })
	line("busy processors, ten times that", func(f fleet) string { return few(10 * f.cores()) })
	line("blocks to each peer", func(f fleet) string { return fmt.Sprintf("%s/s", size(f.blockBytes/86400)) })
	line("levels of the tree", func(f fleet) string { return fmt.Sprintf("%.0f", 1.1*math.Log2(f.records)) })
	return b.String()
}

func size(b float64) string {
	for _, unit := range []string{"B", "KB", "MB", "GB"} {
		if b < 1000 {
			return fmt.Sprintf("%.3g %s", b, unit)
		}
		b /= 1000
	}
	return fmt.Sprintf("%.3g TB", b)
}

func few(n float64) string {
	if n < 0.01 {
		return "below 0.01"
	}
	return fmt.Sprintf("%.2f", n)
}

func hours(seconds float64) string {
	if seconds < 3600 {
		return fmt.Sprintf("%.0f min", math.Ceil(seconds/60))
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}

// TestScaling: the tables of the document follow from the records and
// transactions as they are.
func TestScaling(t *testing.T) {
	raw, err := os.ReadFile(scalingDoc)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(raw), tablesBegin)
	have, tail, ok2 := strings.Cut(rest, tablesEnd)
	if !ok1 || !ok2 {
		t.Fatalf("%s lacks the marks around its tables", scalingDoc)
	}
	want := scalingTables(life(t))
	if *rewrite {
		if err := os.WriteFile(scalingDoc, []byte(head+tablesBegin+want+tablesEnd+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have != want {
		t.Errorf("the tables of %s are out of date; run go test ./testnet/bench -run Scaling -update\n%s", scalingDoc, want)
	}
	for _, figure := range []int{cpuTx, cpuSig, cpuProof, bytesProof, bytesHeader, diskKey, diskUpdate} {
		if !strings.Contains(head+tail, fmt.Sprint(figure)) {
			t.Errorf("%s does not say where %d comes from", scalingDoc, figure)
		}
	}
}

// TestScaling_KindsAreKnown: the life that is assumed has only kinds that are
// measured.
func TestScaling_KindsAreKnown(t *testing.T) {
	met := map[tx.Kind]bool{}
	for _, r := range life(t) {
		met[r.kind] = true
	}
	for k := range perDevice {
		if !met[k] {
			t.Errorf("%s is assumed but not measured", k)
		}
	}
	if size(1234) != "1.23 KB" || size(5e15) != "5e+03 TB" || hours(7200) != "2.0 h" || hours(61) != "2 min" {
		t.Error("sizes or times are written wrongly")
	}
}
