// Package clock is a device's idea of the time of day: the latest of its
// hardware clock, the last verified ledger header, what it knew before the last
// power cut, and the day it was built.
//
// It is not a source of time for the ledger or for timeouts. Callers make one
// with New and ask Clock.Now.
//
// What must never change: Now never goes back while the process lives, for the
// replay window forgets what has expired.
package clock

import (
	"sync"
	"time"
)

// Clock is a device's clock; safe for concurrent use.
type Clock struct {
	hardware func() time.Time

	mu    sync.Mutex
	floor time.Time // the least that Now may say
	at    time.Time // what the hardware said when floor was set
}

// New makes a clock that never shows less than the floors (build time, stored
// time). hardware is time.Now outside tests.
func New(hardware func() time.Time, floors ...time.Time) *Clock {
	c := &Clock{hardware: hardware, at: hardware()}
	for _, f := range floors {
		c.Observe(f)
	}
	return c
}

// Observe raises the clock to t, the time of a verified header, if it is
// behind. Call it only with times that somebody trustworthy signed.
func (c *Clock) Observe(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if hw := c.hardware(); t.After(c.read(hw)) {
		c.floor, c.at = t, hw
	}
}

// Now is the device's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	hw := c.hardware()
	now := c.read(hw)
	c.floor, c.at = now, hw
	return now
}

// read runs on from the floor with the monotonic part of the hardware's time,
// so that a device without a clock battery still counts the seconds between
// headers. The caller holds mu.
func (c *Clock) read(hw time.Time) time.Time {
	now := c.floor.Add(max(hw.Sub(c.at), 0))
	if hw.After(now) {
		now = hw.Round(0)
	}
	return now
}
