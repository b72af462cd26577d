package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// watch is a log in which a test waits for a message.
type watch struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen map[string]chan struct{}
}

func newWatch(messages ...string) *watch {
	w := &watch{seen: make(map[string]chan struct{})}
	for _, m := range messages {
		w.seen[m] = make(chan struct{})
	}
	return w
}

func (w *watch) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for m, c := range w.seen {
		if strings.Contains(string(b), m) {
			delete(w.seen, m)
			close(c)
		}
	}
	return w.text.Write(b)
}

func (w *watch) has(message string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(w.text.String(), message)
}

func (w *watch) logger() *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// header gives a verified header of the ledger.
func (w *testnet) header(height int64) *light.Block {
	w.t.Helper()
	raw, err := w.client(0).LightBlock(w.t.Context(), height)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := light.DecodeBlock(w.doc.ChainID, raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// halt stops one node.
func (w *testnet) halt(i int) {
	w.t.Helper()
	r := w.nodes[i]
	w.nodes[i] = nil
	r.stop()
	if err := <-r.done; err != nil {
		w.t.Fatal(err)
	}
}

// grow registers devices until the ledger is at a height; each takes two blocks.
func (w *testnet) grow(height int64) {
	w.t.Helper()
	c := w.client(0)
	for seq := uint64(0); ; seq++ {
		w.devices = append(w.devices, secret(w.t, fmt.Sprint("grown ", seq)))
		if mustSubmit(w.t, c, w.register(seq, len(w.devices)-1)).Height >= height {
			return
		}
	}
}

// plant puts a snapshot into a home as a hostile operator would: whole, of the
// right root, and with other records in it.
func (w *testnet) plant(dir home.Dir, height int64) {
	w.t.Helper()
	chunk := []byte{0, 1, 1, 'a', 1, 'v', 0, 1, 1, 'b', 1, 'v', 1, 1}
	m := snapshot.Manifest{
		Height: height, Root: snapshot.Hash(w.header(height + 1).Header.AppHash), Chunks: []snapshot.Hash{sha256.Sum256(chunk)},
	}
	at := filepath.Join(dir.SnapshotDir(), fmt.Sprintf("%020d", height))
	err := errors.Join(os.MkdirAll(at, 0o700), os.WriteFile(filepath.Join(at, "chunk-0000"), chunk, 0o600),
		os.WriteFile(filepath.Join(at, "manifest"), m.Encode(), 0o600))
	if err != nil {
		w.t.Fatal(err)
	}
}

// A fresh node begins with a snapshot of its peers, though one of them lies,
// follows the ledger from there, and serves proofs. Blocks that nobody needs any
// more are gone; their headers are not.
func TestNode_StateSync(t *testing.T) {
	w := newNetwork(t, 1, 3)
	const liar, joiner, doubter = 1, 2, 3
	// Only who runs is dialled, so that nobody sits on the port of who comes later.
	settle := func(more func(*home.Config)) {
		w.change = func(c *home.Config) {
			if !strings.HasSuffix(w.addrs[0], "@"+c.P2P) {
				c.P2P = "127.0.0.1:0"
			}
			c.P2PPeers = nil
			for _, r := range w.nodes {
				if r != nil {
					c.P2PPeers = append(c.P2PPeers, r.run.P2P)
				}
			}
			if more != nil {
				more(c)
			}
		}
	}
	settle(func(c *home.Config) { c.SnapshotInterval, c.KeepBlocks = 10, 20 })
	t.Cleanup(w.stopAll)
	<-w.start(0).step
	first := w.nodes[0].run.Mesh
	w.start(liar, first...)
	w.grow(33)
	w.halt(liar)
	w.plant(w.dirs[liar], 31)
	settle(func(c *home.Config) { c.SnapshotInterval = 0 })
	<-w.start(liar, first...).step
	trusted := w.header(20)

	settle(func(c *home.Config) {
		c.StateSync, c.TrustHeight, c.TrustHash = true, 20, hex.EncodeToString(trusted.Hash[:])
	})
	logs := newWatch()
	w.logger = logs.logger()
	<-w.start(joiner, first...).step
	for _, m := range []string{"snapshot refused", "snapshot imported", "height=30"} {
		if !logs.has(m) {
			t.Errorf("no %q in the log", m)
		}
	}
	w.checkJoined(joiner)
	w.checkPruned()

	t.Run("another header is trusted", func(t *testing.T) {
		settle(func(c *home.Config) { c.StateSync, c.TrustHeight, c.TrustHash = true, 20, strings.Repeat("00", 32) })
		message := "another header than the one to trust"
		logs := newWatch(message)
		seen := logs.seen[message]
		w.logger = logs.logger()
		r := w.start(doubter, first...)
		<-seen
		select {
		case <-r.step:
			t.Error("it follows all the same")
		default:
		}
		w.halt(doubter)
	})
	t.Run("started again", func(t *testing.T) {
		w.halt(joiner)
		settle(nil)
		<-w.start(joiner, first...).step
		w.checkJoined(joiner)
	})
}

// checkJoined has the node prove what it never executed, and execute what is new.
func (w *testnet) checkJoined(i int) {
	w.t.Helper()
	c := w.client(i)
	if _, err := c.LightBlock(w.t.Context(), 12); !errors.Is(err, fetch.NotFound) {
		w.t.Errorf("the node has block 12: %v", err)
	}
	heads := w.listen(w.t, i)
	w.devices = append(w.devices, secret(w.t, fmt.Sprint("joined ", len(w.devices))))
	lc := w.lightClient(w.client(0))
	head, err := lc.Update(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	vendor, err := state.GetVendor(lc.View(w.t.Context()), w.vendor.Public().AccountID())
	if err != nil {
		w.t.Fatal(err)
	}
	done := mustSubmit(w.t, c, w.register(vendor.Sequence, len(w.devices)-1))
	if done.Height <= head.Height {
		w.t.Errorf("executed in block %d of %d", done.Height, head.Height)
	}
	// A light client that believes only this node reads a device that was
	// registered before it came, and the new one.
	own := w.lightClient(c)
	for own.Head().Height <= done.Height {
		if _, err := own.Offer(w.t.Context(), heads(w.t)); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, d := range []int{4, len(w.devices) - 1} {
		if _, err := state.GetDevice(own.View(w.t.Context()), w.devices[d].Public().DeviceID()); err != nil {
			w.t.Errorf("device %d: %v", d, err)
		}
	}
}

// checkPruned looks for a block body that is gone while its header is served.
func (w *testnet) checkPruned() {
	w.t.Helper()
	if b := w.header(2); b.Header.Height != 2 {
		w.t.Error("header 2 is gone")
	}
}
