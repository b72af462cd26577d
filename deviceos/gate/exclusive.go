package gate

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

// mark is the newest command that was begun on a part of the device which only
// one can have at a time, like a bolt: what was sent before it and comes after
// it must not undo it.
//
// Evolution: fields 1 to 4 are fixed; new ones are optional.
type mark struct {
	// At is when it was issued, or came if that was earlier: a sender whose clock
	// is ahead must not shut out all others until theirs have reached it.
	At    uint64    `cbor:"1,keyasint"` // Unix milliseconds
	Key   key.KeyID `cbor:"2,keyasint"`
	Salt  uint64    `cbor:"3,keyasint"` // with Key: its lane
	Nonce uint64    `cbor:"4,keyasint"`
}

// admits tells whether a command is not older than the mark: by the time it was
// issued, and in the same lane by its number.
func (m mark) admits(b *command.Body) error {
	if b.IssuedAt < m.At || b.Key == m.Key && b.Salt == m.Salt && b.Nonce < m.Nonce {
		return refuse(command.Superseded, "issued at %d, a command of %d has been begun", b.IssuedAt, m.At)
	}
	return nil
}

func resourceKey(name string) []byte { return vault.FamilyResource.Key([]byte(name)...) }

func (j *journal) loadMarks() error {
	return j.vault.Each(vault.FamilyResource, func(rest, value []byte) error {
		var m mark
		if err := codec.Unmarshal(value, &m, maxStored); err != nil {
			return fmt.Errorf("stored mark of %q: %w", rest, err)
		}
		j.marks[string(rest)] = m
		return nil
	})
}

// claims tells whether a command to a resource comes in time. A notarised one
// always does: its owners took their time to approve just this one. The caller
// holds mu.
func (j *journal) claims(resource string, b *command.Body) error {
	if resource == "" || b.Notarised() {
		return nil
	}
	return j.marks[resource].admits(b)
}

// take makes a command the newest on its resource. The caller holds mu.
func (j *journal) take(resource string, b *command.Body, ms uint64) []vault.Write {
	if resource == "" || b.Notarised() {
		return nil
	}
	m := mark{At: min(b.IssuedAt, ms), Key: b.Key, Salt: b.Salt, Nonce: b.Nonce}
	j.marks[resource] = m
	return []vault.Write{{Key: resourceKey(resource), Value: codec.MustMarshal(m)}}
}
