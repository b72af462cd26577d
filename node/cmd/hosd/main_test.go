package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"hosd": main}) }

// TestScripts runs the stories of testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			for i := range 4 {
				addr, err := freeAddr()
				if err != nil {
					return err
				}
				e.Setenv(fmt.Sprintf("ADDR%d", i), addr)
			}
			e.Setenv("VENDOR", secret(t, "vendor").Public().String())
			e.Values[procsKey{}] = map[string]*proc{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"start": cmdStart, "stop": cmdStop, "occupy": cmdOccupy},
	})
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

type procsKey struct{}

// proc is a hosd process of its own.
type proc struct {
	cmd   *exec.Cmd
	ready string        // its ready line
	step  chan struct{} // closed when it is in step with the network

	mu  sync.Mutex
	log strings.Builder
	eof chan struct{}
}

// spawn starts "hosd start" and returns when it is ready or has ended.
func spawn(dir string, env []string, args ...string) (*proc, error) {
	p := &proc{cmd: exec.Command("hosd", append([]string{"start"}, args...)...), step: make(chan struct{}), eof: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, env
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.follow(stderr)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		<-p.eof
		return nil, fmt.Errorf("hosd ended: %v\n%s", p.cmd.Wait(), p.text())
	}
	p.ready = strings.TrimSpace(line)
	return p, nil
}

func (p *proc) follow(r io.Reader) {
	defer close(p.eof)
	in := false
	for s := bufio.NewScanner(r); s.Scan(); {
		p.mu.Lock()
		p.log.WriteString(s.Text() + "\n")
		p.mu.Unlock()
		if !in && strings.Contains(s.Text(), `msg="in step with the network"`) {
			in = true
			close(p.step)
		}
	}
}

func (p *proc) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// end sends a signal and waits for the end.
func (p *proc) end(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	<-p.eof
	return p.cmd.Wait()
}

// field reads name=value from the ready line.
func (p *proc) field(name string) string {
	for _, f := range strings.Fields(p.ready) {
		if v, ok := strings.CutPrefix(f, name+"="); ok {
			return v
		}
	}
	return ""
}

// cmdStart is "start HOME [flags]": hosd in the background, in step.
func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: start HOME [flags]")
	}
	env := append(os.Environ(), "HOSD_HTTP_LISTEN=127.0.0.1:0", "HOSD_MESH_LISTEN=127.0.0.1:0", "HOSD_P2P_LISTEN=127.0.0.1:0")
	p, err := spawn(ts.MkAbs("."), env, append([]string{"--home", args[0]}, args[1:]...)...)
	ts.Check(err)
	ts.Value(procsKey{}).(map[string]*proc)[args[0]] = p
	ts.Defer(func() { _ = p.cmd.Process.Kill() })
	select {
	case <-p.step:
	case <-p.eof:
		ts.Fatalf("hosd ended: %s", p.text())
	}
}

// cmdStop is "stop HOME [kill]".
func cmdStop(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(procsKey{}).(map[string]*proc)[args[0]]
	if len(args) == 2 && args[1] == "kill" {
		_ = p.end(os.Kill)
		return
	}
	if err := p.end(os.Interrupt); (err != nil) != neg {
		ts.Fatalf("%v\n%s", err, p.text())
	}
}

// cmdOccupy is "occupy ADDR": somebody else listens there.
func cmdOccupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", args[0])
	ts.Check(err)
	ts.Defer(func() { l.Close() })
}
