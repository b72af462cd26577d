package keystore

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/store/durable"
)

// childEnv makes this test binary the process that changes a passphrase and is
// killed at the stage that the variable names.
const childEnv = "HOS_TEST_KEYSTORE_CHILD"

var nextPass = []byte("a new passphrase")

func TestMain(m *testing.M) {
	if arg := os.Getenv(childEnv); arg != "" {
		stage, path, _ := strings.Cut(arg, "|")
		if err := changeAndHang(path, durable.Stage(stage)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// changeAndHang says when it has reached the stage and then waits to be
// killed; its standard input never ends before that.
func changeAndHang(path string, stage durable.Stage) error {
	s, err := New(Config{Path: path, Writer: durable.Writer{Step: func(at durable.Stage) {
		if at == stage {
			fmt.Println("reached")
			_, _ = io.Copy(io.Discard, os.Stdin)
		}
	}}})
	if err != nil {
		return err
	}
	_, err = s.ChangePassphrase(context.Background(), pass, nextPass)
	return err
}

// TestChangePassphrase_Kill kills a real process at each stage of a change: the
// key survives under exactly one of the two passphrases, the lock is free, and
// the change can be made again.
func TestChangePassphrase_Kill(t *testing.T) {
	for _, stage := range durable.Stages() {
		t.Run(string(stage), func(t *testing.T) {
			s, info := created(t)
			killAt(t, s.Path(), stage)
			works := pass
			if stage == durable.AfterRename {
				works = nextPass
			}
			r, err := s.Unlock(works)
			if err != nil {
				t.Fatalf("the key is lost: %v", err)
			}
			defer r.Zero()
			if !r.Active().Public().Equal(info.Active) {
				t.Error("another key came out")
			}
			if _, err := s.ChangePassphrase(t.Context(), works, pass); err != nil {
				t.Fatalf("change after the kill: %v", err)
			}
			left, err := filepath.Glob(filepath.Join(filepath.Dir(s.Path()), ".*"))
			if err != nil || len(left) != 0 {
				t.Errorf("leftovers %v, %v", left, err)
			}
		})
	}
}

// TestCreate_AfterLeftover: the half-made file of a killed writer is neither
// taken for a key nor left behind.
func TestCreate_AfterLeftover(t *testing.T) {
	s := newStore(t)
	leftover := filepath.Join(filepath.Dir(s.Path()), ".owner.key.tmp-1")
	if err := os.WriteFile(leftover, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), pass, nil, key.AccountID{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(leftover); !os.IsNotExist(err) {
		t.Errorf("the leftover is still there (%v)", err)
	}
}

func killAt(t *testing.T, path string, stage durable.Stage) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+string(stage)+"|"+path)
	child.Stderr = os.Stderr
	hold, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadString('\n')
	killErr := child.Process.Kill()
	_ = child.Wait()
	if readErr != nil || killErr != nil || strings.TrimSpace(line) != "reached" {
		t.Fatalf("child said %q (%v), kill: %v", line, readErr, killErr)
	}
}
