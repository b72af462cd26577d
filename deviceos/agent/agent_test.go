package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/agent"
	"github.com/hybridos-net/hybridos/deviceos/peripheral/lock"
	"github.com/hybridos-net/hybridos/deviceos/vault"
	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// The journey of one device with the real programs: pair, open, lend, revoke,
// restart.
func TestAgent_Journey(t *testing.T) {
	d := newDevice(t)
	log := filepath.Join(filepath.Dir(d.home), "actuations.jsonl")
	impostor := exec.Command(filepath.Join(bin, "hos-lock"), "--bus", d.bus, "--log", log+"2")
	if out, err := impostor.CombinedOutput(); err == nil || !strings.Contains(string(out), "try: give the key") {
		t.Fatalf("anybody may be the lock: %v\n%s", err, out)
	}
	start(t, "hos-lock", "--bus", d.bus, "--log", log, "--key", d.lockKey)
	d.want(d.command("open", nil), command.Rejected, command.Unowned)
	d.pair()
	first := d.command("open", nil)
	opened := d.want(first, command.Executed, command.OK)
	count := func(want int) {
		t.Helper()
		raw, err := os.ReadFile(log)
		if err != nil || bytes.Count(raw, []byte("\n")) != want {
			t.Fatalf("actuation log: %v\n%s", err, raw)
		}
	}
	count(1)
	if again := d.send(first); !bytes.Equal(again.Bytes(), opened.Bytes()) {
		t.Fatal("another receipt for the same bytes")
	}
	grant := d.execute(&tx.CreateGrant{
		Grantee: d.guest.Public(), NotBefore: 1, NotAfter: uint64(time.Now().Unix()) + 3600,
		Targets: []tx.Target{{Device: d.info.Device, Epoch: 1, Endpoint: "lock", Methods: []string{"lock", "state"}}},
	})
	d.want(d.command("lock", &grant), command.Executed, command.OK)
	d.want(d.command("open", &grant), command.Rejected, command.NotGranted)
	var state lock.State
	r := d.want(d.command("state", &grant), command.Executed, command.OK)
	if json.Unmarshal(r.Body.Result, &state) != nil || state != (lock.State{Position: lock.Locked, Count: 2}) {
		t.Fatalf("state: %s", r.Body.Result)
	}
	count(2)

	// The agent is killed and started again with nothing lost.
	d.agent.kill()
	d.run()
	if again := d.send(first); !bytes.Equal(again.Bytes(), opened.Bytes()) {
		t.Fatal("another receipt after the restart")
	}
	d.want(d.command("lock", &grant), command.Executed, command.OK)
	d.execute(&tx.RevokeGrant{Grant: grant})
	for { // until the checkpoint has come by gossip
		r := d.send(d.command("lock", &grant))
		if r.Body.Height >= d.seen {
			if r.Body.Code != command.GrantRevoked {
				t.Fatalf("got %s %s at height %d", r.Body.Status, r.Body.Code, r.Body.Height)
			}
			break
		}
	}
	d.want(d.command("open", nil), command.Executed, command.OK)
	d.status(t)
	d.agent.stop(t)
	if _, err := agent.ReadRun(d.home); !errors.Is(err, agent.ErrNotRunning) {
		t.Fatalf("run.json is left: %v", err)
	}
}

func (d *device) status(t *testing.T) {
	t.Helper()
	out, stderr, err := runAgent(t, "status", "--home", d.home, "--json")
	var s agent.Status
	if err != nil || json.Unmarshal(out, &s) != nil {
		t.Fatalf("status: %v\n%s", err, stderr)
	}
	if !s.Running || s.Owner == nil || *s.Owner != d.owner.Public().AccountID() || s.Epoch != 1 || s.Receipts == 0 || s.Height == 0 {
		t.Fatalf("status: %s", out)
	}
}

// bolt is the real bolt with a hold on it: hardware that is slow at a known
// moment.
type bolt struct {
	*lock.Bolt
	before, after func() error
}

func (b *bolt) Actuate(method string, id command.ID) (lock.State, error) {
	if err := b.before(); err != nil {
		return b.State(), err
	}
	s, err := b.Bolt.Actuate(method, id)
	if err == nil {
		err = b.after()
	}
	return s, err
}

