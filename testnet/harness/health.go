package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/hybridos-net/hybridos/node/api"
)

// Health is how one process is.
type Health struct {
	Name    string `json:"name"`
	PID     int    `json:"pid,omitempty"`
	Running bool   `json:"running"`
	OK      bool   `json:"ok"`   // it runs and answers
	What    string `json:"what"` // for people
}

// Health looks at every process.
func (n *Network) Health(ctx context.Context) []Health {
	s := n.State()
	running := make(map[string]bool)
	for _, name := range n.Running() {
		running[name] = true
	}
	var out []Health
	for _, name := range s.processes() {
		h := Health{Name: name, Running: running[name], What: "does not run"}
		if h.Running {
			h.PID = s.Processes[name].PID
			h.OK, h.What = n.ask(ctx, &s, name)
		}
		out = append(out, h)
	}
	return out
}

func (n *Network) ask(ctx context.Context, s *State, name string) (bool, string) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	for _, d := range s.Nodes {
		if d.Name != name {
			continue
		}
		st, err := NodeStatus(ctx, d.HTTP)
		if err != nil {
			return false, err.Error()
		}
		if st.Syncing {
			return false, fmt.Sprintf("height %d, catching up", st.Height)
		}
		return true, fmt.Sprintf("height %d, %d peers", st.Height, st.P2PPeers)
	}
	for _, d := range s.Devices {
		switch name {
		case d.Name + "-lock":
			moves, err := n.Actuations(d.Name)
			if err != nil {
				return false, err.Error()
			}
			return true, fmt.Sprintf("%d movements", len(moves))
		case d.Name + "-agent":
			return n.askAgent(ctx, d)
		}
	}
	if name == bridgeName {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", s.Bridge.Listen)
		if err != nil {
			return false, err.Error()
		}
		c.Close()
		return true, "mqtt://" + s.Bridge.Listen
	}
	return true, "runs"
}

func (n *Network) askAgent(ctx context.Context, d Device) (bool, string) {
	out, err := run(ctx, n.cfg.Programs, "hos-agent", "", nil, "status", "--home", d.Home, "--json")
	if err != nil {
		return false, err.Error()
	}
	var st struct {
		Running bool    `json:"running"`
		Owner   *string `json:"owner"`
		Height  int64   `json:"height"`
	}
	if err := json.Unmarshal(out, &st); err != nil {
		return false, err.Error()
	}
	owner := "nobody's yet"
	if st.Owner != nil {
		owner = "owned by " + *st.Owner
	}
	return st.Running, fmt.Sprintf("%s, height %d, %s", d.ID, st.Height, owner)
}

// NodeStatus asks a node's HTTP interface. What it says is not verified.
func NodeStatus(ctx context.Context, base string) (s api.Status, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/status", nil)
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("node answers %s", resp.Status)
	}
	return s, json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&s)
}
