package agent

import (
	"context"
	"errors"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// errMadeRoom is why a conversation ended that had shown no secret when another
// one came.
var errMadeRoom = errors.New("made room for another conversation")

// places bounds the pairing conversations. Whoever has not shown the secret of
// the code holds a place only until it is needed: strangers who call and say
// nothing must not keep the owner from pairing. Each peer has one place.
type places struct {
	most int

	mu   sync.Mutex
	open []*place // oldest first
}

// place is one conversation's.
type place struct {
	places *places
	from   peer.ID
	end    context.CancelCauseFunc
	proven bool
}

// take gives a place and a context that ends when it is needed by another;
// false when all are held by peers who know the secret.
func (p *places) take(ctx context.Context, from peer.ID) (context.Context, *place, bool) {
	ctx, end := context.WithCancelCause(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if loser := p.loser(from); loser != nil {
		p.remove(loser)
		loser.end(errMadeRoom)
	}
	if len(p.open) >= p.most {
		end(errMadeRoom)
		return ctx, nil, false
	}
	c := &place{places: p, from: from, end: end}
	p.open = append(p.open, c)
	return ctx, c, true
}

// loser finds who must go for a newcomer: an earlier try of the same peer, or
// when there is no room the oldest without proof. The caller holds mu.
func (p *places) loser(from peer.ID) *place {
	for _, c := range p.open {
		if !c.proven && c.from == from {
			return c
		}
	}
	if len(p.open) < p.most {
		return nil
	}
	for _, c := range p.open {
		if !c.proven {
			return c
		}
	}
	return nil
}

func (p *places) remove(c *place) {
	for i, o := range p.open {
		if o == c {
			p.open = append(p.open[:i], p.open[i+1:]...)
			return
		}
	}
}

// prove makes the place safe: its peer knows the secret.
func (c *place) prove() {
	c.places.mu.Lock()
	defer c.places.mu.Unlock()
	c.proven = true
}

// isProven tells whether prove was called.
func (c *place) isProven() bool {
	c.places.mu.Lock()
	defer c.places.mu.Unlock()
	return c.proven
}

// leave gives the place back.
func (c *place) leave() {
	c.places.mu.Lock()
	defer c.places.mu.Unlock()
	c.places.remove(c)
	c.end(nil)
}