// TestAgent_Strangers: peers who take every place that a stranger can take, for
// pairing and for commands, and then stay silent, keep the owner from neither.
func TestAgent_Strangers(t *testing.T) {
	d := newDevice(t)
	run, err := agent.ReadRun(d.home)
	if err != nil {
		t.Fatal(err)
	}
	to, err := peer.AddrInfoFromString(run.Listen[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		h := p2ptest.Full(t)
		if err := h.Connect(t.Context(), *to); err != nil {
			t.Fatal(err)
		}
		for _, id := range []protocol.ID{topic.Pair, topic.Command, topic.Command, topic.Command, topic.Command} {
			s, err := h.NewStream(t.Context(), to.ID, id)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write([]byte{5}); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.pair()
	start(t, "hos-lock", "--bus", d.bus, "--log", filepath.Join(filepath.Dir(d.home), "actuations.jsonl"), "--key", d.lockKey)
	d.want(d.command("open", nil), command.Executed, command.OK)
}

// kill -9 of the agent at the two moments that matter: never two actuations,
// and whoever asks again is told the truth.
func TestAgent_KilledWhileActing(t *testing.T) {
	for _, c := range []struct {
		name   string
		before bool
		moves  uint64
	}{{"between intent and actuation", true, 0}, {"between actuation and receipt", false, 1}} {
		t.Run(c.name, func(t *testing.T) {
			d := newDevice(t)
			real, err := lock.OpenBolt(filepath.Join(filepath.Dir(d.home), "log"), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			defer real.Close()
			reached, killed := make(chan struct{}), make(chan struct{})
			hold := func() error {
				close(reached)
				<-killed
				return errors.New("the power went")
			}
			pass := func() error { return nil }
			hw := &bolt{Bolt: real, before: pass, after: pass}
			if c.before {
				hw.before = hold
			} else {
				hw.after = hold
			}
			serve(t, d, hw)
			d.pair()
			raw := d.command("open", nil)
			lost := make(chan error, 1)
			go func() {
				_, err := d.link.Send(context.Background(), raw)
				lost <- err
			}()
			<-reached
			d.agent.kill()
			if err := <-lost; !errors.Is(err, link.ErrNoAnswer) {
				t.Fatalf("the sender heard: %v", err)
			}
			if n := real.State().Count; n != c.moves {
				t.Fatalf("%d actuations", n)
			}
			hw.before, hw.after = pass, pass
			close(killed)
			d.run()
			told := d.want(raw, command.Unknown, command.Interrupted)
			if again := d.send(raw); !bytes.Equal(again.Bytes(), told.Bytes()) {
				t.Fatal("the device changed its mind")
			}
			if n := real.State().Count; n != c.moves {
				t.Fatalf("%d actuations after the retry", n)
			}
			next := d.want(d.command("open", nil), command.Executed, command.OK)
			hash := told.Hash()
			if next.Body.Counter != told.Body.Counter+1 || !bytes.Equal(next.Body.Prev, hash[:]) || real.State().Count != c.moves+1 {
				t.Fatalf("after it: %+v, %d actuations", next.Body, real.State().Count)
			}
		})
	}
}

// All four validators sign a header in which the device belongs to a thief, and
// a node lies about records: neither moves the bolt, nor the device's owner.
func TestAgent_LyingValidatorsAndNodes(t *testing.T) {
	d := newDevice(t)
	real, err := lock.OpenBolt(filepath.Join(filepath.Dir(d.home), "log"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	serve(t, d, real)
	d.pair()
	d.want(d.command("open", nil), command.Executed, command.OK)

	lies := map[string]func(p light.Proof) light.Proof{
		"another value":   func(p light.Proof) light.Proof { p.Value = append([]byte{1}, p.Value...); return p },
		"absence":         func(p light.Proof) light.Proof { p.Value = nil; return p },
		"another key":     func(p light.Proof) light.Proof { p.Key = append([]byte{1}, p.Key...); return p },
		"another version": func(p light.Proof) light.Proof { p.Height--; return p },
		"no proof":        func(p light.Proof) light.Proof { p.Proof = nil; return p },
	}
	for name, lie := range lies {
		d.node.lie.Store(&lie)
		d.node.seal(t)
		d.await(uint64(d.node.Height()))
		r := d.send(d.command("open", nil))
		if r.Body.Status != command.Deferred || r.Body.Code != command.Stale {
			t.Fatalf("node tells %s: %s %s", name, r.Body.Status, r.Body.Code)
		}
	}
	d.node.lie.Store(nil)
	d.want(d.command("open", nil), command.Executed, command.OK)

	thief := newKey(t)
	id := thief.Public().AccountID()
	record, err := state.GetDevice(d.node, d.info.Device)
	if err != nil {
		t.Fatal(err)
	}
	record.Owner, record.Epoch = &id, 2
	d.node.Set(state.DeviceKey(d.info.Device), codec.MustMarshal(record))
	d.node.Set(state.AccountKey(id), codec.MustMarshal(state.Account{Root: thief.Public(), KeySet: state.RootKeySet(thief.Public())}))
	d.node.seal(t)
	d.await(uint64(d.node.Height()))
	owner := d.owner
	d.want(d.command("open", nil), command.Rejected, command.Untrusted)
	d.owner = thief
	d.want(d.command("open", nil), command.Rejected, command.Untrusted)
	d.owner, d.epoch = thief, 2
	d.want(d.command("open", nil), command.Rejected, command.Untrusted)
	d.owner, d.epoch = owner, 1
	if n := real.State().Count; n != 2 {
		t.Fatalf("%d actuations", n)
	}
	d.status(t)
}

// await asks until the device has heard of a height.
func (d *device) await(height uint64) {
	d.t.Helper()
	for d.send(d.command("melt", nil)).Body.Height < height {
	}
}

// serve runs the lock app in the test's process.
func serve(t *testing.T, d *device, hw lock.Actuator) {
	t.Helper()
	k, err := vault.LoadKey(d.lockKey)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	app, err := lock.New(lock.Config{Bus: d.bus, Actuator: hw, Key: k, Ready: func() { close(ready) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("lock app: %v", err)
		}
	})
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatal("the lock app is not ready")
	}
}

// Run ends when it is told to, with every goroutine, and takes its run.json
// along; also when neither bus nor node can be reached.
func TestRun_StopsClean(t *testing.T) {
	before := goleak.IgnoreCurrent()
	dir := t.TempDir()
	doc := &genesis.Doc{ChainID: "stop-test", Time: 1, Validators: []genesis.Validator{{Name: "v", PubKey: make([]byte, 32)}}}
	cfg := agent.DefaultConfig()
	cfg.Nodes, cfg.Bus, cfg.Listen = []string{someNode}, filepath.Join(dir, "no.sock"), []string{"/ip4/127.0.0.1/tcp/0"}
	if _, err := agent.Init(dir, doc, cfg); err != nil {
		t.Fatal(err)
	}
	home, err := agent.OpenHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := 0
	a, err := agent.New(agent.Options{Home: home, Config: cfg, Ready: func(r agent.Run) {
		if seen, err := agent.ReadRun(dir); err != nil || seen.PID != os.Getpid() || len(r.Listen) == 0 {
			t.Errorf("run.json: %+v, %v", seen, err)
		}
		ran++
		cancel()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(ctx); err != nil || ran != 1 {
		t.Fatalf("ran %d times: %v", ran, err)
	}
	if _, err := agent.ReadRun(dir); !errors.Is(err, agent.ErrNotRunning) {
		t.Fatalf("run.json is left: %v", err)
	}
	goleak.VerifyNone(t, before,
		// A worker of the library for all resource managers, not ours to stop.
		goleak.IgnoreTopFunction("github.com/libp2p/go-libp2p/p2p/host/resource-manager.(*resourceManager).background"))
}

// What a device can afford.
func TestAgent_SizeAndMemory(t *testing.T) {
	info, err := os.Stat(filepath.Join(bin, "hos-agent"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 24_000_000 {
		t.Errorf("hos-agent has %d bytes", info.Size())
	}
	d := newDevice(t)
	start(t, "hos-lock", "--bus", d.bus, "--log", filepath.Join(filepath.Dir(d.home), "log"), "--key", d.lockKey)
	d.pair()
	for range 50 {
		d.want(d.command("open", nil), command.Executed, command.OK)
	}
	if runtime.GOOS != "linux" {
		return // memory is measured where devices run
	}
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(d.agent.cmd.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("hos-agent: %d bytes, RSS %d KiB after 50 commands", info.Size(), kib)
	if kib > 32_000_000/1024 {
		t.Errorf("RSS is %d KiB", kib)
	}
}

// A device links the slim mesh and no more.
func TestDeps(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "../cmd/hos-agent").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 100 {
		t.Fatalf("only %d packages listed", len(deps))
	}
	for _, d := range deps {
		for _, bad := range []string{
			"github.com/pion/", "quic-go", "webtransport", "go.uber.org/fx", "go.uber.org/dig", "cosmos/iavl",
			"cometbft/cometbft/node", "cometbft/cometbft/types", "google.golang.org/grpc", "hybridos/chain/store/kv",
			"github.com/cockroachdb/pebble", "hybridos/node", "hybridos/wallet", "hybridos/mqttbridge",
		} {
			if strings.Contains(d, bad) {
				t.Errorf("links %s", d)
			}
		}
		if d == "github.com/libp2p/go-libp2p" {
			t.Errorf("links the root package %s", d)
		}
	}
}
