package lock

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
)

// Actuation is one line of a bolt's log.
type Actuation struct {
	N       uint64     `json:"n"` // counts from 1
	Method  string     `json:"method"`
	Command command.ID `json:"command"`
	Time    time.Time  `json:"time"`
}

// Bolt simulates a bolt: it has moved when a line is on disk, so that its log
// is the actuator's own count. Real hardware implements Actuator in its place.
type Bolt struct {
	now func() time.Time

	mu    sync.Mutex
	file  *os.File
	size  int64 // of whole lines
	state State
	done  map[command.ID]bool
	order []command.ID
	err   error // what made the log unreliable
}

var _ Actuator = (*Bolt)(nil)

// OpenBolt opens or creates the log. A line that a power cut left unfinished
// never was an actuation and is removed.
func OpenBolt(path string, now func() time.Time) (_ *Bolt, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	b := &Bolt{now: now, file: f, state: State{Position: Locked}, done: make(map[command.ID]bool)}
	r := bufio.NewReaderSize(f, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("actuation log %s: line %d: %w", path, b.state.Count+1, err)
		}
		if err := b.replay(line); err != nil {
			return nil, fmt.Errorf("actuation log %s: line %d: %w", path, b.state.Count+1, err)
		}
	}
	if err := f.Truncate(b.size); err != nil {
		return nil, err
	}
	return b, f.Sync()
}

func (b *Bolt) replay(line []byte) error {
	var a Actuation
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return err
	}
	if a.N != b.state.Count+1 {
		return fmt.Errorf("number %d", a.N)
	}
	if _, ok := after(a.Method); !ok {
		return fmt.Errorf("method %q", a.Method)
	}
	b.size += int64(len(line))
	b.apply(a)
	return nil
}

func (b *Bolt) apply(a Actuation) {
	b.state.Count = a.N
	b.state.Position, _ = after(a.Method)
	b.done[a.Command] = true
	b.order = append(b.order, a.Command)
	if len(b.order) > maxRemembered {
		delete(b.done, b.order[0])
		b.order = b.order[1:]
	}
}

// after is the bolt's position after a method.
func after(method string) (p Position, ok bool) {
	switch method {
	case "lock":
		return Locked, true
	case "open", "unlock":
		return Unlocked, true
	}
	return "", false
}

// State reads without moving.
func (b *Bolt) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// Actuate moves the bolt, unless it has for this command.
func (b *Bolt) Actuate(method string, id command.ID) (State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.state, b.err
	}
	if _, ok := after(method); !ok {
		return b.state, fmt.Errorf("the bolt cannot %q", method)
	}
	if b.done[id] {
		return b.state, nil
	}
	a := Actuation{N: b.state.Count + 1, Method: method, Command: id, Time: b.now().UTC()}
	line, err := json.Marshal(a)
	if err != nil {
		return b.state, err
	}
	line = append(line, '\n')
	_, err = b.file.WriteAt(line, b.size)
	if err == nil {
		err = b.file.Sync()
	}
	if err != nil {
		return b.state, b.undo(err)
	}
	b.size += int64(len(line))
	b.apply(a)
	return b.state, nil
}

// undo takes a line back that may be on disk in part. If that fails too, the
// log says nothing certain any more and the bolt refuses to move.
func (b *Bolt) undo(cause error) error {
	if err := errors.Join(b.file.Truncate(b.size), b.file.Sync()); err != nil {
		b.err = fmt.Errorf("%w: %w", ErrUnclear, errors.Join(cause, err))
		return b.err
	}
	return fmt.Errorf("actuation log: %w", cause)
}

// Close releases the log.
func (b *Bolt) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.file.Close()
}
