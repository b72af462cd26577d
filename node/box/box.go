// Package box is where a wallet and a phone leave each other sealed messages
// while the phone is added as a key: a box has five slots, and each is written
// once.
//
// It sees sealed bytes only and authenticates nobody: whoever knows a box's id,
// a hash of the secret that both sides share, may use it. Callers use New, then
// Boxes.Put and Boxes.Wait.
//
// What must never change: a slot that was written is never written again, so
// that nobody can replace a message that was read.
package box

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// ID names a box.
type ID [16]byte

// ErrBadName: not an id of 32 lower-case hex digits, or not a slot.
var ErrBadName = errors.New("no such box or slot can be")

// ParseID reads 32 lower-case hex digits: one name for each box.
func ParseID(s string) (id ID, err error) {
	if len(s) != 2*len(id) || strings.ToLower(s) != s {
		return id, ErrBadName
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return id, ErrBadName
	}
	return id, nil
}

// Slot is a place for one message.
type Slot uint8

// names are the slots in the order in which they are used.
var names = [...]string{"offer", "key", "tx", "proof", "done"}

// ParseSlot reads a slot's name.
func ParseSlot(s string) (Slot, error) {
	i := slices.Index(names[:], s)
	if i < 0 {
		return 0, ErrBadName
	}
	return Slot(i), nil
}

// String is the slot's name.
func (s Slot) String() string { return names[s] }

// The refusals of Put.
var (
	// ErrTaken: the slot was written before; nothing was changed.
	ErrTaken = errors.New("the slot was written before")
	// ErrFull: there are too many boxes, in all or of this client.
	ErrFull = errors.New("there are too many boxes")
)

// ErrNone: no message came in time.
var ErrNone = errors.New("there is no message")

// Boxes holds all boxes, in memory. Its methods may be called concurrently.
type Boxes struct {
	mu      sync.Mutex
	boxes   map[ID]*box
	bytes   int
	written chan struct{} // closed and replaced at each Put
}

type box struct {
	client string
	end    time.Time
	slots  [len(names)][]byte
	bytes  int
}

// New makes an empty set. Boxes whose time is over go when the set is used the
// next time, so that nothing has to run.
func New() *Boxes {
	return &Boxes{boxes: make(map[ID]*box), written: make(chan struct{})}
}

// Put writes a message of 1 to MaxMessage bytes, which Boxes keeps, for a
// client, whose name is only counted. The first message of a box makes it, for
// Life.
func (b *Boxes) Put(client string, id ID, slot Slot, message []byte) error {
	if len(message) == 0 || len(message) > MaxMessage {
		return errors.New("box: a message has 1 to 16384 bytes")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
	x, ok := b.boxes[id]
	if ok && x.slots[slot] != nil {
		return ErrTaken
	}
	if b.bytes+len(message) > maxBytes {
		return ErrFull
	}
	if !ok {
		if len(b.boxes) >= MaxBoxes || b.of(client) >= MaxOfClient {
			return ErrFull
		}
		x = &box{client: client, end: time.Now().Add(Life)}
		b.boxes[id] = x
	}
	x.slots[slot] = message
	x.bytes += len(message)
	b.bytes += len(message)
	close(b.written)
	b.written = make(chan struct{})
	return nil
}

// of counts the boxes of a client. There are few enough to look at all.
func (b *Boxes) of(client string) (n int) {
	for _, x := range b.boxes {
		if x.client == client {
			n++
		}
	}
	return n
}

// Wait gives the message in a slot as soon as it is there; ErrNone when ctx
// ends before. Waiting for a box that does not exist takes no memory here; the
// caller bounds how many wait. The bytes must not be changed.
func (b *Boxes) Wait(ctx context.Context, id ID, slot Slot) ([]byte, error) {
	for {
		message, written := b.look(id, slot)
		if message != nil {
			return message, nil
		}
		select {
		case <-written:
		case <-ctx.Done():
			return nil, ErrNone
		}
	}
}

// look gives the message, or nil and what is closed when one was written.
func (b *Boxes) look(id ID, slot Slot) ([]byte, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
	if x, ok := b.boxes[id]; ok {
		return x.slots[slot], b.written
	}
	return nil, b.written
}

// sweep removes the boxes whose time is over; mu is held.
func (b *Boxes) sweep() {
	now := time.Now()
	for id, x := range b.boxes {
		if !now.Before(x.end) {
			b.bytes -= x.bytes
			delete(b.boxes, id)
		}
	}
}
