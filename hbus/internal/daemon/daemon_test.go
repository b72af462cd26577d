package daemon_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/face/native"
	"github.com/hybridos-net/hybridos/hbus/internal/daemon"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dir(t *testing.T) string {
	t.Helper()
	d, err := os.MkdirTemp("", "hbus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d) })
	return d
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommand_Serves(t *testing.T) {
	d := dir(t)
	agentPub, agent, _ := ed25519.GenerateKey(nil)
	doorPub, door, _ := ed25519.GenerateKey(nil)
	socket := filepath.Join(d, "bus.sock")
	cmd := daemon.Command()
	cmd.SetArgs([]string{
		"--socket", socket, "--json", "--agent-uid", strconv.Itoa(os.Getuid()),
		"--agent-key", write(t, filepath.Join(d, "agent"), hex.EncodeToString(agentPub)+"\n"),
		"--app-key", "door=" + write(t, filepath.Join(d, "door"), hex.EncodeToString(doorPub)),
	})
	r, w := io.Pipe()
	cmd.SetOut(w)
	cmd.SetErr(io.Discard)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	line, err := bufio.NewReader(r).ReadBytes('\n')
	var ready struct {
		Ready  bool
		Socket string
	}
	if err != nil || json.Unmarshal(line, &ready) != nil || !ready.Ready || ready.Socket != socket {
		t.Fatalf("ready line %s, %v", line, err)
	}
	for _, tc := range []struct {
		opts  client.Options
		agent bool
		want  error
	}{
		{client.Options{App: "agent", Key: agent}, true, nil},
		{client.Options{App: "door", Key: door}, false, nil},
		{client.Options{App: "door"}, false, msg.AppDenied},
	} {
		c, err := client.Dial(ctx, socket, tc.opts)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", tc.opts.App, err)
		}
		if c != nil {
			if c.Identity().Agent != tc.agent {
				t.Errorf("%s: %+v", tc.opts.App, c.Identity())
			}
			c.Close()
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket stays")
	}
}

func TestRun_Refusals(t *testing.T) {
	d := dir(t)
	socket := filepath.Join(d, "bus.sock")
	short := write(t, filepath.Join(d, "short"), "abcd")
	for name, cfg := range map[string]daemon.Config{
		"mode":        {Mode: "0777"},
		"mode text":   {Mode: "rw"},
		"no key file": {Mode: "0600", AgentKey: filepath.Join(d, "none")},
		"short key":   {Mode: "0600", AgentKey: short},
		"app form":    {Mode: "0600", AppKeys: []string{"door"}},
		"app key":     {Mode: "0600", AppKeys: []string{"door=" + short}},
	} {
		cfg.Socket = socket
		err := daemon.Run(t.Context(), cfg, io.Discard, io.Discard)
		if err == nil || daemon.Hint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	l, err := native.Listen(socket, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := daemon.Run(t.Context(), daemon.Config{Socket: socket, Mode: "0600"}, io.Discard, io.Discard); !errors.Is(err, native.ErrInUse) {
		t.Errorf("in use: %v", err)
	}
}
