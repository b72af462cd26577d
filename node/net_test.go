package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/mux"
)

// testnet is a ledger of nodes in this process.
type testnet struct {
	t     *testing.T
	doc   *genesis.Doc
	dirs  []home.Dir
	addrs []string // id@host:port in the consensus network
	nodes []*running
	hosts int // that dial made

	change func(*home.Config) // of each node's settings, nil: none
	logger *slog.Logger       // of all nodes, nil: none

	vendor, owner, guest *key.Private
	devices              []*key.Private
}

// running is a node that was started.
type running struct {
	run  home.Run
	step chan struct{} // closed when it has caught up
	stop context.CancelFunc
	done chan error
}

func secret(t testing.TB, name string) *key.Private {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := key.Generate(bytes.NewReader(bytes.Repeat(seed[:], 8)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// handed counts the ports that freeAddr gave away.
var handed atomic.Int64

// freeAddr gives an address that nobody listens at. Nodes are told each other's
// addresses before they start, and tests run side by side; so the port is one
// below those that outgoing connections take, and none is given twice.
func freeAddr(t testing.TB) string {
	t.Helper()
	const low, ports = 16_000, 16_000
	for range ports {
		port := low + (int64(os.Getpid())*131+handed.Add(1))%ports
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue // taken
		}
		l.Close()
		return l.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}

// newNetwork makes the homes of validators and of full nodes.
func newNetwork(t *testing.T, validators, full int) *testnet {
	t.Helper()
	w := &testnet{t: t, vendor: secret(t, "vendor"), owner: secret(t, "owner"), guest: secret(t, "guest")}
	for i := range 4 {
		w.devices = append(w.devices, secret(t, fmt.Sprint("device ", i)))
	}
	w.doc = &genesis.Doc{
		ChainID: "hos-net", Time: time.Now().Unix() - 1,
		Vendors: []genesis.Vendor{{Name: "maker", Keys: []key.Public{w.vendor.Public()}, Threshold: 1, Quota: 100}},
	}
	for i := range validators + full {
		cfg := home.Default()
		cfg.Name = fmt.Sprintf("node%d", i)
		cfg.P2P, cfg.Mesh, cfg.HTTP = freeAddr(t), "127.0.0.1:0", "127.0.0.1:0"
		d, err := home.Create(filepath.Join(t.TempDir(), cfg.Name), cfg)
		if err != nil {
			t.Fatal(err)
		}
		pub, err := engine.NewKeys(KeyFiles(d))
		if err != nil {
			t.Fatal(err)
		}
		id, err := KeyFiles(d).NodeID()
		if err != nil {
			t.Fatal(err)
		}
		if i < validators {
			w.doc.Validators = append(w.doc.Validators, genesis.Validator{Name: cfg.Name, PubKey: pub})
		}
		w.dirs, w.addrs = append(w.dirs, d), append(w.addrs, id+"@"+cfg.P2P)
	}
	w.nodes = make([]*running, len(w.dirs))
	return w
}

// start starts a node and returns when it is ready.
func (w *testnet) start(i int, meshPeers ...string) *running {
	w.t.Helper()
	cfg, err := w.dirs[i].Config()
	if err != nil {
		w.t.Fatal(err)
	}
	for j, a := range w.addrs {
		if j != i {
			cfg.P2PPeers = append(cfg.P2PPeers, a)
		}
	}
	cfg.MeshPeers = meshPeers
	if w.change != nil {
		w.change(&cfg)
	}
	ready := make(chan home.Run, 1)
	step := make(chan struct{})
	n, err := New(Config{
		Home: w.dirs[i], Settings: cfg, Genesis: w.doc,
		Ready: func(r home.Run) error { ready <- r; return nil }, InStep: func() { close(step) },
		Logger: w.logger,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	r := &running{step: step, stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- n.Run(ctx) }()
	select {
	case r.run = <-ready:
	case err := <-r.done:
		w.t.Fatalf("node %d: %v", i, err)
	}
	w.nodes[i] = r
	return r
}

// startAll starts every node; each is connected in the mesh to the one before.
func (w *testnet) startAll() {
	w.t.Helper()
	var before []string
	for i := range w.dirs {
		before = w.start(i, before...).run.Mesh
	}
	w.t.Cleanup(w.stopAll)
	for _, r := range w.nodes {
		<-r.step
	}
}

func (w *testnet) stopAll() {
	w.t.Helper()
	for _, r := range w.nodes {
		if r != nil {
			r.stop()
		}
	}
	for i, r := range w.nodes {
		if r != nil {
			if err := <-r.done; err != nil {
				w.t.Errorf("node %d: %v", i, err)
			}
		}
		w.nodes[i] = nil
	}
}

// dial makes a host of its own, connected to the given nodes in order. None has
// the key of another: a node would open its streams to either.
func (w *testnet) dial(nodes ...int) (*host.Host, []peer.AddrInfo) {
	w.t.Helper()
	h, err := host.Listen(host.Config{Key: w.meshKey(), DialOnly: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { h.Close() })
	var infos []peer.AddrInfo
	for _, i := range nodes {
		info, err := peer.AddrInfoFromString(w.nodes[i].run.Mesh[0])
		if err != nil {
			w.t.Fatal(err)
		}
		if err := h.Connect(w.t.Context(), *info); err != nil {
			w.t.Fatal(err)
		}
		infos = append(infos, *info)
	}
	return h, infos
}

func (w *testnet) meshKey() crypto.PrivKey {
	w.t.Helper()
	w.hosts++
	seed := sha256.Sum256(fmt.Append(nil, w.t.Name(), w.hosts))
	k, err := mux.Key(seed[:])
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// client asks one node.
func (w *testnet) client(i int) *fetch.Client {
	w.t.Helper()
	h, infos := w.dial(i)
	c, err := fetch.NewClient(fetch.ClientConfig{Host: h, Nodes: infos})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// lightClient follows the ledger through a source.
func (w *testnet) lightClient(s light.Source) *light.Client {
	w.t.Helper()
	c, err := light.New(light.Config{Genesis: w.doc, Source: s})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

type signer struct {
	role tx.Role
	by   *key.Private
}

func (w *testnet) tx(account key.AccountID, sequence uint64, p tx.Payload, by ...signer) []byte {
	w.t.Helper()
	t, err := tx.New(account, sequence, uint64(time.Now().Unix())+600, p)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range by {
		t.Sign(w.doc.Chain(), s.role, s.by)
	}
	return t.Bytes()
}

func (w *testnet) register(sequence uint64, device int) []byte {
	p := &tx.RegisterDevice{Key: w.devices[device].Public(), SealKey: [32]byte{1}, Model: "lock"}
	return w.tx(w.vendor.Public().AccountID(), sequence, p, signer{tx.RoleVendor, w.vendor})
}

func (w *testnet) claim(owner *key.Private, device int) []byte {
	root := owner.Public()
	p := &tx.Claim{Device: w.devices[device].Public().DeviceID(), Epoch: 1, Root: &root}
	return w.tx(root.AccountID(), 0, p, signer{tx.RoleAccount, owner}, signer{tx.RoleDevice, w.devices[device]})
}

// mustSubmit submits a transaction that must be executed.
func mustSubmit(t testing.TB, c *fetch.Client, raw []byte) fetch.Result {
	t.Helper()
	r, err := c.Submit(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if r.Code != 0 || r.Height == 0 || len(r.Hash) != 32 {
		t.Fatalf("outcome %+v", r)
	}
	return r
}

type peerID = peer.ID

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
