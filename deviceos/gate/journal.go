package gate

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

// record is a command that the device has begun; without a receipt it is an
// intent.
//
// Evolution: fields 1 to 7 are fixed; new ones are optional.
type record struct {
	Sum     [sha256.Size]byte `cbor:"1,keyasint"` // of the bytes as they came
	Expires uint64            `cbor:"2,keyasint"` // of the command, or later if it ends one that lives longer
	Epoch   uint64            `cbor:"3,keyasint"`
	Receipt []byte            `cbor:"4,keyasint,omitempty"`
	Key     key.KeyID         `cbor:"5,keyasint"` // who sent it
	Ends    *ended            `cbor:"6,keyasint,omitempty"`
	Command []byte            `cbor:"7,keyasint,omitempty"` // without evidence; of an intent, for the trail
}

// tail is the end of the receipt chain.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type tail struct {
	Counter uint64 `cbor:"1,keyasint"`
	Hash    []byte `cbor:"2,keyasint"` // of the last receipt
}

// entry is a record as far as memory holds it.
type entry struct {
	id      command.ID
	sum     [sha256.Size]byte
	expires uint64
	epoch   uint64
	key     key.KeyID
	ends    *ended
	command []byte        // as it will stand in the trail; nil once it does
	done    chan struct{} // closed when the receipt is stored, or never will be
}

func (e *entry) stored() []byte { return vault.FamilyCommand.Key(e.id[:]...) }

// write is the entry on the disk, with its receipt if it has one.
func (e *entry) write(receipt []byte) vault.Write {
	return vault.Write{Key: e.stored(), Value: codec.MustMarshal(record{
		Sum: e.sum, Expires: e.expires, Epoch: e.epoch, Receipt: receipt, Key: e.key, Ends: e.ends, Command: e.command,
	})}
}

// journal is the device's memory of commands: what was begun, what became of
// it, which nonces are used. Everything is on disk before it counts.
type journal struct {
	vault *vault.Vault
	limit int

	mu      sync.Mutex
	entries map[command.ID]*entry
	order   []*entry // as they expire
	ended   map[command.ID][]*ended
	latest  uint64 // what has expired by now may be forgotten, Unix milliseconds
	gone    uint64 // what expired until then may have been forgotten, Unix milliseconds
	lanes   map[laneID]*lane
	perKey  map[key.KeyID]int
	uses    map[tx.ID]count
	marks   map[string]mark // by resource

	// chain orders receipts; it is never held while waiting for the disk.
	chain sync.Mutex
	tail  tail
}

