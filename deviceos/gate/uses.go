package gate

import (
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

// count is how often a grant was used. A command counts for its grant and for
// each that this was given on from, when its intent is written: neither a
// refusal by the actuator nor a power cut gives a use back.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type count struct {
	Used     uint64   `cbor:"1,keyasint"`
	Times    []uint64 `cbor:"2,keyasint,omitempty"` // of those within the rate's period, Unix milliseconds
	NotAfter uint64   `cbor:"3,keyasint"`           // end of the grant, Unix seconds; forgotten only then
}

// charge is a count as it will be.
type charge struct {
	id    tx.ID
	count count
}

func useKey(id tx.ID) []byte { return vault.FamilyUse.Key(id[:]...) }

func (j *journal) loadUses() error {
	return j.vault.Each(vault.FamilyUse, func(rest, value []byte) error {
		var c count
		if err := codec.Unmarshal(value, &c, maxStored); err != nil {
			return fmt.Errorf("stored uses %x: %w", rest, err)
		}
		if len(rest) != len(tx.ID{}) {
			return fmt.Errorf("stored uses under %x", rest)
		}
		j.uses[tx.ID(rest)] = c
		return nil
	})
}

// charges gives what one more command makes of the counts of all grants that
// bind it, or the refusal by the first that allows no more. It changes nothing.
// The caller holds mu.
func (j *journal) charges(limits []limit, ms uint64) ([]charge, error) {
	var out []charge
	for _, l := range limits {
		g := l.grant
		if g.Uses == 0 && g.Rate == nil {
			continue
		}
		c := j.uses[l.id]
		if g.Uses > 0 && c.Used >= g.Uses {
			return nil, refuse(command.UsedUp, "grant %s was used %d times, as often as it may", l.id, c.Used)
		}
		next := count{Used: c.Used + 1, NotAfter: g.NotAfter}
		if g.Rate != nil {
			next.Times = slices.DeleteFunc(slices.Clone(c.Times), func(t uint64) bool { return t+1000*uint64(g.Rate.Period) <= ms })
			if len(next.Times) >= int(g.Rate.Count) {
				return nil, refuse(command.GrantRate, "grant %s was used %d times in %d s", l.id, len(next.Times), g.Rate.Period)
			}
			next.Times = append(next.Times, ms)
		}
		out = append(out, charge{l.id, next})
	}
	return out, nil
}

// roomForUses makes place for counts of grants that have none yet, at the cost
// only of grants whose time is over. The caller holds mu.
func (j *journal) roomForUses(charges []charge, ms uint64) ([]vault.Write, error) {
	fresh := 0
	for _, c := range charges {
		if _, ok := j.uses[c.id]; !ok {
			fresh++
		}
	}
	if fresh == 0 || len(j.uses)+fresh <= maxCounted {
		return nil, nil
	}
	var writes []vault.Write
	for id, c := range j.uses {
		if c.NotAfter < ms/1000 {
			delete(j.uses, id)
			writes = append(writes, vault.Write{Key: useKey(id)})
		}
	}
	if len(j.uses)+fresh > maxCounted {
		return nil, refuse(command.RateLimited, "uses of %d grants are counted", len(j.uses))
	}
	return writes, nil
}

// spend makes the counts what charges said. The caller holds mu.
func (j *journal) spend(charges []charge) []vault.Write {
	var writes []vault.Write
	for _, c := range charges {
		j.uses[c.id] = c.count
		writes = append(writes, vault.Write{Key: useKey(c.id), Value: codec.MustMarshal(c.count)})
	}
	return writes
}
