package e2e

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/proof"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// rotten is a network whose victim finds a changed byte in its home.
type rotten struct {
	t       *testing.T
	ctx     context.Context
	net     *harness.Network
	chain   string
	home    string
	copy    string // of the home, sound
	truth   *fetch.Client
	headers map[int64]*light.Block
	height  int64 // the newest that was compared before
	records [][]byte
	given   int // headers and records that the victim gave
}

// TestRot flips a byte in each file of a stopped validator's home, in the state
// tree, blocks, CometBFT's state, evidence, index, WAL, sign state, keys, genesis
// and configuration, and starts it. Either it says why it does not run, without
// a panic, or every header and record that it gives is the one of its peers.
func TestRot(t *testing.T) {
	r := newRotten(t)
	random := rand.New(rand.NewPCG(5, uint64(rounds(1, 2))))
	refused, served := 0, 0
	files := r.chosen(random)
	for _, name := range files {
		for range rounds(1, 12) {
			if r.flip(name, random) {
				served++
			} else {
				refused++
			}
		}
	}
	r.restore("")
	check(t, r.net.Start(r.ctx, victim))
	t.Logf("%d files, %d bytes flipped: %d times it did not run, %d times it served, %d headers and records were compared", len(files), refused+served, refused, served, r.given)
	if r.given == 0 {
		t.Error("nothing was ever served")
	}
}

func newRotten(t *testing.T) *rotten {
	t.Helper()
	n, ctx := upWith(t, programs, manifest.Manifest{Name: "hos-rot", Validators: 4, LogLevel: "warn"}, time.Duration(rounds(5, 60))*time.Minute)
	l := startLoad(t, n, 6)
	check(t, l.await(ctx, 40))
	check(t, n.Kill(ctx, victim)) // so that logs and tables of before stand beside those of after
	check(t, n.Start(ctx, victim))
	check(t, l.await(ctx, 40))
	l.end()
	head := must(n.AwaitHead(ctx, 1, nodeMesh(n, "val1")))(t)
	must(n.AwaitHead(ctx, head.Height, nodeMesh(n, victim)))(t)
	check(t, n.Kill(ctx, victim)) // a killed node leaves more in its logs than a stopped one
	r := &rotten{
		t: t, ctx: ctx, net: n, chain: "hos-rot", home: filepath.Join(n.Dir(), victim), copy: filepath.Join(t.TempDir(), "sound"),
		truth: ask(t, []string{nodeMesh(n, "val1")}), headers: make(map[int64]*light.Block), height: head.Height,
		records: [][]byte{state.ParamsKey(), state.VendorKey(l.vendor.Public().AccountID())},
	}
	check(t, os.CopyFS(r.copy, os.DirFS(r.home)))
	return r
}

func nodeMesh(n *harness.Network, name string) string {
	nodes := n.State().Nodes
	return nodes[slices.IndexFunc(nodes, func(n harness.Node) bool { return n.Name == name })].Mesh[0]
}

// files are those of the home that hold something, but for what every start
// writes anew.
func (r *rotten) files() (out []string) {
	r.t.Helper()
	check(r.t, filepath.WalkDir(r.copy, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		name := strings.TrimPrefix(path, r.copy+string(filepath.Separator))
		if err == nil && info.Size() > 0 && name != "run.json" {
			out = append(out, name)
		}
		return err
	}))
	return out
}

// chosen are all files in make soak, else one of each directory.
func (r *rotten) chosen(random *rand.Rand) (out []string) {
	files := r.files()
	random.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	perDir := make(map[string]int)
	for _, name := range files {
		if perDir[filepath.Dir(name)]++; perDir[filepath.Dir(name)] <= rounds(1, len(files)) {
			out = append(out, name)
		}
	}
	return out
}

