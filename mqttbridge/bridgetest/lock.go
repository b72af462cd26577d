// Package bridgetest has what tests of the bridge need: locks that live in
// memory in the place of devices on the mesh.
//
// It is not part of the bridge and no program imports it. Entry points: NewDoors
// and its Lock. What must never change: a lock that has no grant for the bridge
// does nothing and says so.
package bridgetest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/hybridos-net/hybridos/mqttbridge"
)

// ErrUnreachable is what Invoke returns for a lock that is switched off.
var ErrUnreachable = errors.New("bridgetest: lock does not answer")

// Doors is a set of locks by device id. It is an Invoker, safe for concurrent
// use.
type Doors struct {
	mu    sync.Mutex
	locks map[string]*Lock
	count int
}

var _ mqttbridge.Invoker = (*Doors)(nil)

// NewDoors makes locked, granted locks of these device ids.
func NewDoors(devices ...string) *Doors {
	d := &Doors{locks: map[string]*Lock{}}
	for _, id := range devices {
		d.locks[id] = &Lock{doors: d, state: "locked", granted: true, calls: map[string]int{}}
	}
	return d
}

// Lock gives the lock of that device id.
func (d *Doors) Lock(device string) *Lock {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.locks[device]
}

// Lock is one lock in memory.
type Lock struct {
	doors   *Doors
	state   string
	granted bool
	off     bool
	hold    chan struct{}
	calls   map[string]int
}

// Calls counts the calls of a method that the lock carried out.
func (l *Lock) Calls(method string) int {
	l.doors.mu.Lock()
	defer l.doors.mu.Unlock()
	return l.calls[method]
}

// Grant gives the bridge its grant or takes it away.
func (l *Lock) Grant(granted bool) {
	l.doors.mu.Lock()
	defer l.doors.mu.Unlock()
	l.granted = granted
}

// Switch turns the lock on or off.
func (l *Lock) Switch(on bool) {
	l.doors.mu.Lock()
	defer l.doors.mu.Unlock()
	l.off = !on
}

// Hold makes all calls but state wait until the returned function is called.
func (l *Lock) Hold() (release func()) {
	gate := make(chan struct{})
	l.doors.mu.Lock()
	defer l.doors.mu.Unlock()
	l.hold = gate
	return sync.OnceFunc(func() { close(gate) })
}

// Invoke implements mqttbridge.Invoker.
func (d *Doors) Invoke(ctx context.Context, device, endpoint, method string, _ []byte) (mqttbridge.Outcome, error) {
	l := d.Lock(device)
	if l == nil {
		return mqttbridge.Outcome{}, ErrUnreachable
	}
	d.mu.Lock()
	hold := l.hold
	d.mu.Unlock()
	if hold != nil && method != "state" {
		select {
		case <-hold:
		case <-ctx.Done():
			return mqttbridge.Outcome{}, context.Cause(ctx)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.off {
		return mqttbridge.Outcome{}, ErrUnreachable
	}
	d.count++
	id := sha256.Sum256(fmt.Appendf(nil, "command %d", d.count))
	out := mqttbridge.Outcome{CommandID: id[:], Status: mqttbridge.StatusRejected}
	next, known := map[string]string{"open": "unlocked", "unlock": "unlocked", "lock": "locked", "state": l.state}[method]
	switch {
	case !l.granted:
		out.Code = "no-grant"
	case endpoint != "lock" || !known:
		out.Code = "unknown-method"
	default:
		l.state = next
		l.calls[method]++
		out.Status, out.Code = mqttbridge.StatusExecuted, "ok"
		out.Result, _ = json.Marshal(map[string]string{"state": l.state})
	}
	out.Receipt = fmt.Appendf(nil, "receipt %d %s %s %s", d.count, method, out.Status, out.Code)
	return out, nil
}
