package abci

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var rewrite = flag.Bool("update", false, "write the golden files")

const (
	replayGolden  = "testdata/replay.txt"
	replayFile    = "HOS_REPLAY_FILE" // for the process that replays
	replayThrough = "HOS_REPLAY_THROUGH"
)

// recording is a ledger's whole past: its genesis document and its blocks.
type recording struct {
	Doc    json.RawMessage
	Blocks []recorded
}

// recorded is one block.
type recorded struct {
	Time int64 // Unix seconds
	Txs  [][]byte
}

// TestReplay_SameHashEverywhere records a past, and replays it in processes of
// their own, with different numbers of processors, garbage collection, and ways
// to the same block. All must come to the committed hashes.
func TestReplay_SameHashEverywhere(t *testing.T) {
	a := newAuthor(t)
	rec := a.record()
	for _, k := range tx.Kinds() {
		if a.kinds[k] < scenesPerKind {
			t.Errorf("the recording has %d of %s; scenes in scenes_test.go need one for it", a.kinds[k], k)
		}
	}
	raw, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "recording.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, procs := range []string{"1", "2", "8"} {
		for j, gc := range []string{"off", "10", "100"} {
			if raced && i != j {
				continue
			}
			through := ways[(i+j)%len(ways)]
			t.Run("procs="+procs+" gc="+gc+" "+through, func(t *testing.T) {
				compareGolden(t, replayed(t, file, procs, gc, through), len(rec.Blocks))
			})
		}
	}
}

// ways are how a block can come: decided at once, proposed before, or with its
// transactions in the mempool, in another order.
var ways = []string{"decision", "proposal", "mempool"}

// replayed runs the recording in a process of its own.
func replayed(t *testing.T, file, procs, gc, through string) []byte {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestReplay_Process$", "-test.v")
	cmd.Env = append(os.Environ(), replayFile+"="+file, replayThrough+"="+through, "GOMAXPROCS="+procs, "GOGC="+gc)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("replay: %v\n%s", err, out)
	}
	var hashes bytes.Buffer
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if h, ok := strings.CutPrefix(lines.Text(), "root "); ok {
			fmt.Fprintln(&hashes, h)
		}
	}
	return hashes.Bytes()
}

func compareGolden(t *testing.T, got []byte, blocks int) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(replayGolden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(replayGolden)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(got, []byte("\n")); n != blocks {
		t.Fatalf("%d hashes of %d blocks", n, blocks)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("the hashes are not those of %s; if the rules changed on purpose, run with -update (-want +got):\n%s", replayGolden, diff)
	}
}

// TestReplay_Process is the process that replays; alone it has nothing to do.
func TestReplay_Process(t *testing.T) {
	file := os.Getenv(replayFile)
	if file == "" {
		return
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rec recording
	if err := json.Unmarshal(raw, &rec); err != nil {
		t.Fatal(err)
	}
	doc, err := genesis.Parse(rec.Doc)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), doc: doc, now: time.Unix(start+100, 0), fs: kv.NewMemFS()}
	w.open()
	w.init(w.initRequest())
	for i, b := range rec.Blocks {
		w.at = time.Unix(b.Time, 0)
		w.now = w.at
		w.comes(os.Getenv(replayThrough), b.Txs)
		fmt.Printf("root %d %s\n", i+1, hex.EncodeToString(w.finalize(b.Txs...).AppHash[:10]))
		w.commit()
		if i == len(rec.Blocks)/2 {
			w.crash() // caches are empty from here
		}
	}
	w.unchanged()
}

// comes brings a block's transactions in one of the ways.
func (w *world) comes(through string, txs [][]byte) {
	switch through {
	case "mempool":
		for _, raw := range slices.Backward(txs) {
			w.checkTx(raw)
		}
	case "proposal":
		w.process(txs...)
	}
}

// unchanged demands that no rule changed a transaction that it was given: they
// are shared.
func (w *world) unchanged() {
	w.t.Helper()
	if len(w.app.known.young) == 0 {
		w.t.Fatal("no transaction is remembered")
	}
	for _, k := range w.app.known.young {
		if !bytes.Equal(codec.MustMarshal(k.tx.Payload), k.tx.Body.Payload) {
			w.t.Errorf("a %s was changed while it executed", k.tx.Body.Kind)
		}
	}
}
