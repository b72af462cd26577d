package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hybridos-net/hybridos/testnet/demo"
	"github.com/hybridos-net/hybridos/testnet/harness"
)

// TestJourney is the demonstration, whose steps prove themselves.
func TestJourney(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testTime)
	defer cancel()
	steps, err := demo.Run(ctx, demo.Config{Dir: filepath.Join(t.TempDir(), "net"), Programs: programs, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != demo.Steps() || demo.Steps() < 15 {
		t.Errorf("%d of %d steps ran", len(steps), demo.Steps())
	}
	for _, s := range steps {
		if s.LeftOut && os.Getenv(noBrowser) != "" {
			t.Logf("NOT PROVEN, since %s is set: %s", noBrowser, s.Title)
			continue
		}
		if !s.Passed || s.Proof == "" {
			t.Errorf("%s: passed %t, proof %q", s.Title, s.Passed, s.Proof)
		}
	}
}

// TestDemo_Interrupted ends a demonstration in the middle: nothing may be left.
func TestDemo_Interrupted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	cmd := exec.Command(filepath.Join(programs, "hos-testnet"), "demo", "--dir", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	awaitLine(t, out, "[ 2/")
	n := must(harness.Open(harness.Config{Dir: dir}))(t)
	before := n.State().Processes
	if len(before) < 10 {
		t.Fatalf("only %d processes run", len(before))
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	drain(out)
	if err := cmd.Wait(); err == nil {
		t.Error("an interrupted demonstration ended with exit code 0")
	}
	noneOf(t, before)
}

// TestUp_Tied kills a foreground network without any chance to clean up.
func TestUp_Tied(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	cmd := exec.Command(filepath.Join(programs, "hos-testnet"), "up", "--foreground", "--shape", "single", "--dir", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	awaitLine(t, out, "The network is up")
	n := must(harness.Open(harness.Config{Dir: dir}))(t)
	before := n.State().Processes
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	drain(out)
	_ = cmd.Wait() // killed
	if err := n.AwaitNone(t.Context()); err != nil {
		t.Error(err)
	}
	noneOf(t, before)
}

// noneOf checks that none of the processes runs.
func noneOf(t *testing.T, marks map[string]harness.Mark) {
	t.Helper()
	for name, m := range marks {
		if m.Alive() {
			t.Errorf("%s (process %d) is left", name, m.PID)
			_ = syscall.Kill(m.PID, syscall.SIGKILL)
		}
	}
}

// TestFirstRun does what 'hos-testnet up' tells a newcomer to do: at most four
// hos commands to the open door.
func TestFirstRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	ctx, cancel := context.WithTimeout(t.Context(), testTime)
	defer cancel()
	said := testnet(t, ctx, 0, "up", "--dir", dir)
	n := must(harness.Open(harness.Config{Dir: dir}))(t)
	t.Cleanup(func() {
		if err := n.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	script, hos := "set -e\n", 0
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "export "):
			script += line + "\n"
		case strings.HasPrefix(line, "hos ") && hos < 4:
			script += line + " --yes --json\n"
			hos++
		}
		if strings.HasPrefix(line, "hos door open") {
			break
		}
	}
	if hos == 0 || hos > 4 || !strings.Contains(script, "hos door open") {
		t.Fatalf("%d hos commands were told:\n%s", hos, said)
	}
	pass := filepath.Join(t.TempDir(), "pass")
	if err := os.WriteFile(pass, []byte("a passphrase of a newcomer\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sh := exec.CommandContext(ctx, "sh", "-c", script)
	sh.Env = append(os.Environ(), "HOS_PASSPHRASE_FILE="+pass)
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	t.Logf("%d hos commands:\n%s", hos, script)
	moves := must(n.Actuations("dev1"))(t)
	if len(moves) != 1 || moves[0].Method != "open" {
		t.Fatalf("the bolt moved %v, not open once\n%s", moves, out)
	}
	managed(t, ctx, n, dir)
}

// managed looks after a network that an earlier invocation started.
func managed(t *testing.T, ctx context.Context, n *harness.Network, dir string) {
	t.Helper()
	var health []harness.Health
	if err := json.Unmarshal([]byte(testnet(t, ctx, 0, "status", "--json", "--dir", dir)), &health); err != nil {
		t.Fatal(err)
	}
	if len(health) != 7 || slices.ContainsFunc(health, func(h harness.Health) bool { return !h.OK }) {
		t.Errorf("health: %+v", health)
	}
	if out := testnet(t, ctx, 1, "up", "--dir", dir); !strings.Contains(out, "try: ") {
		t.Errorf("up twice: %s", out)
	}
	testnet(t, ctx, 0, "kill", "val4", "--dir", dir)
	testnet(t, ctx, 1, "status", "--dir", dir)
	testnet(t, ctx, 1, "kill", "val4", "--dir", dir)
	testnet(t, ctx, 0, "start", "val4", "--dir", dir)
	testnet(t, ctx, 1, "logs", "nosuch", "--dir", dir)
	if out := testnet(t, ctx, 0, "logs", "val4", "--dir", dir); !strings.Contains(out, "msg=") {
		t.Errorf("log: %q", out)
	}
	testnet(t, ctx, 0, "down", "--dir", dir)
	noneOf(t, must(harness.Open(harness.Config{Dir: dir}))(t).State().Processes)
	// It goes on where it was.
	testnet(t, ctx, 0, "up", "--dir", dir)
	again := must(harness.Open(harness.Config{Dir: dir}))(t)
	if s, err := again.AwaitDevice(ctx, "dev1", ownedAndAt(2)); err != nil {
		t.Errorf("after a restart the device says %+v: %v", s, err)
	}
	testnet(t, ctx, 0, "down", "--remove", "--dir", dir)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	testnet(t, ctx, 1, "down", "--dir", dir)
}

// testnet runs hos-testnet and returns all that it says.
func testnet(t *testing.T, ctx context.Context, exit int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(programs, "hos-testnet"), args...)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != exit {
		t.Fatalf("hos-testnet %v: exit code %d, want %d: %v\n%s%s", args, got, exit, err, out.Bytes(), talk.Bytes())
	}
	if exit != 0 {
		return talk.String()
	}
	return out.String()
}