func openJournal(v *vault.Vault, limit int) (*journal, error) {
	j := &journal{
		vault: v, limit: limit, entries: make(map[command.ID]*entry),
		lanes: make(map[laneID]*lane), perKey: make(map[key.KeyID]int),
		uses: make(map[tx.ID]count), marks: make(map[string]mark), ended: make(map[command.ID][]*ended),
	}
	err := v.Each(vault.FamilyCommand, func(rest, value []byte) error {
		var r record
		if err := codec.Unmarshal(value, &r, maxStored); err != nil || len(rest) != len(command.ID{}) {
			return fmt.Errorf("stored command %x: %w", rest, cmp.Or(err, error(command.Malformed)))
		}
		e := &entry{id: command.ID(rest), sum: r.Sum, expires: r.Expires, epoch: r.Epoch, key: r.Key, ends: r.Ends, command: r.Command, done: make(chan struct{})}
		if r.Receipt != nil {
			close(e.done)
		}
		j.remember(e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = v.Each(vault.FamilyLane, func(rest, value []byte) error {
		id, l, err := decodeLane(rest, value)
		if err != nil {
			return fmt.Errorf("stored lane %x: %w", rest, err)
		}
		j.lanes[id] = l
		j.perKey[id.key]++
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(j.loadUses(), j.loadMarks()); err != nil {
		return nil, err
	}
	floor, err := loadTime(v) // of the last intent, with which commands were forgotten
	if err != nil {
		return nil, err
	}
	if !floor.IsZero() {
		j.gone = uint64(floor.UnixMilli())
	}
	raw, err := v.Get(vault.FamilyTail.Key())
	if err != nil || raw == nil {
		return j, err
	}
	return j, codec.Unmarshal(raw, &j.tail, maxStored)
}

// remember puts an entry where it is found. The caller holds mu.
func (j *journal) remember(e *entry) {
	j.entries[e.id] = e
	// Nearly all live equally long, and come at the end.
	at := len(j.order)
	for at > 0 && j.order[at-1].expires > e.expires {
		at--
	}
	j.order = slices.Insert(j.order, at, e)
	if e.ends != nil {
		j.ended[e.ends.Command] = append(j.ended[e.ends.Command], e.ends)
	}
}

// drop takes out an entry but for its place in the order. The caller holds mu.
func (j *journal) drop(e *entry) {
	delete(j.entries, e.id)
	if e.ends == nil {
		return
	}
	rest := slices.DeleteFunc(j.ended[e.ends.Command], func(o *ended) bool { return o == e.ends })
	if j.ended[e.ends.Command] = rest; len(rest) == 0 {
		delete(j.ended, e.ends.Command)
	}
}

func (j *journal) count() uint64 {
	j.chain.Lock()
	defer j.chain.Unlock()
	return j.tail.Counter
}

func (j *journal) find(id command.ID) *entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries[id]
}

// forgot tells whether a command that is not known may have been begun: known
// commands are forgotten some time after they have expired. All that one then
// can say is that it will not be run again.
func (j *journal) forgot(expires uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return expires <= j.gone
}

// open lists the intents that have no receipt.
func (j *journal) open() []*entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []*entry
	for _, e := range j.order {
		select {
		case <-e.done:
		default:
			out = append(out, e)
		}
	}
	return out
}

// peek refuses a nonce that could not be reserved, and changes nothing.
func (j *journal) peek(b *command.Body) error {
	if b.Notarised() {
		return nil // it takes no number
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.laneOf(b).check(b.Nonce)
}

func (j *journal) laneOf(b *command.Body) lane {
	if l := j.lanes[laneID{b.Key, b.Salt}]; l != nil {
		return *l
	}
	return lane{}
}

// reserve begins a command: its intent and its nonce are on disk when it
// returns without an error. A command that has been begun already is returned
// as known.
func (j *journal) reserve(r *request, now time.Time) (e, known *entry, err error) {
	j.mu.Lock()
	if known := j.entries[r.id]; known != nil {
		j.mu.Unlock()
		return nil, known, nil
	}
	e, writes, err := j.begin(r, now)
	if err != nil {
		j.mu.Unlock()
		return nil, nil, err
	}
	pending := j.vault.Queue(writes...)
	j.mu.Unlock()
	if err := pending.Wait(); err != nil {
		j.forget(e)
		return nil, nil, refuse(command.Internal, "store the intent: %v", err)
	}
	return e, nil, nil
}

// begin makes the entry and the writes of an intent. The caller holds mu.
func (j *journal) begin(r *request, now time.Time) (*entry, []vault.Write, error) {
	b := &r.cmd.Body
	// Another command may have come in between since now was read, and forgotten
	// what had expired by its own time, this very command perhaps.
	ms := max(uint64(now.UnixMilli()), j.latest)
	j.latest = ms
	if b.Expires <= ms {
		return nil, nil, refuse(command.Expired, "expired at %d, now %d", b.Expires, ms)
	}
	ends, until, err := j.ends(r, ms)
	if err == nil {
		err = cmp.Or(j.checkEnded(r.id, b.Key), j.claims(r.resource, b), j.roomForLong(b.Key, until, ms))
	}
	if err != nil {
		return nil, nil, err
	}
	writes, err := j.charge(r, ms)
	if err != nil {
		return nil, nil, err
	}
	e := &entry{id: r.id, sum: r.sum, expires: until, epoch: b.Epoch, key: b.Key, ends: ends, command: r.cmd.Bare().Bytes(), done: make(chan struct{})}
	j.remember(e)
	return e, append(append(writes, j.take(r.resource, b, ms)...), e.write(nil),
		vault.Write{Key: vault.FamilyTime.Key(), Value: binary.BigEndian.AppendUint64(nil, ms)}), nil
}

// charge takes what a command uses up: a place in memory, uses of its grants, a
// number of its lane. It changes nothing if it refuses. The caller holds mu.
func (j *journal) charge(r *request, ms uint64) ([]vault.Write, error) {
	b := &r.cmd.Body
	l := j.laneOf(b)
	if !b.Notarised() {
		if err := l.check(b.Nonce); err != nil {
			return nil, err
		}
	}
	var charges []charge
	if b.Type == command.TypeInvoke {
		var err error
		if charges, err = j.charges(r.holder.grants, ms); err != nil {
			return nil, err
		}
	}
	writes, err := j.roomForUses(charges, ms)
	if err != nil {
		return nil, err
	}
	writes = append(writes, j.prune(ms)...)
	if len(j.order) >= j.limit {
		return nil, refuse(command.RateLimited, "%d commands are remembered", len(j.order))
	}
	if !b.Notarised() {
		number, err := j.number(b, l, ms)
		if err != nil {
			return nil, err
		}
		writes = append(writes, number...)
	}
	return append(writes, j.spend(charges)...), nil
}

// number marks a command's number as used in its lane l, for which it makes room
// if it is new. The caller holds mu.
func (j *journal) number(b *command.Body, l lane, ms uint64) ([]vault.Write, error) {
	id := laneID{b.Key, b.Salt}
	var writes []vault.Write
	if j.lanes[id] == nil {
		var err error
		if writes, err = j.room(id.key, ms); err != nil {
			return nil, err
		}
		j.perKey[id.key]++
	}
	l.mark(b.Nonce, b.Expires)
	j.lanes[id] = &l
	return append(writes, vault.Write{Key: id.stored(), Value: codec.MustMarshal(l)}), nil
}

// prune forgets commands that expired long ago, or at all where room is short.
// The caller holds mu. What is forgotten in memory only comes back as a receipt
// after a restart, so a lost write does no harm.
func (j *journal) prune(ms uint64) []vault.Write {
	var writes []vault.Write
	for len(j.order) > 0 && len(writes) < pruneBatch {
		e := j.order[0]
		short := len(j.order) >= j.limit
		if e.expires >= ms || !short && ms-e.expires < uint64(keep.Milliseconds()) {
			break
		}
		select {
		case <-e.done:
		default:
			return writes // still running
		}
		j.order[0] = nil
		j.order = j.order[1:]
		j.drop(e)
		j.gone = max(j.gone, e.expires)
		writes = append(writes, vault.Write{Key: e.stored()})
	}
	return writes
}

// room makes place for one more lane of a key, at the cost only of lanes whose
// commands have all expired: those can be replayed no more. The caller holds
// mu.
func (j *journal) room(k key.KeyID, ms uint64) ([]vault.Write, error) {
	if j.perKey[k] < MaxLanesPerKey && len(j.lanes) < MaxLanes {
		return nil, nil
	}
	var writes []vault.Write
	for id, l := range j.lanes {
		if l.Expires > ms {
			continue
		}
		delete(j.lanes, id)
		if j.perKey[id.key]--; j.perKey[id.key] == 0 {
			delete(j.perKey, id.key)
		}
		writes = append(writes, vault.Write{Key: id.stored()})
	}
	if j.perKey[k] >= MaxLanesPerKey || len(j.lanes) >= MaxLanes {
		return nil, refuse(command.TooManyLanes, "%d lanes of %s, %d in all", j.perKey[k], k, len(j.lanes))
	}
	return writes, nil
}

// forget takes out an entry whose intent could not be stored.
func (j *journal) forget(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.drop(e)
	j.order = slices.DeleteFunc(j.order, func(o *entry) bool { return o == e })
	close(e.done)
}

// finish gives an entry its receipt, which sign makes of its place in the
// chain. Receipt and end of the chain are on disk when it returns without an
// error.
func (j *journal) finish(e *entry, sign func(counter uint64, prev []byte) *command.Receipt) ([]byte, error) {
	defer close(e.done)
	j.chain.Lock()
	receipt := sign(j.tail.Counter+1, j.tail.Hash)
	hash := receipt.Hash()
	raw := receipt.Bytes()
	j.tail = tail{Counter: j.tail.Counter + 1, Hash: hash[:]}
	writes := j.trail(j.tail.Counter, raw, e.command)
	e.command = nil
	pending := j.vault.Queue(append(writes, e.write(raw), vault.Write{Key: vault.FamilyTail.Key(), Value: codec.MustMarshal(j.tail)})...)
	j.chain.Unlock()
	if err := pending.Wait(); err != nil {
		return nil, refuse(command.Internal, "store the receipt: %v", err)
	}
	return raw, nil
}

// receipt waits until an entry is finished and reads what was stored.
func (j *journal) receipt(ctx context.Context, e *entry) ([]byte, error) {
	select {
	case <-e.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	raw, err := j.vault.Get(e.stored())
	if err != nil {
		return nil, err
	}
	var r record
	if err := codec.Unmarshal(raw, &r, maxStored); err != nil {
		return nil, err
	}
	if r.Receipt == nil {
		return nil, fmt.Errorf("command %s has no receipt", e.id)
	}
	return bytes.Clone(r.Receipt), nil
}

func loadTime(v *vault.Vault) (time.Time, error) {
	raw, err := v.Get(vault.FamilyTime.Key())
	if err != nil || raw == nil {
		return time.Time{}, err
	}
	if len(raw) != 8 {
		return time.Time{}, fmt.Errorf("stored time of %d bytes", len(raw))
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(raw))), nil
}
