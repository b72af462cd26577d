package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run runs hosd and gives what it prints; a failure must be told with its next
// step.
func run(t *testing.T, dir, failure string, args ...string) string {
	t.Helper()
	cmd := exec.Command("hosd", args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case failure == "" && err != nil:
		t.Fatalf("hosd %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	case failure != "" && (err == nil || !strings.Contains(stderr.String(), failure) || !strings.Contains(stderr.String(), "\ntry: ")):
		t.Errorf("hosd %s: %v, want %q and a try: line\n%s", strings.Join(args, " "), err, failure, stderr.String())
	}
	return string(out)
}

// A state is carried in a file from one home to another, which goes on from
// there; what cannot be is told with what to do.
func TestExportImport(t *testing.T) {
	dir := t.TempDir()
	vendor := secret(t, "vendor")
	doc, peers := makeHomes(t, dir, vendor, 1)
	run(t, dir, "", "init", "--home", "new", "--name", "new", "--genesis", "genesis.json")
	run(t, dir, "there is no state yet", "export", "--home", "0", "--out", "x")
	p := startHome(t, dir, 0, peers)
	<-p.step
	for i := range 5 {
		post(t, p, register(t, doc, vendor, i))
	}
	run(t, dir, "another hosd runs", "export", "--home", "0", "--out", "x")
	if err := p.end(os.Interrupt); err != nil {
		t.Fatalf("%v\n%s", err, p.text())
	}

	run(t, dir, "no file to write", "export", "--home", "0")
	run(t, dir, `format "xml"`, "export", "--home", "0", "--format", "xml")
	run(t, dir, "height -1", "export", "--home", "0", "--out", "x", "--height", "-1")
	run(t, dir, "no such height", "export", "--home", "0", "--out", "x", "--height", "9999")
	out := run(t, dir, "", "export", "--home", "0", "--out", "state", "--json")
	run(t, dir, "file already exists", "export", "--home", "0", "--out", "state")
	lines := run(t, dir, "", "export", "--home", "0", "--format", "jsonl")
	if strings.Count(lines, `{"record":"device"`) == 0 || !strings.HasPrefix(lines, `{"ledger":"hos-kill"`) {
		t.Errorf("as JSON: %s", lines)
	}
	run(t, dir, "", "export", "--home", "0", "--format", "jsonl", "--out", "lines")

	run(t, dir, "is not a home", "import", "--home", "none", "--from", "state")
	run(t, dir, "no file to read", "import", "--home", "new")
	run(t, dir, "no such file", "import", "--home", "new", "--from", "none")
	run(t, dir, "trust-hash", "import", "--home", "new", "--from", "state", "--trust-hash", "12")
	run(t, dir, "no such header", "import", "--home", "new", "--from", "state", "--trust-hash", strings.Repeat("00", 32))
	run(t, dir, "not a whole exported state", "import", "--home", "new", "--from", "lines")
	run(t, dir, "holds a state already", "import", "--home", "0", "--from", "state")
	other := filepath.Join(dir, "other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	makeHomes(t, other, vendor, 1)
	run(t, dir, "of another ledger", "import", "--home", filepath.Join("other", "0"), "--from", "state")
	if got := run(t, dir, "", "import", "--home", "new", "--from", "state", "--json"); got != out {
		t.Errorf("imported %s, exported %s", got, out)
	}
	run(t, dir, "", "doctor", "--home", "new")

	p = startHome(t, dir, 0, peers)
	q, err := spawn(dir, os.Environ(), "--home", "new", "--p2p-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
		"--mesh-listen", "127.0.0.1:0", "--p2p-peers", peers[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.cmd.Process.Kill() })
	<-q.step
	for _, p := range []*proc{p, q} {
		if err := p.end(os.Interrupt); err != nil {
			t.Errorf("%v\n%s", err, p.text())
		}
	}
}
