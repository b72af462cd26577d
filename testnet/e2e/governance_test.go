package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// council is a network of real processes and its governors, each with a wallet.
type council struct {
	t      *testing.T
	ctx    context.Context
	net    *harness.Network
	people [2]harness.Person
	vendor string
}

// newCouncil brings four validators and a full node up; both governors must
// approve.
func newCouncil(t *testing.T) *council {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTime)
	t.Cleanup(cancel)
	c := &council{t: t, ctx: ctx}
	g := &genesis.Governance{Threshold: 2}
	for i := range c.people {
		dir := t.TempDir()
		p := harness.Person{Name: fmt.Sprint("governor", i), Home: filepath.Join(dir, "home"), Pass: filepath.Join(dir, "pass")}
		check(t, os.WriteFile(p.Pass, []byte("a governor's passphrase"), 0o600))
		cmd := exec.CommandContext(ctx, filepath.Join(programs, "hos"), "key", "new", "--json")
		cmd.Env = append(os.Environ(), "HOS_HOME="+p.Home, "HOS_PASSPHRASE_FILE="+p.Pass)
		var made struct {
			Public key.Public `json:"public"`
		}
		check(t, json.Unmarshal(must(cmd.Output())(t), &made))
		g.Governors = append(g.Governors, genesis.Governor{Name: p.Name, Key: made.Public})
		c.people[i] = p
	}
	m := manifest.Manifest{Name: "hybridos-governed", Validators: 4, FullNodes: 1, LogLevel: "info"}
	c.net = upOf(t, ctx, harness.Config{Programs: programs, Manifest: m, Genesis: func(d *genesis.Doc) { d.Governance = g }})
	for i := range c.people {
		args := []string{"init", "--genesis", c.net.GenesisFile()}
		for _, a := range c.net.Mesh() {
			args = append(args, "--node", a)
		}
		c.hos(i, 0, args...)
	}
	c.vendor = must(c.net.Vendor())(t).Public().AccountID().String()
	return c
}

func (c *council) hos(who, exit int, args ...string) harness.Answer {
	c.t.Helper()
	a := must(c.net.Hos(c.ctx, c.people[who], args...))(c.t)
	if a.Exit != exit {
		c.t.Fatalf("hos %v: exit code %d, want %d\n%s", args, a.Exit, exit, a.Talk)
	}
	return a
}

// decide lets one governor propose and the other approve.
func (c *council) decide(args ...string) {
	c.t.Helper()
	var r struct {
		ID string `json:"id"`
	}
	check(c.t, c.hos(0, 0, append([]string{"gov", "propose"}, args...)...).Decode(&r))
	c.hos(1, 0, "gov", "approve", r.ID)
}

// validators are those that hos gov list shows.
func (c *council) validators() map[string]bool {
	c.t.Helper()
	var list struct {
		Validators []struct {
			Name string `json:"name"`
		} `json:"validators"`
	}
	check(c.t, c.hos(1, 0, "gov", "list").Decode(&list))
	out := map[string]bool{}
	for _, v := range list.Validators {
		out[v.Name] = true
	}
	return out
}

// TestGovernance: with the real command lines a full node becomes a validator
// that the others depend on, and a dead one is removed, so that another may die.
func TestGovernance(t *testing.T) {
	c := newCouncil(t)
	nodes := map[string]harness.Node{}
	for _, d := range c.net.State().Nodes {
		nodes[d.Name] = d
	}
	prove := exec.CommandContext(c.ctx, filepath.Join(programs, "hosd"), "validator", "prove", "--home", nodes["full1"].Home, "--json")
	var p struct {
		Validator string `json:"validator"`
		Proof     string `json:"proof"`
	}
	check(t, json.Unmarshal(must(prove.Output())(t), &p))
	c.decide("add-validator", "--name", "full1", "--key", p.Validator, "--proof", p.Proof)
	if v := c.validators(); len(v) != 5 || !v["full1"] {
		t.Fatalf("validators %v", v)
	}
	// Four of five: without the new one's signature nothing would be decided.
	check(t, c.net.Kill(c.ctx, "val1"))
	for i := range 3 {
		c.decide("set-quota", c.vendor, strconv.Itoa(100+i))
	}
	c.decide("remove-validator", nodes["val1"].Key)
	if v := c.validators(); len(v) != 4 || v["val1"] {
		t.Fatalf("validators %v", v)
	}
	// Three of four: the dead one does not count any more.
	check(t, c.net.Kill(c.ctx, "val2"))
	for i := range 3 {
		c.decide("set-quota", c.vendor, strconv.Itoa(200+i))
	}
}