// restore makes the home sound again. The sign state stays as the victim left
// it, unless it is what was damaged: an older one would let it sign twice.
func (r *rotten) restore(damaged string) {
	r.t.Helper()
	own := home.Dir(r.home).SignState()
	last := must(os.ReadFile(own))(r.t)
	if filepath.Join(r.home, damaged) == own {
		last = must(os.ReadFile(own + ".sound"))(r.t)
	}
	check(r.t, os.RemoveAll(r.home))
	check(r.t, os.CopyFS(r.home, os.DirFS(r.copy)))
	check(r.t, os.WriteFile(own, last, 0o600))
	check(r.t, os.WriteFile(own+".sound", last, 0o600))
	for _, dir := range []string{"keys", "data", "."} {
		check(r.t, os.Chmod(filepath.Join(r.home, dir), 0o700))
	}
}

// flip damages one byte of a file and starts the victim; true: it served.
func (r *rotten) flip(name string, random *rand.Rand) bool {
	r.t.Helper()
	r.restore("")
	path := filepath.Join(r.home, name)
	raw := must(os.ReadFile(path))(r.t)
	at, bit := random.IntN(len(raw)), random.IntN(8)
	raw[at] ^= 1 << bit
	check(r.t, os.WriteFile(path, raw, 0o600))
	check(r.t, os.Truncate(filepath.Join(r.net.Logs(), victim+".log"), 0))
	err := r.net.Start(r.ctx, victim)
	served := err == nil
	r.t.Logf("%s, byte %d of %d, bit %d: started %t", name, at, len(raw), bit, served)
	if served {
		r.examine(name, at)
		err = r.net.Stop(r.ctx, victim)
		if errors.Is(err, harness.ErrNotRunning) {
			served, err = false, <-r.net.Crashes()
		}
	}
	var crash *harness.CrashError
	switch {
	case errors.As(err, &crash):
		said := string(must(os.ReadFile(filepath.Join(r.net.Logs(), victim+".log")))(r.t))
		if strings.Contains(said, "goroutine ") || strings.TrimSpace(said) == "" {
			r.t.Errorf("%s, byte %d, bit %d: it ends without a clear message:\n%s", name, at, bit, crash.Tail)
		}
	case err != nil:
		r.t.Errorf("%s, byte %d, bit %d: %v", name, at, bit, err)
	}
	r.restore(name)
	return served
}

// examine asks the victim alone for each header up to the height of the damage
// and for records under them, and holds the answers against its peers'. It may
// give no answer, or end.
func (r *rotten) examine(name string, at int) {
	r.t.Helper()
	c := must(r.net.Dial(nodeMesh(r.net, victim)))(r.t)
	defer c.Close()
	ctx, cancel := context.WithTimeout(r.ctx, 20*time.Second)
	defer cancel()
	if head, err := c.Ledger().Update(ctx); err == nil {
		if want := r.header(head.Height); !bytes.Equal(head.Hash, want.Hash[:]) {
			r.t.Errorf("%s, byte %d: a light client believes another head %d", name, at, head.Height)
		}
	}
	victim := ask(r.t, []string{nodeMesh(r.net, victim)})
	for h := int64(1); h <= r.height && ctx.Err() == nil; h++ {
		raw, err := victim.LightBlock(ctx, h)
		if err != nil {
			if len(r.net.Running()) < 4 {
				return
			}
			continue
		}
		b, err := light.DecodeBlock(r.chain, raw)
		if err != nil || b.Hash != r.header(h).Hash {
			r.t.Errorf("%s, byte %d: it gives another header %d (%v)", name, at, h, err)
		}
		r.given++
	}
	for h := int64(1); h < r.height && ctx.Err() == nil; h++ {
		for _, k := range r.records {
			p, err := victim.Prove(ctx, k, h)
			if err != nil {
				continue
			}
			r.given++
			root := r.header(p.Height + 1).Header.AppHash
			if err := proof.Verify(root, k, p.Value, p.Proof); err != nil {
				r.t.Errorf("%s, byte %d: a record after block %d does not verify: %v", name, at, p.Height, err)
			}
		}
	}
}

// header is a peer's of that height.
func (r *rotten) header(h int64) *light.Block {
	r.t.Helper()
	if b := r.headers[h]; b != nil {
		return b
	}
	b := must(light.DecodeBlock(r.chain, must(r.truth.LightBlock(r.ctx, h))(r.t)))(r.t)
	r.headers[h] = b
	return b
}
