package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/light/lighttest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/agent"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/mesh"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/p2p/presence"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// patience bounds every wait; it is reached only when something is broken.
const patience = 60 * time.Second

// bin is where TestMain puts the real programs.
var bin string

func TestMain(m *testing.M) {
	code, err := withPrograms(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withPrograms(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "hos")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	bin = dir
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-trimpath", "-o", dir+"/",
		"../cmd/hos-agent", "../cmd/hos-lock", "../../hbus/cmd/hbusd").CombinedOutput()
	if err != nil {
		return 1, fmt.Errorf("build programs: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// node is a node in the test's process: a ledger whose validators do as told,
// served and gossiped over the real mesh.
type node struct {
	*lighttest.Chain
	host  *host.Host
	topic *mesh.Topic
	lie   atomic.Pointer[func(light.Proof) light.Proof] // nil: the truth
	here  *presence.Server
	asked chan bool // what the node answers when it asks itself whether it knows a device
}

// Submit is not what devices ask for.
func (n *node) Submit(context.Context, []byte) (fetch.Result, error) {
	return fetch.Result{}, fetch.Unavailable
}

func startNode(t *testing.T, vendor *key.Private) *node {
	t.Helper()
	n := &node{asked: make(chan bool, 16), Chain: lighttest.New(t, 4, genesis.Vendor{
		Name: "maker", Keys: []key.Public{vendor.Public()}, Threshold: 1, Quota: 9,
	})}
	var err error
	if n.host, err = host.Listen(host.Config{Key: p2ptest.Key(t), Relay: n}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.host.Close() })
	server, err := fetch.NewServer(fetch.ServerConfig{Host: n.host, Backend: n, Rate: 1000, Burst: 1000})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.New(mesh.Config{Host: n.host})
	if err != nil {
		t.Fatal(err)
	}
	n.topic, err = m.Join(topic.Checkpoint(n.Doc.Chain()), topic.MaxCheckpoint, 0,
		func(context.Context, peer.ID, []byte) mesh.Verdict { return mesh.Accept })
	if err != nil {
		t.Fatal(err)
	}
	n.here, err = presence.New(presence.Config{Host: n.host, Chain: n.Doc.Chain(), Admit: n.admit})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 3)
	go func() { done <- server.Run(ctx) }()
	go func() { done <- n.here.Run(ctx) }()
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, <-done, <-done); err != nil {
			t.Errorf("node: %v", err)
		}
	})
	<-server.Ready()
	<-n.here.Ready()
	return n
}

// admit knows every device, if the test does not say else.
func (n *node) admit(context.Context, key.DeviceID) (bool, error) {
	select {
	case known := <-n.asked:
		return known, nil
	default:
		return true, nil
	}
}

// AllowReserve lets devices that the node knows be reached through it.
func (n *node) AllowReserve(p peer.ID) bool { return n.here.Present(p) }

// AllowConnect lets everybody reach those.
func (n *node) AllowConnect(_, to peer.ID) bool { return n.here.Present(to) }

// LightBlock serves the newest header at height 0, as a node does.
func (n *node) LightBlock(ctx context.Context, height int64) ([]byte, error) {
	return n.Chain.LightBlock(ctx, height)
}

// Prove serves a proof.
func (n *node) Prove(ctx context.Context, k []byte, height int64) (light.Proof, error) {
	p, err := n.Chain.Prove(ctx, k, height)
	if lie := n.lie.Load(); lie != nil {
		p = (*lie)(p)
	}
	return p, err
}

// commit executes a transaction, seals it in blocks and gossips the newest
// header.
func (n *node) commit(t *testing.T, x *tx.Tx) int64 {
	t.Helper()
	at := n.Block().Height
	n.Execute(x)
	n.seal(t)
	return at
}

