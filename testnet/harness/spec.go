package harness

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hybridos-net/hybridos/deviceos/agent"
	"github.com/hybridos-net/hybridos/node/home"
)

// spec says how the process of a name is started, and what is to be remembered
// when it is ready. Its caller and that of the returned function hold n.mu.
func (n *Network) spec(name string) (spec, func(line string) error, error) {
	for i := range n.state.Nodes {
		if n.state.Nodes[i].Name == name {
			s, ready := n.nodeSpec(&n.state.Nodes[i])
			return s, ready, nil
		}
	}
	for i := range n.state.Devices {
		d := &n.state.Devices[i]
		none := func(string) error { return nil }
		switch name {
		case d.Name + "-bus":
			return spec{"hbusd", []string{
				"--socket", d.Bus, "--agent-key", filepath.Join(d.Home, "bus.pub"), "--agent-uid", strconv.Itoa(os.Getuid()),
				"--app-key", "lock=" + d.lockKey() + ".pub",
			}, "hbusd ready"}, none, nil
		case d.Name + "-lock":
			return spec{"hos-lock", []string{"--bus", d.Bus, "--log", d.Bolt, "--key", d.lockKey()}, "hos-lock ready"}, none, nil
		case d.Name + "-agent":
			s, ready := n.agentSpec(d)
			return s, ready, nil
		}
	}
	if name == bridgeName && n.state.Bridge != nil {
		b := n.state.Bridge
		return spec{"hos-bridge", []string{"run", "--config", b.Config}, "listening "}, func(line string) error {
			return n.keepBridgeAddr(b, strings.TrimPrefix(line, "listening "))
		}, nil
	}
	return spec{}, nil, fmt.Errorf("%s: %w", name, ErrNoProcess)
}

// lockKey is the file with which the lock app proves its name on the bus.
func (d Device) lockKey() string { return filepath.Join(d.Home, "lock.key") }

// nodeSpec lets a node take free ports at first and the same ones ever after,
// since its peers, devices and wallets know them. Of two nodes the later knows
// the earlier at the first start; later each knows all.
func (n *Network) nodeSpec(d *Node) (spec, func(string) error) {
	p2p, mesh, http := "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	if d.P2P != "" {
		_, p2p, _ = strings.Cut(d.P2P, "@")
		http = strings.TrimPrefix(d.HTTP, "http://")
		if a, ok := hostPort(d.Mesh); ok {
			mesh = a
		}
	}
	var peers, meshPeers, more []string
	if f := n.state.Follows; f != nil {
		peers, meshPeers = slices.Clone(f.Peers), slices.Clone(f.Mesh)
		if f.StateSync { // of no effect once it has blocks
			more = append(more, "--state-sync")
		}
	}
	for _, o := range n.state.Nodes {
		if o.Name != d.Name && o.P2P != "" {
			peers = append(peers, o.P2P)
			meshPeers = append(meshPeers, o.Mesh...)
		}
	}
	if n.state.Manifest.Phone {
		more = append(more, "--phone-listen", phoneListen(d.Phone))
	}
	s := spec{"hosd", append([]string{
		"start", "--home", d.Home, "--p2p-listen", p2p, "--mesh-listen", mesh, "--http-listen", http,
		"--p2p-peers", strings.Join(peers, ","), "--mesh-peers", strings.Join(meshPeers, ","), "--log-level", n.state.Manifest.LogLevel,
	}, more...), "ready "}
	return s, func(string) error {
		r, err := home.ReadRun(d.Home)
		if err != nil {
			return err
		}
		d.P2P, d.Mesh, d.HTTP, d.Phone = r.P2P, r.Mesh, r.HTTP, r.Phone
		return nil
	}
}

// phoneListen is the address behind a page's origin, which is by the name
// localhost, or any free port before there is one.
func phoneListen(origin string) string {
	_, port, err := net.SplitHostPort(strings.TrimPrefix(origin, "http://"))
	if err != nil {
		port = "0"
	}
	return net.JoinHostPort("127.0.0.1", port)
}

func (n *Network) agentSpec(d *Device) (spec, func(string) error) {
	listen := "/ip4/127.0.0.1/tcp/0"
	if len(d.Addrs) > 0 {
		listen, _, _ = strings.Cut(d.Addrs[0], "/p2p/")
	}
	args := []string{"run", "--home", d.Home, "--bus", d.Bus, "--listen", listen, "--log-level", n.state.Manifest.LogLevel}
	nodes := d.Nodes
	if len(nodes) == 0 {
		nodes = n.state.mesh()
	}
	for _, m := range nodes[:min(len(nodes), agentNodes)] {
		args = append(args, "--node", m)
	}
	return spec{"hos-agent", args, "hos-agent ready"}, func(string) error {
		r, err := agent.ReadRun(d.Home)
		if err != nil {
			return err
		}
		d.Addrs = slices.Clone(r.Listen)
		return nil
	}
}

// agentNodes is how many nodes an agent takes.
const agentNodes = 16

// hostPort turns the first of some /ip4 or /ip6 multiaddresses into host:port.
func hostPort(addrs []string) (string, bool) {
	for _, a := range addrs {
		f := strings.Split(a, "/")
		if len(f) >= 5 && (f[1] == "ip4" || f[1] == "ip6") && f[3] == "tcp" {
			return net.JoinHostPort(f[2], f[4]), true
		}
	}
	return "", false
}

// outside reports whether dir stands somewhere else than below root.
func outside(root, dir string) bool {
	rel, err := filepath.Rel(root, dir)
	return dir != "" && (err != nil || rel == ".." || strings.HasPrefix(rel, "../"))
}
