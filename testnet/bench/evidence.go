package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/light/lighttest"
	"github.com/hybridos-net/hybridos/chain/state"
)

// evidenceRow is what evidence costs for a device behind some blocks.
type evidenceRow struct {
	Validators int
	Changed    int           // validators replaced since the device's head
	Messages   int           // that it took: what has no room goes with the next
	Headers    int           // in all
	Bytes      int           // in all
	CPU        time.Duration // of the device, for all
}

const (
	// evidenceRecords is how many records the state has, evidenceReads how many of
	// them a command needs, each of evidenceValue bytes: device, account, changes of
	// keys, policy, grant and the one above it.
	evidenceRecords, evidenceReads, evidenceValue = 20_000, 6, 400
	// evidenceRepeats makes a figure above the clock's grain.
	evidenceRepeats = 10
)

// evidenceFigures measures ledgers in memory with real signatures and proofs.
func evidenceFigures(ctx context.Context, rounds int) (rows []evidenceRow, err error) {
	t := new(failing)
	defer func() {
		t.clean()
		if p := recover(); p != nil {
			failed, ok := p.(failure)
			if !ok {
				panic(p)
			}
			err = failed
		}
	}()
	for _, n := range []int{4, 21, 100} {
		for _, changed := range []int{0, n/2 + 1} {
			row, err := evidenceFor(ctx, t, n, changed, rounds)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func evidenceFor(ctx context.Context, t testing.TB, n, changed, rounds int) (row evidenceRow, err error) {
	c := lighttest.New(t, n)
	for i := range evidenceRecords {
		c.Set(fmt.Appendf(nil, "x%06d", i), make([]byte, evidenceValue))
	}
	c.Seal()
	start, err := lead(ctx, c, light.Head{})
	if err != nil {
		return row, err
	}
	first, err := clientAt(c, start)
	if err != nil {
		return row, err
	}
	for range changed {
		c.ReplaceOne()
		c.Advance(lighttest.Interval)
	}
	c.Seal()
	var all [][]byte
	for at := first.Head(); at.Height < c.Height(); {
		more, err := lead(ctx, c, at)
		if err != nil {
			return row, err
		}
		all = append(all, more...)
		next, err := clientAt(c, append(start, all...))
		if err != nil {
			return row, err
		}
		at = next.Head()
	}
	row = evidenceRow{Validators: n, Changed: changed, Messages: len(all)}
	for _, raw := range all {
		e, err := light.DecodeEvidence(raw, light.CommandCaps)
		if err != nil {
			return row, err
		}
		row.Headers, row.Bytes = row.Headers+len(e.Blocks), row.Bytes+len(raw)
	}
	row.CPU, err = presenting(c, start, all, rounds)
	return row, err
}

// lead gathers one message of evidence.
func lead(ctx context.Context, c *lighttest.Chain, from light.Head) ([][]byte, error) {
	e, err := light.Gather(ctx, light.Gathering{Genesis: c.Doc, Source: c, Now: c.Now, From: from, Read: func(v state.View) error {
		for i := range evidenceReads {
			if _, err := v.Get(fmt.Appendf(nil, "x%06d", i*evidenceRecords/evidenceReads)); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	return [][]byte{e.Bytes()}, nil
}

// clientAt is a client without a network that was shown evidence.
func clientAt(c *lighttest.Chain, shown [][]byte) (*light.Client, error) {
	cl, err := light.New(light.Config{Genesis: c.Doc, Source: unasked{}, Now: c.Now})
	if err != nil {
		return nil, err
	}
	for _, raw := range shown {
		if err := cl.Present(raw, nil); err != nil {
			return nil, err
		}
	}
	return cl, nil
}

// presenting gives the processor time of evidence at a device that stands at
// start.
func presenting(c *lighttest.Chain, start, all [][]byte, rounds int) (time.Duration, error) {
	var cpu []time.Duration
	for range rounds {
		clients := make([]*light.Client, evidenceRepeats)
		for i := range clients {
			var err error
			if clients[i], err = clientAt(c, start); err != nil {
				return 0, err
			}
		}
		used := ownCPU()
		for _, cl := range clients {
			for _, raw := range all {
				if err := cl.Present(raw, nil); err != nil {
					return 0, err
				}
			}
		}
		cpu = append(cpu, (ownCPU()-used)/evidenceRepeats)
	}
	return median(cpu), nil
}

// failing stands in for a test, so that ledgers in memory can be had without one:
// what would fail a test panics with a failure.
type failing struct {
	testing.TB
	cleanups []func()
}

// failure is what a test would have failed with.
type failure string

func (f failure) Error() string { return string(f) }

func (f *failing) Helper() {}

func (f *failing) Fatal(args ...any) { panic(failure(fmt.Sprint(args...))) }

func (f *failing) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }

func (f *failing) clean() {
	for i := len(f.cleanups) - 1; i >= 0; i-- {
		f.cleanups[i]()
	}
	f.cleanups = nil
}
