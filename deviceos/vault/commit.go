package vault

import (
	"errors"

	"github.com/hybridos-net/hybridos/chain/store/kv"
)

// Write is one change: a new value, or a removal if Value is nil.
type Write struct {
	Key   []byte
	Value []byte
}

// Pending is a set of writes that has its place in the order but may not be on
// disk yet. Wait must be called, once, by one goroutine.
type Pending struct {
	vault  *Vault
	writes []Write
	err    error
	// turn gets true when the writes are done (err is set), false when this
	// waiter is to write the next group.
	turn chan bool
}

// Commit applies all writes or none and returns when they are on disk.
func (v *Vault) Commit(writes ...Write) error { return v.Queue(writes...).Wait() }

// Queue gives the writes their place behind all that were queued before. It
// does not block, so that callers can queue under their own lock and wait
// outside it. The slices must not be changed until Wait returns.
func (v *Vault) Queue(writes ...Write) *Pending {
	p := &Pending{vault: v, writes: writes, turn: make(chan bool, 1)}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.queue = append(v.queue, p)
	if !v.writing {
		v.writing = true
		p.turn <- false
	}
	return p
}

// Wait returns when the writes are on disk or the store has failed. One of the
// waiters writes for all: those who come while the disk is busy share the next
// fsync.
func (p *Pending) Wait() error {
	if done := <-p.turn; done {
		return p.err
	}
	v := p.vault
	v.mu.Lock()
	group := v.queue
	v.queue = nil
	v.mu.Unlock()
	err := v.write(group)
	for _, member := range group {
		if member != p {
			member.err = err
			member.turn <- true
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.queue) > 0 {
		v.queue[0].turn <- false
	} else {
		v.writing = false
	}
	return err
}

func (v *Vault) write(group []*Pending) error {
	batch := v.db.NewBatch()
	for _, p := range group {
		for _, w := range p.writes {
			var err error
			if w.Value == nil {
				err = batch.Delete(w.Key)
			} else {
				err = batch.Set(w.Key, w.Value)
			}
			if err != nil {
				return errors.Join(err, batch.Close())
			}
		}
	}
	return batch.Commit(kv.Sync)
}
