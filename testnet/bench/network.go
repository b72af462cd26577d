package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cometbft/cometbft/rpc/client/http"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/node"
	"github.com/hybridos-net/hybridos/node/home"
)

// validators is how many each network has.
const validators = 4

// network is four validators as processes, reached through CometBFT's RPC, for
// our application or for the peer's.
type network struct {
	name  string
	doc   *genesis.Doc
	homes []string
	procs []*exec.Cmd
	rpc   []*http.HTTP
}

// launch gives the command line of validator i.
type launch func(dir, listen, peers, rpc string) *exec.Cmd

// startNetwork makes homes with hosd, starts the validators and waits for the
// first blocks.
func startNetwork(ctx context.Context, name, dir, hosd string, vendors []genesis.Vendor, run launch) (*network, error) {
	n := &network{name: name, doc: &genesis.Doc{ChainID: "bench-" + name, Time: time.Now().Unix(), Vendors: vendors}}
	var peers, listens []string
	for i := range validators {
		root := n.home(dir, i)
		cmd := exec.CommandContext(ctx, hosd, "init", "--home", root, "--name", filepath.Base(root), "--json")
		raw, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("hosd init: %w", err)
		}
		pub, err := node.KeyFiles(home.Dir(root)).PubKey()
		if err != nil {
			return nil, err
		}
		n.doc.Validators = append(n.doc.Validators, genesis.Validator{Name: filepath.Base(root), PubKey: pub})
		listen, err := freeAddr()
		if err != nil {
			return nil, err
		}
		var made struct {
			NodeID string `json:"node_id"`
		}
		if err := json.Unmarshal(raw, &made); err != nil {
			return nil, fmt.Errorf("hosd init: %w", err)
		}
		listens, peers = append(listens, listen), append(peers, made.NodeID+"@"+listen)
	}
	for i := range validators {
		if err := n.start(n.home(dir, i), listens[i], strings.Join(peers, ","), run); err != nil {
			return n, err
		}
	}
	return n, n.waitHeight(ctx, 3)
}

func (n *network) home(dir string, i int) string {
	return filepath.Join(dir, fmt.Sprintf("%s-%d", n.name, i))
}

func (n *network) start(root, listen, peers string, run launch) error {
	if err := os.WriteFile(home.Dir(root).GenesisFile(), n.doc.JSON(), 0o600); err != nil {
		return err
	}
	rpc, err := freeAddr()
	if err != nil {
		return err
	}
	log, err := os.Create(root + ".log")
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := run(root, listen, peers, rpc)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	n.homes, n.procs = append(n.homes, root), append(n.procs, cmd)
	c, err := http.New("http://"+rpc, "/websocket")
	if err != nil {
		return err
	}
	n.rpc = append(n.rpc, c)
	return nil
}

// stop ends the validators by their process ids.
func (n *network) stop() error {
	var errs []error
	for _, p := range n.procs {
		errs = append(errs, p.Process.Signal(syscall.SIGTERM))
	}
	for _, p := range n.procs {
		p.Wait() // the status of a terminated process says nothing
	}
	return errors.Join(errs...)
}

// poll is how often the chain's height is looked at.
const poll = 50 * time.Millisecond

func (n *network) waitHeight(ctx context.Context, h int64) error {
	return n.waitFor(ctx, h, time.Minute)
}

// waitFor waits until every validator has a height.
func (n *network) waitFor(ctx context.Context, h int64, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ready := 0
		for _, c := range n.rpc {
			if s, err := c.Status(ctx); err == nil && s.SyncInfo.LatestBlockHeight >= h {
				ready++
			}
		}
		if ready == len(n.rpc) {
			return nil
		}
		if err := pause(ctx, poll); err != nil {
			return fmt.Errorf("%s: %d of %d validators reached height %d", n.name, ready, len(n.rpc), h)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// cpu is the processor time that all validators have used.
func (n *network) cpu() (sum time.Duration, err error) {
	for _, p := range n.procs {
		t, err := cpuOf(p.Process.Pid)
		if err != nil {
			return 0, err
		}
		sum += t
	}
	return sum, nil
}

// cpuOf reads user and system time of a process (proc(5), fields 14 and 15 of
// stat, in ticks of 10 ms).
func cpuOf(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, errors.New("cannot read /proc stat")
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// rssOf reads the resident memory of a process in bytes.
func rssOf(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			return kb << 10, nil
		}
	}
	return 0, errors.New("no VmRSS in /proc status")
}

// bytesOf is what a process has read and written so far, of sockets and files.
func bytesOf(pid int) (read, written int64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscanf(string(raw), "rchar: %d\nwchar: %d", &read, &written)
	return read, written, err
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