func (n *node) seal(t *testing.T) {
	t.Helper()
	n.Seal()
	raw, err := n.LightBlock(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.topic.Publish(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
}

// device is a real agent with a real bus, and its owner.
type device struct {
	t       *testing.T
	node    *node
	home    string
	bus     string
	lockKey string
	info    agent.Info
	agent   *process
	link    *link.Link

	vendor, owner, guest *key.Private
	sequence             uint64
	nonce, epoch         uint64
	seen                 uint64
}

// process is a program that has said that it is ready.
type process struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	rest   chan struct{} // closed when its output has ended
}

func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(filepath.Join(bin, name), args...), stderr: new(bytes.Buffer), rest: make(chan struct{})}
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	lines := bufio.NewScanner(out)
	ready := make(chan bool, 1)
	go func() {
		ready <- lines.Scan() && strings.Contains(lines.Text(), "ready")
		for lines.Scan() {
		}
		close(p.rest)
	}()
	select {
	case ok := <-ready:
		if !ok {
			p.kill()
			t.Fatalf("%s did not become ready:\n%s", name, p.stderr)
		}
	case <-time.After(patience):
		p.kill()
		t.Fatalf("%s is not ready after %s:\n%s", name, patience, p.stderr)
	}
	return p
}

// kill is kill -9, and waits until the process is gone.
func (p *process) kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.rest
	_ = p.cmd.Wait()
}

// stop is SIGTERM; the program must end well.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.rest
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, p.stderr)
	}
}

func newKey(t *testing.T) *key.Private {
	t.Helper()
	k, err := key.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func runAgent(t *testing.T, args ...string) ([]byte, string, error) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "hos-agent"), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	return out, stderr.String(), err
}

// newDevice makes a device that its vendor has registered; agent and bus run.
func newDevice(t *testing.T) *device {
	t.Helper()
	return newDeviceBy(t, func(d *device) tx.Payload {
		return &tx.RegisterDevice{Key: d.info.Key, SealKey: [32]byte{1}, Model: d.info.Model}
	})
}

// newDeviceBy is newDevice with another way of registering.
func newDeviceBy(t *testing.T, how func(*device) tx.Payload) *device {
	t.Helper()
	d := &device{t: t, vendor: newKey(t), owner: newKey(t), guest: newKey(t), epoch: 1}
	d.node = startNode(t, d.vendor)
	dir, err := os.MkdirTemp("", "hosdev")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d.home, d.bus = filepath.Join(dir, "home"), filepath.Join(dir, "b", "bus.sock")
	doc := filepath.Join(dir, "genesis.json")
	if err := os.WriteFile(doc, d.node.Doc.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Dir(d.bus), 0o700); err != nil {
		t.Fatal(err)
	}
	out, stderr, err := runAgent(t, "init", "--home", d.home, "--genesis", doc, "--model", "test bolt", "--json")
	if err != nil || json.Unmarshal(out, &d.info) != nil {
		t.Fatalf("init: %v\n%s%s", err, out, stderr)
	}
	register, err := tx.New(d.vendor.Public().AccountID(), 0, uint64(d.node.Now().Unix())+600, how(d))
	if err != nil {
		t.Fatal(err)
	}
	register.Sign(d.node.Doc.Chain(), tx.RoleVendor, d.vendor)
	d.node.commit(t, register)
	d.lockKey = filepath.Join(dir, "lock.key")
	if out, err := exec.Command(filepath.Join(bin, "hos-lock"), "key", d.lockKey).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	start(t, "hbusd", "--app-key", "lock="+d.lockKey+".pub", "--socket", d.bus, "--agent-key", filepath.Join(d.home, "bus.pub"), "--agent-uid", fmt.Sprint(os.Getuid()))
	d.run()
	return d
}

// run starts the agent.
func (d *device) run() {
	d.t.Helper()
	args := []string{"run", "--home", d.home, "--bus", d.bus, "--listen", "/ip4/127.0.0.1/tcp/0", "--log-level", "debug", "--commands-per-second", "5000"}
	for _, a := range d.node.host.Info().Addrs {
		args = append(args, "--node", fmt.Sprintf("%s/p2p/%s", a, d.node.host.ID()))
	}
	d.agent = start(d.t, "hos-agent", args...)
	run, err := agent.ReadRun(d.home)
	if err != nil {
		d.t.Fatal(err)
	}
	to, err := peer.AddrInfoFromString(run.Listen[0])
	if err != nil {
		d.t.Fatal(err)
	}
	if d.link, err = link.Dial(d.t.Context(), p2ptest.Full(d.t), *to); err != nil {
		d.t.Fatal(err)
	}
}

