package harness

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// Talk is a run of hos that says something before it ends, such as the link for
// a phone.
type Talk struct {
	cmd  *exec.Cmd
	out  *bufio.Reader
	read bytes.Buffer // what Line has taken from standard output
	talk bytes.Buffer // standard error
}

// StartHos is Hos for a run that must be listened to while it goes on. The
// caller calls Wait, whatever happens; it ends with ctx.
func (n *Network) StartHos(ctx context.Context, p Person, args ...string) (*Talk, error) {
	t := &Talk{cmd: n.hos(ctx, p, args...)}
	t.cmd.Stderr = &t.talk
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	t.out = bufio.NewReader(out)
	return t, t.cmd.Start()
}

// Line reads standard output until a line holds some words, and gives it.
func (t *Talk) Line(words string) (string, error) {
	for {
		line, err := t.out.ReadString('\n')
		t.read.WriteString(line)
		if strings.Contains(line, words) {
			return strings.TrimSpace(line), nil
		}
		if err != nil {
			return "", fmt.Errorf("hos ended without a word of %q: %w", words, err)
		}
	}
}

// Wait reads the rest and gives how the run came out.
func (t *Talk) Wait() (Answer, error) {
	_, err := io.Copy(&t.read, t.out)
	err = errors.Join(err, unlessExit(t.cmd.Wait()))
	return Answer{Exit: t.cmd.ProcessState.ExitCode(), Out: t.read.Bytes(), Talk: t.talk.Bytes()}, err
}

// unlessExit takes an exit code for no error.
func unlessExit(err error) error {
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() >= 0 {
		return nil
	}
	return err
}
