package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/hbustest"
	"github.com/hybridos-net/hybridos/hbus/internal/cli"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T) *hbustest.Bus {
	t.Helper()
	bus := hbustest.Start(t)
	lock := bus.Dial(t, "lock")
	for name, h := range map[string]client.Handler{
		"lock/echo":   func(_ context.Context, c client.Call) (json.RawMessage, error) { return c.Params, nil },
		"lock/denied": func(context.Context, client.Call) (json.RawMessage, error) { return nil, msg.Denied },
		"lock/hang": func(ctx context.Context, _ client.Call) (json.RawMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	} {
		if err := lock.Register(t.Context(), name, h, client.AtEndpoint("front")); err != nil {
			t.Fatal(err)
		}
	}
	if err := lock.Register(t.Context(), "lock/open", nil, client.RequireVerified(), client.AtEndpoint("front")); err != nil {
		t.Fatal(err)
	}
	return bus
}

func TestRun(t *testing.T) {
	bus := serve(t)
	for _, tc := range []struct {
		args   string
		code   int
		stdout string
		stderr string
	}{
		{"call front lock/echo {\"a\":1.0}", 0, "{\"a\":1.0}\n", ""},
		{"call front lock/echo", 0, "null\n", ""},
		{"call front lock/denied", 1, "", "denied"},
		{"call front lock/open", 1, "", "unverified"},
		{"call front lock/hang --timeout 20ms", 1, "", "timeout"},
		{"call front lock/none", 3, "", "not_found"},
		{"call nowhere lock/echo", 3, "", "not_found"},
		{"call front lock/echo {", 2, "", "malformed"},
		{"call Front lock/echo", 2, "", "bad_name"},
		{"call front", 2, "", "accepts between"},
		{"call front lock/echo --timeout 0s", 2, "", "timeout"},
		{"call front lock/echo --nope", 2, "", "unknown flag"},
		{"nope", 2, "", "unknown command"},
		{"list nowhere", 3, "", "not_found"},
		{"list front", 0, "lock/denied", ""},
		{"list --json", 0, `"method":"lock/open","require_verified":true,"provider":{"app":"lock"`, ""},
		{"list --app hbus", 1, "", "app_denied"},
		{"--help", 0, "Available Commands", ""},
	} {
		var out, talk bytes.Buffer
		args := append([]string{"--socket", bus.Path}, strings.Fields(tc.args)...)
		code := cli.Run(t.Context(), args, &out, &talk)
		if code != tc.code || !strings.Contains(out.String(), tc.stdout) || !strings.Contains(talk.String(), tc.stderr) {
			t.Errorf("%s: code %d\nstdout %s\nstderr %s", tc.args, code, &out, &talk)
		}
		if (code != 0) != strings.Contains(talk.String(), "\ntry: ") {
			t.Errorf("%s: hint: %s", tc.args, &talk)
		}
	}
}

func TestRun_NoBroker(t *testing.T) {
	var out, talk bytes.Buffer
	code := cli.Run(t.Context(), []string{"list", "--socket", t.TempDir() + "/none"}, &out, &talk)
	if code != 1 || !strings.Contains(talk.String(), "try: start hbusd") {
		t.Errorf("code %d: %s", code, &talk)
	}
}

// signal tells of the first line on stderr: the command listens.
type signal struct{ ready chan struct{} }

func (s signal) Write(b []byte) (int, error) {
	select {
	case <-s.ready:
	default:
		close(s.ready)
	}
	return len(b), nil
}

// until cancels when its text has been printed: a listener of everything also
// prints who comes and goes.
type until struct {
	want   string
	cancel context.CancelFunc
	got    strings.Builder
}

func (u *until) Write(b []byte) (int, error) {
	u.got.Write(b)
	if strings.Contains(u.got.String(), u.want) {
		u.cancel()
	}
	return len(b), nil
}

func TestRun_Listen(t *testing.T) {
	bus := serve(t)
	door := bus.Dial(t, "door")
	for args, want := range map[string]string{
		"listen door/*":           "door/state\t{\"open\": true}\n",
		"listen door/* --count 1": "door/state\t{\"open\": true}\n",
		"monitor":                 "door/state\t{\"open\": true}\n",
		"listen --json *":         `"name":"door/state","from":{"app":"door"`,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		out := &until{want: want, cancel: cancel}
		ready, code := make(chan struct{}), make(chan int)
		go func() {
			code <- cli.Run(ctx, append(strings.Fields(args), "--socket", bus.Path), out, signal{ready: ready})
		}()
		<-ready
		if err := door.Publish(t.Context(), "door/state", json.RawMessage(`{"open": true}`)); err != nil {
			t.Fatal(err)
		}
		if c := <-code; c != 0 || !strings.Contains(out.got.String(), want) {
			t.Errorf("%s: code %d: %s", args, c, out.got.String())
		}
		cancel()
	}
}

func TestRun_ListenBusLost(t *testing.T) {
	bus := serve(t)
	ready, code := make(chan struct{}), make(chan int)
	go func() {
		code <- cli.Run(context.Background(), []string{"monitor", "--socket", bus.Path}, io.Discard, signal{ready: ready})
	}()
	<-ready
	bus.Stop()
	if c := <-code; c != cli.ExitFailed {
		t.Errorf("code %d", c)
	}
}
