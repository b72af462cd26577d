package bench

import (
	"context"
	"fmt"
	"os"
	"time"
)

// roundTripRow is the comparison of the transports in one mode.
type roundTripRow struct {
	Name     string
	P50, P99 time.Duration // medians over the rounds
}

// measured is a transport in the comparison.
type measured struct {
	name string
	t    transport
	p50  []time.Duration
	p99  []time.Duration
}

// roundTrips measures signed commands over each transport, round by round in
// turn, so that noise of the machine meets all alike. With gate, the real gate
// stands at the end; without, an echo, which leaves the transport alone.
func roundTrips(ctx context.Context, o Options, gate bool) ([]roundTripRow, error) {
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
	h := handler(d.handle)
	if !gate {
		h = echoDoor
	}
	all, err := openAll(ctx, dir, h)
	defer func() {
		for _, m := range all {
			m.t.close()
		}
	}()
	if err != nil {
		return nil, err
	}
	for round := range o.Rounds + 1 {
		for _, m := range all {
			s, err := oneRound(ctx, d, m.t, o.Commands, gate)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			if round > 0 { // the first one warms up
				m.p50, m.p99 = append(m.p50, s.quantile(0.5)), append(m.p99, s.quantile(0.99))
			}
		}
	}
	rows := make([]roundTripRow, len(all))
	for i, m := range all {
		rows[i] = roundTripRow{Name: m.name, P50: median(m.p50), P99: median(m.p99)}
	}
	return rows, nil
}

func openAll(ctx context.Context, dir string, h handler) ([]*measured, error) {
	var all []*measured
	for _, c := range []struct {
		name string
		open func() (transport, error)
	}{
		{"slim stream", func() (transport, error) { return openSlim(ctx, h) }},
		{"raw TLS 1.3", func() (transport, error) { return openTLS(ctx, h) }},
		{"mosquitto QoS 1", func() (transport, error) { return openMosquitto(ctx, dir, h) }},
	} {
		t, err := c.open()
		if err != nil {
			return all, fmt.Errorf("%s: %w", c.name, err)
		}
		all = append(all, &measured{name: c.name, t: t})
	}
	return all, nil
}

// oneRound signs beforehand and verifies after, as both cost the same on every
// transport.
func oneRound(ctx context.Context, d *door, t transport, n int, gate bool) (sample, error) {
	var s sample
	for range n {
		cmd, err := d.sign()
		if err != nil {
			return nil, err
		}
		raw := cmd.Bytes()
		call, cancel := context.WithTimeout(ctx, 10*time.Second)
		start := time.Now()
		answer, err := t.call(call, raw)
		s = append(s, time.Since(start))
		cancel()
		if err != nil {
			return nil, err
		}
		if gate {
			if err := d.check(answer, cmd.ID(d.chain)); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}
