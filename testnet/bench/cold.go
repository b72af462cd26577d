package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hybridos-net/hybridos/p2p/link"
)

// coldDials is how often a round begins from nothing.
const coldDials = 20

// coldRows is how long the first receipt takes for a sender that has no
// connection: dialling, the handshake, and one command. Each starts with a host
// of its own, as a program does that was just started.
func coldRows(ctx context.Context, o Options) ([]roundTripRow, error) {
	dir, err := os.MkdirTemp("", "hos-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	d, err := openDoor(dir + "/vault")
	if err != nil {
		return nil, err
	}
	defer d.close()
	ways := []struct {
		measured
		first func() (time.Duration, error)
	}{
		{measured{name: "slim stream"}, func() (time.Duration, error) { return d.firstBySlim(ctx) }},
		{measured{name: "raw TLS 1.3"}, func() (time.Duration, error) { return d.firstByTLS(ctx) }},
	}
	for round := range o.Rounds + 1 {
		for i := range ways {
			w := &ways[i]
			var s sample
			for range coldDials {
				took, err := w.first()
				if err != nil {
					return nil, fmt.Errorf("%s: %w", w.name, err)
				}
				s = append(s, took)
			}
			if round > 0 { // the first one warms up
				w.p50, w.p99 = append(w.p50, s.quantile(0.5)), append(w.p99, s.quantile(0.99))
			}
		}
	}
	rows := make([]roundTripRow, len(ways))
	for i, w := range ways {
		rows[i] = roundTripRow{Name: w.name, P50: median(w.p50), P99: median(w.p99)}
	}
	return rows, nil
}

// firstBySlim dials the door's host with a new one.
func (d *door) firstBySlim(ctx context.Context) (took time.Duration, err error) {
	t, err := openSlim(ctx, d.handle)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	s := t.(*slimTransport)
	h, err := newSlim()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	start := time.Now()
	l, err := link.Dial(ctx, h, s.hosts[0].Info())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if _, err := oneRound(ctx, d, linked{l}, 1, true); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// linked is a link as a transport.
type linked struct{ link *link.Link }

func (s linked) call(ctx context.Context, b []byte) ([]byte, error) { return s.link.Send(ctx, b) }

func (s linked) close() error { return s.link.Close() }

// firstByTLS counts from the dialling on.
func (d *door) firstByTLS(ctx context.Context) (took time.Duration, err error) {
	l, err := listenTLS(d.handle)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	t, err := l.dial()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if _, err := oneRound(ctx, d, t, 1, true); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}
