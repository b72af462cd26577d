package node

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/node/api"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/mesh"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Four validators and a full node: a claim handed in at one node is proven by
// another, and a listener on the mesh follows by checkpoints alone.
func TestNode_FourValidatorsAndFullNode(t *testing.T) {
	w := newNetwork(t, 4, 1)
	w.startAll()
	first, full := w.client(0), w.client(4)
	heads := w.listen(t, 2)

	mustSubmit(t, first, w.register(0, 0))
	claim := w.claim(w.owner, 0)
	done := mustSubmit(t, first, claim)

	lc := w.lightClient(full)
	for lc.Head().Height <= done.Height {
		raw := heads(t)
		if _, err := lc.Offer(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	dev, err := state.GetDevice(lc.View(t.Context()), w.devices[0].Public().DeviceID())
	if err != nil {
		t.Fatal(err)
	}
	if dev.Epoch != 1 || dev.Owner == nil || *dev.Owner != w.owner.Public().AccountID() {
		t.Errorf("device record %+v", dev)
	}
	if _, err := state.GetGrant(lc.View(t.Context()), [32]byte{1}); !errors.Is(err, state.NoGrant) {
		t.Errorf("absent grant: %v", err)
	}
	t.Run("same bytes again", func(t *testing.T) {
		if again := mustSubmit(t, first, claim); again.Height != done.Height {
			t.Errorf("outcome %+v, before %+v", again, done)
		}
	})
	t.Run("refusals", func(t *testing.T) { w.testRefusals(t, first) })
	t.Run("two claims race", func(t *testing.T) { w.testRace(t, first) })
	t.Run("judge", func(t *testing.T) { w.testJudge(t, first) })
	t.Run("http", func(t *testing.T) { w.testHTTP(t) })
	t.Run("did", func(t *testing.T) { w.testDID(t, first) })
}

// listen joins the checkpoint topic at one node and gives its messages.
func (w *testnet) listen(t *testing.T, node int) func(*testing.T) []byte {
	t.Helper()
	h, _ := w.dial(node)
	m, err := mesh.New(mesh.Config{Host: h})
	if err != nil {
		t.Fatal(err)
	}
	top, err := m.Join(topic.Checkpoint(w.doc.Chain()), topic.MaxCheckpoint, 16, func(context.Context, peerID, []byte) mesh.Verdict { return mesh.Accept })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(t *testing.T) []byte {
		t.Helper()
		msg, err := top.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return msg.Data
	}
}

func (w *testnet) testRefusals(t *testing.T, c *fetch.Client) {
	for name, tc := range map[string]struct {
		raw  []byte
		want error
	}{
		"garbage":  {[]byte("garbage"), codec.Malformed},
		"sequence": {w.register(9, 1), state.BadSequence},
		"owned":    {w.claim(w.guest, 0), state.DeviceOwned},
	} {
		r, err := c.Submit(t.Context(), tc.raw)
		if err != nil || r.Code != abci.CodeOf(tc.want) || r.Height != 0 {
			t.Errorf("%s: %+v, %v; want %v", name, r, err, tc.want)
		}
	}
	if _, err := c.LightBlock(t.Context(), 1<<40); !errors.Is(err, fetch.NotFound) {
		t.Errorf("future light block: %v", err)
	}
	if _, err := c.Prove(t.Context(), []byte("d"), 1<<40); !errors.Is(err, fetch.NotFound) {
		t.Errorf("future version: %v", err)
	}
}

// testRace hands two claims of one device in at two nodes at once: one is
// executed, and the submitter of the other is told that it cannot be.
func (w *testnet) testRace(t *testing.T, c *fetch.Client) {
	mustSubmit(t, c, w.register(1, 1))
	other := w.client(3)
	type answer struct {
		r   fetch.Result
		err error
	}
	answers := make(chan answer, 2)
	submit := func(c *fetch.Client, raw []byte) {
		r, err := c.Submit(t.Context(), raw)
		answers <- answer{r, err}
	}
	go submit(c, w.claim(w.guest, 1))
	go submit(other, w.claim(secret(t, "third"), 1))
	a, b := <-answers, <-answers
	if a.err != nil || b.err != nil {
		t.Fatal(a.err, b.err)
	}
	if (a.r.Code == 0) == (b.r.Code == 0) || max(a.r.Code, b.r.Code) != abci.CodeOf(state.DeviceOwned) {
		t.Errorf("outcomes %+v and %+v", a.r, b.r)
	}
}

// past is a chain that ends at a light block.
type past struct {
	light.Source
	newest []byte
	hash   []byte
	height int64
}

func (p past) LightBlock(context.Context, int64) ([]byte, error) { return p.newest, nil }
func (p past) Heads() <-chan int64                               { return nil }
func (p past) HeaderHash(height int64) []byte {
	if height == p.height {
		return p.hash
	}
	return nil
}

// testJudge shows real and damaged checkpoints to a node that stands at block 2.
func (w *testnet) testJudge(t *testing.T, c *fetch.Client) {
	block := func(height int64) []byte {
		raw, err := c.LightBlock(t.Context(), height)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	second, err := light.DecodeBlock(w.doc.ChainID, block(2))
	if err != nil {
		t.Fatal(err)
	}
	otherHash := make([]byte, 32)
	other := *w.doc
	other.ChainID = "hos-other"
	bad := block(4)
	bad[len(bad)/3] ^= 1
	at := func(hash []byte) *checkpoints {
		j := newCheckpoints(past{newest: block(2), hash: hash, height: 2}, "self", w.doc, discard())
		j.advance(t.Context())
		return j
	}
	judge := at(second.Hash[:])
	for _, tc := range []struct {
		name string
		j    *checkpoints
		from peerID
		raw  []byte
		want mesh.Verdict
	}{
		{"newer", judge, "a", block(4), mesh.Accept},
		{"the same again", judge, "b", block(4), mesh.Ignore},
		{"older than the last", judge, "b", block(3), mesh.Ignore},
		{"own", judge, "self", block(3), mesh.Accept},
		{"what we have", judge, "a", block(2), mesh.Ignore},
		{"before ours", judge, "a", block(1), mesh.Ignore},
		{"other header than ours", at(otherHash), "a", block(2), mesh.Reject},
		{"damaged", judge, "a", bad, mesh.Reject},
		{"garbage", judge, "a", []byte("garbage"), mesh.Reject},
		{"empty", judge, "a", nil, mesh.Reject},
		{"other ledger", newCheckpoints(past{}, "self", &other, discard()), "a", block(4), mesh.Reject},
		{"no chain yet", newCheckpoints(past{}, "self", w.doc, discard()), "a", block(4), mesh.Ignore},
	} {
		if got := tc.j.judge(t.Context(), tc.from, tc.raw); got != tc.want {
			t.Errorf("%s: verdict %d, want %d", tc.name, got, tc.want)
		}
	}
}

func (w *testnet) testHTTP(t *testing.T) {
	base := w.nodes[4].run.HTTP
	var s api.Status
	getJSON(t, base+"/v1/status", &s)
	if s.ChainID != w.doc.ChainID || s.Height < 3 || s.Syncing || s.Validator || s.P2PPeers == 0 || s.MeshPeers == 0 {
		t.Errorf("status of the full node: %+v", s)
	}
	var d struct {
		Version int64
		Record  api.Device
	}
	getJSON(t, base+"/v1/devices/"+w.devices[0].Public().DeviceID().String(), &d)
	if d.Record.Owner == nil || *d.Record.Owner != w.owner.Public().AccountID() {
		t.Errorf("device: %+v", d)
	}
	resp, err := http.Post(w.nodes[1].run.HTTP+"/v1/tx", "application/cbor", strings.NewReader(string(w.register(2, 2))))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Errorf("POST /v1/tx: %s: %s", resp.Status, body)
	}
}

func getJSON(t *testing.T, url string, into any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// A node that is stopped and started goes on where it was.
func TestNode_Restart(t *testing.T) {
	w := newNetwork(t, 1, 0)
	<-w.start(0).step
	done := mustSubmit(t, w.client(0), w.register(0, 0))
	w.stopAll()
	<-w.start(0).step
	t.Cleanup(w.stopAll)
	if again := mustSubmit(t, w.client(0), w.register(1, 1)); again.Height <= done.Height {
		t.Errorf("height %d, before the restart %d", again.Height, done.Height)
	}
}

func TestNode_RefusesToRun(t *testing.T) {
	w := newNetwork(t, 1, 0)
	cfg, err := w.dirs[0].Config()
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	run := func(change func(c *Config)) error {
		c := Config{Home: w.dirs[0], Settings: cfg, Genesis: w.doc}
		change(&c)
		n, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		return n.Run(ctx)
	}
	for name, change := range map[string]func(*Config){
		"http_listen": func(c *Config) { c.Settings.HTTP = taken.Addr().String() },
		"mesh_listen": func(c *Config) { c.Settings.Mesh = taken.Addr().String() },
		"p2p_listen":  func(c *Config) { c.Settings.P2P = taken.Addr().String() },
		"rpc_listen":  func(c *Config) { c.Settings.RPC = taken.Addr().String() },
	} {
		if err := run(change); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s in use: %v", name, err)
		}
	}
	<-w.start(0).step
	mustSubmit(t, w.client(0), w.register(0, 0))
	w.stopAll()
	other := *w.doc
	other.ChainID = "hos-other"
	if err := run(func(c *Config) { c.Genesis = &other }); !errors.Is(err, abci.WrongGenesis) {
		t.Errorf("other genesis: %v", err)
	}
	if err := os.WriteFile(w.dirs[0].SignState(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(func(*Config) {}); err == nil || !strings.Contains(err.Error(), "sign-state.json") {
		t.Errorf("damaged sign state: %v", err)
	}
}
