package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/testnet/harness"
)

// TestUpgrade: four validators as processes halt before the block of an upgrade,
// each with the message and the exit code that operators wait for, at the start
// and at every start again; with the other program in place they go on from
// where they stood, and the ledger keeps everything.
func TestUpgrade(t *testing.T) {
	old := programs
	defer func() { programs = old }()
	programs = copyPrograms(t, old) // this test swaps hosd
	c := newCouncil(t)
	c.decide("set-quota", c.vendor, "4711")

	next := filepath.Join(t.TempDir(), "hosd")
	build := exec.CommandContext(c.ctx, "go", "build", "-ldflags", "-s -w -buildid=two", "-o", next, "./node/cmd/hosd")
	build.Dir = must(filepath.Abs("../.."))(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the next hosd: %v\n%s", err, out)
	}
	wrong, right := sumOf(t, filepath.Join(programs, "hosd")), sumOf(t, next)
	nodes := c.net.State().Nodes
	height := must(c.net.AwaitHead(c.ctx, 1))(t).Height + 14
	c.decide("upgrade", "two", "--height", strconv.FormatInt(height, 10), "--hash", right, "--url", "https://example.org/two")
	for _, d := range nodes {
		status := must(exec.CommandContext(c.ctx, filepath.Join(programs, "hosd"), "status", "--home", d.Home).Output())(t)
		if !strings.Contains(string(status), "upgrade two at height") || !strings.Contains(string(status), "install "+right) {
			t.Errorf("hosd status: %s", status)
		}
	}
	for i := 0; len(c.net.Running()) == len(nodes); i++ { // each is a block or two
		c.tryGov("propose", "set-quota", c.vendor, strconv.Itoa(i))
	}
	if err := c.net.AwaitNone(c.ctx); err != nil {
		t.Fatal(err)
	}
	for _, d := range nodes {
		wantHalt(t, c.net.Tail(d.Name), wrong, right)
		cmd := exec.CommandContext(c.ctx, filepath.Join(programs, "hosd"), "start", "--home", d.Home)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 3 {
			t.Errorf("%s started again: %v", d.Name, err)
		}
		wantHalt(t, string(out), wrong, right)
	}

	check(t, os.Remove(filepath.Join(programs, "hosd")))
	check(t, os.Rename(next, filepath.Join(programs, "hosd")))
	startAll(t, c, nodes)
	var info struct {
		Height int64  `json:"height"`
		Rules  uint64 `json:"rules"`
		Done   []struct {
			Name   string `json:"name"`
			Height int64  `json:"height"`
		} `json:"done"`
	}
	for info.Height <= height { // until a header proves what the upgrade's block left
		check(t, c.hos(1, 0, "gov", "show").Decode(&info))
	}
	if info.Rules != 2 || len(info.Done) != 1 || info.Done[0].Name != "two" || info.Done[0].Height != height {
		t.Errorf("hos gov show: %+v", info)
	}
	c.decide("set-quota", c.vendor, "4712")
}

// wantHalt demands what an operator must be told.
func wantHalt(t *testing.T, text, wrong, right string) {
	t.Helper()
	for _, want := range []string{`upgrade "two"`, wrong, right, "https://example.org/two", "try: put the hosd with that SHA-256"} {
		if !strings.Contains(text, want) {
			t.Errorf("the halt lacks %q:\n%s", want, text)
		}
	}
}

// tryGov lets the first governor do something while the ledger may end under it.
func (c *council) tryGov(args ...string) {
	c.t.Helper()
	if _, err := c.net.Hos(c.ctx, c.people[0], append([]string{"gov", "--timeout", "10s"}, args...)...); err != nil {
		c.t.Fatal(err)
	}
}

// startAll starts every node at once: one alone is never in step.
func startAll(t *testing.T, c *council, nodes []harness.Node) {
	t.Helper()
	done := make(chan error, len(nodes))
	for _, d := range nodes {
		go func() { done <- c.net.Start(c.ctx, d.Name) }()
	}
	for range nodes {
		check(t, <-done)
	}
}

func copyPrograms(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	for _, e := range must(os.ReadDir(from))(t) {
		check(t, os.Link(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())))
	}
	return to
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	f := must(os.Open(path))(t)
	defer f.Close()
	h := sha256.New()
	must(io.Copy(h, f))(t)
	return hex.EncodeToString(h.Sum(nil))
}
