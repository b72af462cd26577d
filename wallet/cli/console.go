package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// tty is a Console on the process's own terminal.
type tty struct {
	in  *os.File
	out io.Writer
}

var _ Console = (*tty)(nil)

// Terminal gives the person at in, or nil if in is no terminal. Prompts go to
// out.
func Terminal(in *os.File, out io.Writer) Console {
	if !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	return &tty{in: in, out: out}
}

// Secret asks for a line without showing it.
func (t *tty) Secret(ctx context.Context, prompt string) ([]byte, error) {
	fd := int(t.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	fmt.Fprint(t.out, prompt)
	defer fmt.Fprintln(t.out)
	return await(ctx, func() ([]byte, error) { return term.ReadPassword(fd) }, func() { _ = term.Restore(fd, before) })
}

// Line asks for a line.
func (t *tty) Line(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(t.out, prompt)
	return await(ctx, func() (string, error) {
		line, err := bufio.NewReader(io.LimitReader(t.in, 4096)).ReadString('\n')
		if errors.Is(err, io.EOF) && line != "" {
			err = nil
		}
		return line, err
	}, func() {})
}

// await lets an interrupt end a read that the system does not end. The reader
// is left behind; the process is about to exit.
func await[T any](ctx context.Context, read func() (T, error), restore func()) (T, error) {
	type result struct {
		v   T
		err error
	}
	ch := make(chan result, 1)
	go func() {
		v, err := read()
		ch <- result{v, err}
	}()
	select {
	case r := <-ch:
		return r.v, r.err
	case <-ctx.Done():
		restore()
		var zero T
		return zero, ctx.Err()
	}
}

// readAll reads at most limit bytes and refuses more.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return b, err
}
