package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/mqttbridge"
	"github.com/hybridos-net/hybridos/mqttbridge/account"
	"github.com/hybridos-net/hybridos/mqttbridge/bridgetest"
	"github.com/hybridos-net/hybridos/mqttbridge/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "correct horse"

// box is a folder with a configuration file, and the command line over it.
type box struct {
	t      *testing.T
	config string
	device string
	cfg    Config
}

func newBox(t *testing.T) *box {
	t.Helper()
	k, err := key.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, config: filepath.Join(t.TempDir(), "bridge.toml"), device: k.Public().DeviceID().String()}
	b.cfg = Config{Random: rand.Reader, Cost: account.Cost{MemoryKiB: 8 << 10, Passes: 1, Lanes: 1}}
	text := "listen = \"127.0.0.1:0\"\nhome = \"home\"\n[[device]]\nid = \"" + b.device + "\"\nname = \"Front door\"\n"
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *box) call(in string, args ...string) (code int, out, talk string) {
	b.t.Helper()
	var o, e bytes.Buffer
	code = Main(b.t.Context(), b.cfg, append(args, "--config", b.config), strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

func TestAccountAdd(t *testing.T) {
	b := newBox(t)
	if code, out, talk := b.call(secret+"\n", "account", "add", "home"); code != 0 || !strings.HasPrefix(out, "added home for hosdev1") || talk != "" {
		t.Fatalf("code %d, %q, %q", code, out, talk)
	}
	path := filepath.Join(filepath.Dir(b.config), "home", "accounts.json")
	book, err := account.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := book.Lookup("home"); !ok || len(a.Devices) != 1 || a.Devices[0] != b.device {
		t.Errorf("account %+v", a)
	}
	for name, c := range map[string]struct {
		in   string
		args []string
		talk string
	}{
		"again":          {secret, []string{"account", "add", "home"}, "choose another name"},
		"short password": {"short\n", []string{"account", "add", "b"}, "longer password"},
		"no password":    {"", []string{"account", "add", "b"}, "longer password"},
		"bad name":       {secret, []string{"account", "add", "B"}, "name like"},
		"foreign device": {secret, []string{"account", "add", "b", "--device", "hosdev1x"}, "--device ID"},
		"no name":        {secret, []string{"account", "add"}, "--help"},
		"secret in argv": {"", []string{"account", "add", "b", secret}, "--help"},
		"unknown verb":   {"", []string{"dance"}, "--help"},
		"no verb":        {"", []string{}, "--help"},
		"half a verb":    {"", []string{"account"}, "--help"},
		"run, no link":   {"", []string{"run"}, "--help"},
	} {
		code, out, talk := b.call(c.in, c.args...)
		if code != 1 || out != "" || !strings.Contains(talk, "\ntry: ") || !strings.Contains(talk, c.talk) {
			t.Errorf("%s: code %d, %q, %q", name, code, out, talk)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, talk := b.call(secret, "account", "add", "c"); code != 1 || !strings.Contains(talk, "chmod 600") {
		t.Errorf("mode 0644: code %d, %q", code, talk)
	}
}

func TestKeyShow(t *testing.T) {
	b := newBox(t)
	code, first, _ := b.call("", "key", "show")
	if code != 0 {
		t.Fatalf("code %d", code)
	}
	if _, err := key.ParsePublic(strings.TrimSpace(first)); err != nil {
		t.Errorf("%q is no public key: %v", first, err)
	}
	if _, again, _ := b.call("", "key", "show"); again != first {
		t.Errorf("another key: %q and %q", first, again)
	}
	b.config = filepath.Join(t.TempDir(), "none.toml")
	if code, _, talk := b.call("", "key", "show"); code != 1 || !strings.Contains(talk, "try: --config FILE") {
		t.Errorf("no file: code %d, %q", code, talk)
	}
}

func TestRun(t *testing.T) {
	b := newBox(t)
	doors := bridgetest.NewDoors(b.device)
	unlinked := false
	b.cfg.Link = func(_ context.Context, _ settings.Settings, delegate *key.Private, _ *slog.Logger) (mqttbridge.Invoker, func() error, error) {
		if delegate == nil {
			return nil, nil, errors.New("no delegate key")
		}
		return doors, func() error { unlinked = true; return nil }, nil
	}
	if code, _, talk := b.call("", "run"); code != 1 || !strings.Contains(talk, "accounts file") {
		t.Errorf("no accounts: code %d, %q", code, talk)
	}
	if code, _, talk := b.call(secret, "account", "add", "home"); code != 0 {
		t.Fatal(talk)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, b.cfg, []string{"run", "--config", b.config}, strings.NewReader(""), in, io.Discard)
		_ = in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	if !ok {
		t.Fatalf("printed %q", line)
	}
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetUsername("home").SetPassword(secret).SetAutoReconnect(false))
	if tok := c.Connect(); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
		t.Fatalf("connect: %v", tok.Error())
	}
	c.Disconnect(10)
	cancel()
	if code := <-ended; code != 0 || !unlinked {
		t.Errorf("exit code %d, unlinked %v", code, unlinked)
	}
}

// TestHint_Machine: what the machine lacks is said, not where the manual is.
func TestHint_Machine(t *testing.T) {
	for err, want := range map[error]string{
		syscall.EADDRINUSE: "choose another for listen",
		syscall.ENOSPC:     "free space",
	} {
		if got := hint(fmt.Errorf("mqtt bridge: %w", &os.PathError{Op: "x", Path: "y", Err: err})); !strings.Contains(got, want) {
			t.Errorf("%v: %q", err, got)
		}
	}
}
