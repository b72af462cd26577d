package vault

import "fmt"

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
	size   int
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
	if p.size, p.err = sizeOf(v.dir, writes); p.err != nil {
		p.turn <- true
		return p
	}
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
	group := v.take()
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

// write makes one group last. The first error stops the store: what is on disk
// is then a prefix of what was queued, and it must stay one.
func (v *Vault) write(group []*Pending) error {
	v.mu.Lock()
	err := v.err
	if v.closed {
		err = &Error{Kind: Closed, Dir: v.dir, Detail: "the store is closed"}
	}
	v.mu.Unlock()
	if err != nil {
		return err
	}
	var writes []Write
	size := 0
	for _, p := range group {
		writes = append(writes, p.writes...)
		size += p.size
	}
	if size == 0 {
		return nil
	}
	if err = v.log.append(writes); err != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.err = err
		close(v.failed)
	}
	return err
}

// take cuts off as much of the queue as fits in a group. The caller holds mu.
func (v *Vault) take() []*Pending {
	n, size := 0, 0
	for ; n < len(v.queue) && (n == 0 || size+v.queue[n].size <= maxGroup); n++ {
		size += v.queue[n].size
	}
	group := v.queue[:n:n]
	v.queue = v.queue[n:]
	if len(v.queue) == 0 {
		v.queue = nil
	}
	return group
}

// sizeOf checks writes against their caps and adds up their bytes.
func sizeOf(dir string, writes []Write) (int, error) {
	size := 0
	for _, w := range writes {
		if len(w.Key) == 0 || len(w.Key) > maxKey || len(w.Value) > maxValue {
			return 0, &Error{Kind: BadWrite, Dir: dir, Detail: fmt.Sprintf("key of %d and value of %d bytes", len(w.Key), len(w.Value))}
		}
		size += writeHead + len(w.Key) + len(w.Value)
	}
	if size > maxGroup {
		return 0, &Error{Kind: BadWrite, Dir: dir, Detail: fmt.Sprintf("%d bytes in one commit", size)}
	}
	return size, nil
}