// pair makes the owner the owner, by the code that the device shows.
func (d *device) pair() {
	t := d.t
	t.Helper()
	out, stderr, err := runAgent(t, "code", "--home", d.home)
	if err != nil || !strings.Contains(stderr, "█") {
		t.Fatalf("code: %v\n%s", err, stderr)
	}
	code, err := pairing.ParseCode(string(out))
	if err != nil {
		t.Fatal(err)
	}
	to, err := peer.AddrInfoFromString(code.Addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	h := p2ptest.Full(t)
	if err := h.Connect(t.Context(), *to); err != nil {
		t.Fatal(err)
	}
	s, err := h.NewStream(t.Context(), to.ID, topic.Pair)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	chain, root := d.node.Doc.Chain(), d.owner.Public()
	_, armed, err := pairing.Wallet(s, code, pairing.Owner{
		Chain: chain, Account: root.AccountID(),
		Claim: func(p pairing.Peer) (*tx.Tx, error) {
			c, err := tx.New(root.AccountID(), 0, uint64(d.node.Now().Unix())+600, &tx.Claim{Device: p.Device.DeviceID(), Epoch: 1, Root: &root, Batch: p.Batch})
			if err == nil {
				c.Sign(chain, tx.RoleAccount, d.owner)
			}
			return c, err
		},
		Commit: func(c *tx.Tx) (uint64, error) { return uint64(d.node.commit(t, c)), nil },
	})
	if err != nil || armed.Epoch != 1 {
		t.Fatalf("pair: %+v, %v\n%s", armed, err, d.agent.stderr)
	}
	d.sequence = 1
}

// execute commits a transaction by the owner.
func (d *device) execute(p tx.Payload) tx.ID {
	d.t.Helper()
	x, err := tx.New(d.owner.Public().AccountID(), d.sequence, uint64(d.node.Now().Unix())+600, p)
	if err != nil {
		d.t.Fatal(err)
	}
	x.Sign(d.node.Doc.Chain(), tx.RoleAccount, d.owner)
	d.node.commit(d.t, x)
	d.sequence++
	d.seen = uint64(d.node.Height())
	return x.ID(d.node.Doc.Chain())
}

// command signs a command by the owner or, with a grant, the guest.
func (d *device) command(method string, grant *tx.ID) []byte {
	d.t.Helper()
	by := d.owner
	if grant != nil {
		by = d.guest
	}
	d.nonce++
	now := uint64(time.Now().UnixMilli())
	c, err := command.New(command.Body{
		Chain: command.Prefix(d.node.Doc.Chain()), Device: d.info.Device, Endpoint: "lock", Epoch: d.epoch,
		Principal: by.Public().AccountID(), Key: by.Public().ID(), Grant: grant, Salt: 1, Nonce: d.nonce,
		IssuedAt: now, Expires: now + 60_000, Method: method, Seen: d.seen,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	c.Sign(d.node.Doc.Chain(), by)
	return c.Bytes()
}

// send sends bytes and checks that the answer is the device's.
func (d *device) send(raw []byte) *command.Receipt {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	answer, err := d.link.Send(ctx, raw)
	if errors.Is(err, link.ErrNoAnswer) { // a stream ends with the right that it was used for
		answer, err = d.link.Send(ctx, raw)
	}
	if err != nil {
		d.t.Fatalf("%v\n%s", err, d.agent.stderr)
	}
	return d.decode(raw, answer)
}

func (d *device) decode(raw, answer []byte) *command.Receipt {
	d.t.Helper()
	r, err := command.DecodeReceipt(answer)
	if err != nil {
		d.t.Fatal(err)
	}
	c, err := command.Decode(raw)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := r.Verify(d.node.Doc.Chain(), d.info.Key, c.ID(d.node.Doc.Chain())); err != nil {
		d.t.Fatal(err)
	}
	return r
}

// want sends a new command and checks the verdict.
func (d *device) want(raw []byte, status command.Status, code command.Code) *command.Receipt {
	d.t.Helper()
	r := d.send(raw)
	if r.Body.Status != status || r.Body.Code != code {
		d.t.Fatalf("got %s %s, want %s %s\n%s", r.Body.Status, r.Body.Code, status, code, d.agent.stderr)
	}
	return r
}
