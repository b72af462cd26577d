package gate

import (
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
)

// ended is a command that must not be begun any more, part of the record of the
// command that cancelled it.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type ended struct {
	Command command.ID `cbor:"1,keyasint"`
	Key     key.KeyID  `cbor:"2,keyasint"` // who cancelled
	Owner   bool       `cbor:"3,keyasint"` // as the owner: whosever the command is
}

// ends makes of a command what it cancels; nil if it is no cancel, and the time
// for which its entry must be remembered. The caller holds the journal's mu.
func (j *journal) ends(r *request, ms uint64) (*ended, uint64, error) {
	b := &r.cmd.Body
	c, ok := b.Cancel()
	if !ok {
		return nil, b.Expires, nil
	}
	if c.Until > ms+command.MaxSealedLife+uint64(MaxAhead.Milliseconds()) {
		return nil, 0, refuse(command.LifeTooLong, "no command lives until %d", c.Until)
	}
	if _, begun := j.entries[c.Command]; begun {
		return nil, 0, refuse(command.TooLate, "%s has been begun", c.Command)
	}
	return &ended{Command: c.Command, Key: b.Key, Owner: len(r.holder.grants) == 0}, max(b.Expires, c.Until), nil
}

// checkEnded refuses a command that was cancelled by its own key or by the
// owner. The caller holds mu.
func (j *journal) checkEnded(id command.ID, by key.KeyID) error {
	for _, e := range j.ended[id] {
		if e.Owner || e.Key == by {
			return refuse(command.Cancelled, "by %s", e.Key)
		}
	}
	return nil
}

// roomForLong bounds what must be remembered for longer than commands usually
// live, for each key and in all. The caller holds mu.
func (j *journal) roomForLong(by key.KeyID, until, ms uint64) error {
	usual := ms + command.MaxLife + uint64(MaxAhead.Milliseconds())
	if until <= usual {
		return nil
	}
	all, own := 0, 0
	for i := len(j.order) - 1; i >= 0 && j.order[i].expires > usual; i-- {
		if all++; j.order[i].key == by {
			own++
		}
	}
	if all >= maxLong || own >= maxLongPerKey {
		return refuse(command.RateLimited, "%d commands are remembered for long, %d of them of %s", all, own, by)
	}
	return nil
}
