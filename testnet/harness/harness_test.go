package harness

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/testnet/manifest"
)

func goodState() *State {
	return &State{Version: stateVersion, Manifest: manifest.Default(), Programs: "/bin",
		Nodes:     []Node{{Name: "val1", Home: "/n/val1", Validator: true, P2P: "id@127.0.0.1:1", Mesh: []string{"/ip4/127.0.0.1/tcp/2/p2p/x"}, HTTP: "http://127.0.0.1:3"}},
		Processes: map[string]Mark{"val1": {PID: 1234567, Birth: "1"}},
	}
}

func TestState_RoundTrip(t *testing.T) {
	dir := t.TempDir()
	want := goodState()
	if err := want.save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := loadState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Nodes, got.Nodes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want.Processes, got.Processes); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(filepath.Join(dir, stateFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the state file has mode %v: %v", info.Mode(), err)
	}
}

func TestState_Refusals(t *testing.T) {
	raw, err := json.Marshal(goodState())
	if err != nil {
		t.Fatal(err)
	}
	good := string(raw)
	for name, text := range map[string]string{
		"empty": "", "cut off": good[:len(good)/2], "unknown name": strings.Replace(good, `"programs"`, `"program"`, 1),
		"no version": strings.Replace(good, `"version":1`, `"version":0`, 1), "no manifest": `{"version":1}`,
		"process 1": strings.Replace(good, "1234567", "1", 1), "negative process": strings.Replace(good, "1234567", "-1", 1),
		"oversized": good + strings.Repeat(" ", maxState), "not an object": "[]",
	} {
		if _, err := parseState([]byte(text)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	newer := strings.Replace(good, `"version":1`, `"version":2`, 1)
	if _, err := parseState([]byte(newer)); !errors.Is(err, ErrNewer) {
		t.Errorf("a later version: %v", err)
	}
	if _, err := parseState(raw); err != nil {
		t.Error(err)
	}
}

func FuzzParseState(f *testing.F) {
	raw, err := json.Marshal(goodState())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"version":1,"processes":{"x":{"pid":-5}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseState(b)
		if err != nil {
			return
		}
		for name, m := range s.Processes {
			if m.PID <= 1 {
				t.Errorf("process %s with number %d", name, m.PID)
			}
		}
	})
}

// script makes a program of a shell script.
func script(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prog"), []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestProcess_ReadyAndStop(t *testing.T) {
	dir := script(t, "echo starting\necho ready now\nexec sleep 1000\n")
	p, err := start("a", dir, spec{program: "prog"}, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	line, err := p.awaitReady(t.Context(), "ready ", dir)
	if err != nil || line != "ready now" {
		t.Fatalf("line %q: %v", line, err)
	}
	if !p.mark.Alive() {
		t.Error("it is not seen by its mark")
	}
	if other := (Mark{PID: p.mark.PID, Birth: p.mark.Birth + "0"}); other.Alive() && p.mark.Birth != "alive" {
		t.Error("a process of the same number and another birth is taken for it")
	}
	if err := p.stop(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if p.alive() || p.mark.Alive() {
		t.Error("it runs after stop")
	}
}

// TestProcess_Stubborn kills what does not end when asked, with its children.
func TestProcess_Stubborn(t *testing.T) {
	dir := script(t, "trap '' TERM\nsleep 1000 &\necho ready $!\nwait\n")
	p, err := start("a", dir, spec{program: "prog"}, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	line, err := p.awaitReady(t.Context(), "ready ", dir)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimPrefix(line, "ready "))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.stop(ctx, false); err != nil {
		t.Fatal(err)
	}
	if p.mark.Alive() {
		t.Error("it runs after stop")
	}
	if err := (&process{name: "child", mark: Mark{PID: child, Birth: birth(child)}}).wait(t.Context()); err != nil {
		t.Errorf("its child runs after stop: %v", err)
	}
}

func TestProcess_Crash(t *testing.T) {
	dir := script(t, "echo out\necho the cause >&2\nexit 3\n")
	p, err := start("a", dir, spec{program: "prog"}, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.awaitReady(t.Context(), "ready ", dir)
	var crash *CrashError
	var ended *exec.ExitError
	if !errors.As(err, &crash) || !errors.As(err, &ended) || ended.ExitCode() != 3 {
		t.Fatalf("error %v is not the crash", err)
	}
	if crash.Name != "a" || !strings.Contains(crash.Tail, "the cause") || !strings.Contains(crash.Tail, "out") {
		t.Errorf("crash %+v does not tell the last lines", crash)
	}
}

func TestProcess_NeverReady(t *testing.T) {
	dir := script(t, "printf 'ready but no line'\nexec sleep 1000\n")
	p, err := start("a", dir, spec{program: "prog"}, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.awaitReady(ctx, "ready ", dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if err := p.stop(t.Context(), true); err != nil {
		t.Error(err)
	}
	if _, err := start("b", dir, spec{program: "nosuch"}, dir, true); err == nil {
		t.Error("a missing program was started")
	}
}

// TestOpen_PIDReused: a later process with a number of ours is none of ours.
func TestOpen_PIDReused(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s := goodState()
	s.Processes["val1"] = Mark{PID: cmd.Process.Pid, Birth: "1"}
	if err := s.save(dir); err != nil {
		t.Fatal(err)
	}
	n, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if birth(cmd.Process.Pid) == "alive" {
		return // this system cannot tell them apart
	}
	if got := n.Running(); len(got) != 0 {
		t.Errorf("%v run", got)
	}
	if err := n.Down(t.Context()); err != nil {
		t.Error(err)
	}
	if err := n.Kill(t.Context(), "val1"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("kill: %v", err)
	}
	if birth(cmd.Process.Pid) == "" {
		t.Error("a stranger's process was ended")
	}
}

func TestNew_Refusals(t *testing.T) {
	dir := t.TempDir()
	for _, p := range programs {
		if err := os.WriteFile(filepath.Join(dir, p), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	used := t.TempDir()
	if err := goodState().save(used); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  Config
		want error
	}{
		"manifest":     {Config{Dir: t.TempDir(), Programs: dir}, manifest.ErrInvalid},
		"no programs":  {Config{Dir: t.TempDir(), Programs: t.TempDir(), Manifest: manifest.Default()}, ErrNoProgram},
		"other files":  {Config{Dir: full, Programs: dir, Manifest: manifest.Default()}, ErrNotEmpty},
		"is a network": {Config{Dir: used, Programs: dir, Manifest: manifest.Default()}, ErrExists},
	} {
		if _, err := New(c.cfg); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := Open(Config{Dir: full}); !errors.Is(err, ErrNoNetwork) {
		t.Errorf("open: %v", err)
	}
	n, err := Open(Config{Dir: used})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context(), "nosuch"); !errors.Is(err, ErrNoProcess) {
		t.Errorf("start: %v", err)
	}
	if err := n.Stop(t.Context(), "nosuch"); !errors.Is(err, ErrNoProcess) {
		t.Errorf("stop: %v", err)
	}
}

func TestSpec_KnowsPorts(t *testing.T) {
	s := goodState()
	s.Nodes = append(s.Nodes, Node{Name: "val2", Home: "/n/val2"})
	n := newNetwork(Config{Dir: "/n"}, s)
	first, _, err := n.spec("val2")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(first.args, " ")
	if !strings.Contains(text, "--p2p-listen 127.0.0.1:0") || !strings.Contains(text, "--p2p-peers id@127.0.0.1:1") {
		t.Errorf("a first start: %s", text)
	}
	again, _, err := n.spec("val1")
	if err != nil {
		t.Fatal(err)
	}
	text = strings.Join(again.args, " ")
	for _, want := range []string{"--p2p-listen 127.0.0.1:1 ", "--mesh-listen 127.0.0.1:2 ", "--http-listen 127.0.0.1:3 "} {
		if !strings.Contains(text, want) {
			t.Errorf("a later start lacks %q: %s", want, text)
		}
	}
}

func TestOutside(t *testing.T) {
	for dir, want := range map[string]bool{"": false, "/n/bus": false, "/n": false, "/tmp/x": true, "/nn": true} {
		if outside("/n", dir) != want {
			t.Errorf("outside(%q) is not %t", dir, want)
		}
	}
}
