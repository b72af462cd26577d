package abci

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
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
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var rewrite = flag.Bool("update", false, "write the golden files")

const (
	replayBlocks  = 240
	replayGolden  = "testdata/replay.txt"
	replayFile    = "HOS_REPLAY_FILE" // for the process that replays
	replayThrough = "HOS_REPLAY_THROUGH"
)

// recording is a ledger's whole past: its genesis document and its blocks.
type recording struct {
	Doc    json.RawMessage
	Blocks [][][]byte // transactions of block 1, 2, …
}

// author writes a past with a fixed seed: who owns what, and what may come next.
type author struct {
	*world
	rand   *rand.Rand
	people []*person
	things []*thing
	grants []given
	next   uint64 // the vendor's sequence number
	kinds  map[tx.Kind]int
}

type person struct {
	root, key *key.Private
	known     bool
	sequence  uint64
	version   uint64
}

type thing struct {
	key        *key.Private
	registered bool
	epoch      uint64
	owner      *person
}

type given struct {
	id     tx.ID
	issuer *person
}

func newAuthor(t *testing.T) *author {
	a := &author{world: newWorldOf(t, 1000), rand: rand.New(rand.NewPCG(4, 4)), kinds: map[tx.Kind]int{}}
	for i := range 8 {
		k := secret(t, fmt.Sprintf("person %d", i))
		a.people = append(a.people, &person{root: k, key: k})
	}
	for i := range 60 {
		a.things = append(a.things, &thing{key: secret(t, fmt.Sprintf("thing %d", i))})
	}
	return a
}

// record makes the blocks; each transaction that the author means to pass must
// pass.
func (a *author) record() recording {
	out := recording{Doc: a.doc.JSON()}
	for range replayBlocks {
		var txs [][]byte
		var good []bool
		for range a.rand.IntN(8) {
			raw, ok := a.transaction()
			if raw != nil {
				txs, good = append(txs, raw), append(good, ok)
			}
		}
		for i, r := range a.finalize(txs...).TxResults {
			if (r.Code == CodeOK) != good[i] {
				a.t.Fatalf("block %d, transaction %d: code %d: %s", a.app.Height()+1, i, r.Code, r.Log)
			}
		}
		a.commit()
		out.Blocks = append(out.Blocks, txs)
	}
	return out
}

// transaction gives the next one, and whether it is to pass; nil if the dice
// name something that is not possible now.
func (a *author) transaction() (raw []byte, good bool) {
	switch p, d := a.people[a.rand.IntN(len(a.people))], a.things[a.rand.IntN(len(a.things))]; a.rand.IntN(9) {
	case 0, 1:
		return a.registers(d), true
	case 2:
		return a.claims(p, d), true
	case 3:
		return a.transfers(d, p), true
	case 4:
		return a.rotates(p), true
	case 5:
		return a.grantsTo(d, p), true
	case 6:
		return a.revokes(), true
	case 7: // with a sequence number that is far from the next
		return a.tx(p.root.Public().AccountID(), 1<<40, &tx.RevokeGrant{Grant: tx.ID{1}}, signer{tx.RoleAccount, p.key}).Bytes(), false
	default:
		return []byte("no transaction"), false
	}
}

// sign makes a transaction that passes and counts it.
func (a *author) sign(p *person, pay tx.Payload, more ...signer) []byte {
	t := a.txUntil(p.root.Public().AccountID(), p.sequence, start+100+replayBlocks+60, pay, append([]signer{{tx.RoleAccount, p.key}}, more...)...)
	p.sequence++
	a.kinds[pay.Kind()]++
	return t.Bytes()
}

func (a *author) registers(d *thing) []byte {
	if d.registered {
		return nil
	}
	d.registered = true
	p := &tx.RegisterDevice{Key: d.key.Public(), SealKey: [32]byte{1}, Model: "lock"}
	a.kinds[p.Kind()]++
	a.next++
	return a.tx(a.vendor.Public().AccountID(), a.next-1, p, signer{tx.RoleVendor, a.vendor}).Bytes()
}

// rootOf is a person's root key while the ledger does not know it.
func rootOf(p *person) *key.Public {
	if p.known {
		return nil
	}
	p.known = true
	k := p.root.Public()
	return &k
}

func (a *author) claims(p *person, d *thing) []byte {
	if !d.registered || d.owner != nil {
		return nil
	}
	d.owner = p
	d.epoch++
	return a.sign(p, &tx.Claim{Device: d.key.Public().DeviceID(), Epoch: d.epoch, Root: rootOf(p)}, signer{tx.RoleDevice, d.key})
}

func (a *author) transfers(d *thing, to *person) []byte {
	from := d.owner
	if from == nil || from == to {
		return nil
	}
	d.owner = to
	d.epoch++
	return a.sign(from, &tx.Transfer{Device: d.key.Public().DeviceID(), Epoch: d.epoch, To: to.root.Public().AccountID(), Root: rootOf(to)},
		signer{tx.RoleNewOwner, to.key})
}

func (a *author) rotates(p *person) []byte {
	if !p.known {
		return nil
	}
	p.version++
	next := secret(a.t, fmt.Sprintf("%x key %d", p.root.Public().Bytes, p.version))
	raw := a.sign(p, &tx.RotateKeys{
		Version: p.version, Threshold: 1, Keys: []tx.AccountKey{{Key: next.Public(), Rights: tx.RightAdmin | tx.RightInvoke}},
	}, signer{tx.RoleNewKey, next})
	p.key = next
	return raw
}

func (a *author) grantsTo(d *thing, to *person) []byte {
	if d.owner == nil {
		return nil
	}
	raw := a.sign(d.owner, &tx.CreateGrant{
		Grantee: to.key.Public(), NotAfter: start + 9999,
		Targets: []tx.Target{{Device: d.key.Public().DeviceID(), Epoch: d.epoch, Endpoint: "lock", Methods: []string{"open"}}},
	})
	t, err := tx.Decode(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	a.grants = append(a.grants, given{t.ID(a.doc.Chain()), d.owner})
	return raw
}

func (a *author) revokes() []byte {
	if len(a.grants) == 0 {
		return nil
	}
	i := a.rand.IntN(len(a.grants))
	g := a.grants[i]
	a.grants = slices.Delete(a.grants, i, i+1)
	return a.sign(g.issuer, &tx.RevokeGrant{Grant: g.id})
}

// recorded are the kinds that the author writes. Another one belongs here with
// a method above; the vectors and the model test of chain/state hold it until
// then.
var recorded = []tx.Kind{
	tx.KindRegisterDevice, tx.KindClaim, tx.KindTransfer, tx.KindRotateKeys, tx.KindCreateGrant, tx.KindRevokeGrant,
}

// TestReplay_SameHashEverywhere records a past, and replays it in processes of
// their own, with different numbers of processors, garbage collection, and ways
// to the same block. All must come to the committed hashes.
func TestReplay_SameHashEverywhere(t *testing.T) {
	a := newAuthor(t)
	rec := a.record()
	for _, k := range recorded {
		if a.kinds[k] < 5 {
			t.Errorf("the recording has %d of %s", a.kinds[k], k)
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
				compareGolden(t, replayed(t, file, procs, gc, through))
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

func compareGolden(t *testing.T, got []byte) {
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
	if n := bytes.Count(got, []byte("\n")); n != replayBlocks {
		t.Fatalf("%d hashes of %d blocks", n, replayBlocks)
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
	for i, txs := range rec.Blocks {
		w.comes(os.Getenv(replayThrough), txs)
		fmt.Printf("root %d %s\n", i+1, hex.EncodeToString(w.finalize(txs...).AppHash[:10]))
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
