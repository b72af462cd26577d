package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// spec is how a process is started.
type spec struct {
	program string
	args    []string
	ready   string // begins the line on its standard output that says so
}

// process is one that runs, started by us or by an earlier invocation.
type process struct {
	name  string
	mark  Mark
	done  chan struct{} // closed at its end; nil if it is no child of ours
	err   error         // how it ended, after done
	asked bool          // it was told to end
}

// Mark finds a process again.
type Mark struct {
	PID   int    `json:"pid"`
	Birth string `json:"birth"`
}

// Alive reports whether that very process runs.
func (m Mark) Alive() bool { return m.PID > 0 && m.Birth != "" && birth(m.PID) == m.Birth }

func (p *process) alive() bool {
	if p.done == nil {
		return p.mark.Alive()
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// start starts a program whose output goes to two files, and returns when it
// runs. tied processes die with this one, where the system can do that.
func start(name, bin string, s spec, logs string, tied bool) (*process, error) {
	out, err := os.OpenFile(outFile(logs, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	log, err := os.OpenFile(logFile(logs, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(bin, s.program), s.args...)
	cmd.Stdout, cmd.Stderr = out, log
	session(cmd)
	p := &process{name: name, done: make(chan struct{})}
	began := make(chan error)
	go func() {
		if tied {
			// The leash is held by this thread, which must live as long.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			leash(cmd)
		}
		err := cmd.Start()
		began <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-began; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.mark = Mark{PID: cmd.Process.Pid, Birth: birth(cmd.Process.Pid)}
	return p, nil
}

func logFile(logs, name string) string { return filepath.Join(logs, name+".log") }
func outFile(logs, name string) string { return filepath.Join(logs, name+".out") }

// awaitReady returns the line with which the process says that it is ready.
func (p *process) awaitReady(ctx context.Context, prefix, logs string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, StartTime)
	defer cancel()
	for {
		alive := p.alive() // before the look: a last line is not missed
		b, err := os.ReadFile(outFile(logs, p.name))
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, prefix) && strings.HasSuffix(line, "\n") {
				return strings.TrimSpace(line), nil
			}
		}
		if !alive {
			return "", p.crash(logs)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%s is not ready: %w\nlast lines of %s:\n%s", p.name, context.Cause(ctx), logFile(logs, p.name), tail(logs, p.name))
		case <-time.After(look):
		}
	}
}

func (p *process) crash(logs string) error {
	err := p.err
	if err == nil {
		err = errors.New("exit status 0")
	}
	return &CrashError{Name: p.name, Log: logFile(logs, p.name), Tail: tail(logs, p.name), Err: err}
}

// stop ends the process: by asking first, unless hard, and by force if that
// does not help. ctx only shortens the asking; the process is gone at return.
func (p *process) stop(ctx context.Context, hard bool) error {
	if !p.alive() {
		return nil
	}
	if err := signalGroup(p.mark.PID, hard); err != nil {
		return fmt.Errorf("end %s: %w", p.name, err)
	}
	if !hard {
		asking, cancel := context.WithTimeout(ctx, stopTime)
		defer cancel()
		if p.wait(asking) == nil {
			return nil
		}
		if err := signalGroup(p.mark.PID, true); err != nil {
			return fmt.Errorf("end %s: %w", p.name, err)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := p.wait(last); err != nil {
		return fmt.Errorf("%s (process %d) does not end: %w", p.name, p.mark.PID, err)
	}
	return nil
}

func (p *process) wait(ctx context.Context) error {
	for p.alive() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.done: // nil, and never ready, for no child of ours
		case <-time.After(look):
		}
	}
	return nil
}

// tail is the end of a process's log, what it printed included.
func tail(logs, name string) string {
	var b bytes.Buffer
	for _, file := range []string{outFile(logs, name), logFile(logs, name)} {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		if info, err := f.Stat(); err == nil && info.Size() > maxTail {
			_, _ = f.Seek(-maxTail, io.SeekEnd)
		}
		_, _ = io.Copy(&b, io.LimitReader(f, maxTail))
		f.Close()
	}
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-tailLines):], "\n  ")
}

// run runs a program to its end and gives what it printed.
func run(ctx context.Context, bin, program string, stdin string, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader(stdin)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(talk.String()))
	}
	return out, nil
}
