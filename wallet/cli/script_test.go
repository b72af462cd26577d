package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hybridos-net/hybridos/chain/genesis"
)

// TestMain makes this test binary the command hos for the scripts: the real
// one, but for main's few lines.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hos": func() {
		os.Exit(New(Config{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Now: time.Now,
			Random: rand.Reader, Console: Terminal(os.Stdin, os.Stderr), Dial: Dial}).Run(context.Background(), os.Args[1:]))
	}})
}

// TestScript runs the stories that need no network.
func TestScript(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d scripts, %v; want 6 or more", len(files), err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			doc := genesis.Doc{ChainID: "hos-test", Time: 1_700_000_000,
				Validators: []genesis.Validator{{Name: "v", PubKey: make([]byte, 32)}}, Vendors: []genesis.Vendor{}}
			e.Setenv("HOS_HOME", filepath.Join(e.WorkDir, "home"))
			if err := os.WriteFile(filepath.Join(e.WorkDir, "genesis.json"), doc.JSON(), 0o600); err != nil {
				return err
			}
			doc.ChainID = "hos-other"
			return os.WriteFile(filepath.Join(e.WorkDir, "other.json"), doc.JSON(), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs a command and wants an exit code: exits CODE COMMAND ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("%v", err)
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var status *exec.ExitError
		if !errors.As(err, &status) {
			ts.Fatalf("%v", err)
		}
		got = status.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
