package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// programs is the directory of the programs, built once per run.
var programs string

// commands are what is built.
var commands = []string{
	"./node/cmd/hosd", "./hbus/cmd/hbusd", "./deviceos/cmd/hos-agent", "./deviceos/cmd/hos-lock",
	"./wallet/cmd/hos", "./mqttbridge/cmd/hos-bridge", "./testnet/cmd/hos-testnet",
}

// TestMain builds the programs. Networks are tied to this process and each test
// puts its own down, so that nothing outlives a run.
func TestMain(m *testing.M) {
	code, err := withPrograms(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withPrograms(m *testing.M) (int, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return 1, err
	}
	if err := touchSources(root); err != nil {
		return 1, err
	}
	if programs, err = os.MkdirTemp("", "hos-e2e-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(programs)
	build := exec.Command("go", append([]string{"build", "-o", programs + string(filepath.Separator)}, commands...)...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// touchSources looks at every source file, so that the test cache knows that the
// result depends on them: it cannot see what the build reads.
func touchSources(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"), d.Name() == "go.mod", d.Name() == "go.sum":
			_, err = os.Stat(path)
		}
		return err
	})
}

// testTime bounds one test.
const testTime = 3 * time.Minute

// up brings a network up for a test and down at its end.
func up(t *testing.T, m manifest.Manifest) (*harness.Network, context.Context) {
	t.Helper()
	return upWith(t, programs, m, testTime)
}

// upWith does so with programs of its own and a bound of its own.
func upWith(t *testing.T, programs string, m manifest.Manifest, bound time.Duration) (*harness.Network, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	return upOf(t, ctx, harness.Config{Programs: programs, Manifest: m}), ctx
}

// upOf is up with all that a network can be told.
func upOf(t *testing.T, ctx context.Context, cfg harness.Config) *harness.Network {
	t.Helper()
	cfg.Dir, cfg.Tied, cfg.Tell = filepath.Join(t.TempDir(), "net"), true, t.Logf
	n, err := harness.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Down(context.Background()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			tellLogs(t, n)
		}
	})
	if err := n.Up(ctx); err != nil {
		t.Fatal(err)
	}
	return n
}

// tellLogs shows the end of each log, since the directory goes with the test.
func tellLogs(t *testing.T, n *harness.Network) {
	for _, name := range n.Names() {
		t.Logf("%s:\n%s", name, n.Tail(name))
	}
}

// shape is a network that has a name.
func shape(t *testing.T, name string) manifest.Manifest {
	t.Helper()
	m, ok := manifest.Shape(name)
	if !ok {
		t.Fatalf("no shape %s", name)
	}
	return m
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
