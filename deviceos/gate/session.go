package gate

import (
	"bytes"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// rightID names the right that a command uses.
type rightID struct {
	epoch uint64
	key   key.KeyID
	grant tx.ID // zero: as owner
}

func rightOf(b *command.Body) rightID {
	id := rightID{epoch: b.Epoch, key: b.Key}
	if b.Grant != nil {
		id.grant = *b.Grant
	}
	return id
}

// sessions remembers which peers have used which rights, so that their streams
// end with these.
type sessions struct {
	mu    sync.Mutex
	peers map[string]*session
}

// session is one peer's rights, each with what of the first command that was
// allowed by it names the right.
type session struct {
	used   time.Time
	rights map[rightID]*command.Command
}

// claimOf is what a command says of its right, in memory of its own: the bytes
// that came may be sixteen times as long.
func claimOf(c *command.Command) *command.Command {
	b := c.Body
	b.Params, b.Ext = nil, nil
	if body := c.Body.Ext[command.ExtGrantBody]; body != nil {
		b.Ext = map[uint64]codec.Raw{command.ExtGrantBody: bytes.Clone(body)}
	}
	claim := &command.Command{Body: b}
	for _, s := range c.Sigs {
		claim.Sigs = append(claim.Sigs, command.Sig{Key: s.Key})
	}
	return claim
}

// note records that a peer's command was allowed. The peer that has been quiet
// for longest makes room; its streams do nothing that the gate would not refuse.
func (s *sessions) note(peer string, c *command.Command, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peers[peer]
	if p == nil {
		if len(s.peers) >= maxSessions {
			s.forgetOldest()
		}
		p = &session{rights: make(map[rightID]*command.Command)}
		s.peers[peer] = p
	}
	id := rightOf(&c.Body)
	if _, held := p.rights[id]; !held && len(p.rights) < maxRights {
		p.rights[id] = claimOf(c)
	}
	p.used = now
}

// forgetOldest drops one peer. The caller holds mu.
func (s *sessions) forgetOldest() {
	oldest := ""
	for name, p := range s.peers {
		if o := s.peers[oldest]; o == nil || p.used.Before(o.used) {
			oldest = name
		}
	}
	delete(s.peers, oldest)
}

// sweep forgets every right that no longer holds and gives the peers that have
// none left.
func (s *sessions) sweep(holds func(*command.Command) error) (ended []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.peers {
		for id, c := range p.rights {
			if holds(c) != nil {
				delete(p.rights, id)
			}
		}
		if len(p.rights) == 0 {
			delete(s.peers, name)
			ended = append(ended, name)
		}
	}
	return ended
}

// Sweep gives the peers whose last right has ended since they used it: their
// grant was revoked or is over, their key is the owner's no more, or the device
// changed hands. Call it after Refresh and end their streams. Nothing depends on
// it but that they learn of it: what they send is refused anyway.
func (g *Gate) Sweep() []string {
	now := g.now()
	return g.sessions.sweep(func(c *command.Command) error {
		h, err := g.rights.lookup(c, now)
		if err != nil {
			return err
		}
		return h.permits(g.id, &c.Body, now)
	})
}
