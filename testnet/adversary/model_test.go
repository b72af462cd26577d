package adversary_test

import (
	"time"

	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/tx"
)

type lightBlock = types.LightBlock

// model is the reference: who had which right under which header, and who signed
// what. It knows nothing of signatures, windows of nonces or proofs.
type model struct {
	reigns []reign
	grants []*lease
	signed map[command.ID]intent
	done   map[command.ID]bool
	people []*key.Private
}

// reign is an ownership, from the header on that proves it.
type reign struct {
	from  int64
	epoch uint64
	owner *key.Private
}

// lease is a grant between the headers that prove its beginning and its end.
type lease struct {
	id          tx.ID
	epoch       uint64
	to          *key.Private
	from, until int64 // until 0: not revoked
	uses, used  uint64
}

// intent is a command that somebody has truly signed.
type intent struct {
	body command.Body
	by   *key.Private
}

// mostOwners is what a ledger allows a device in a year, one to spare.
const mostOwners = 15

var (
	buyer   = newKey("buyer")
	visitor = newKey("visitor")
)

func newModel(w *world) model {
	return model{
		reigns: []reign{{w.node.Height(), 1, owner}},
		grants: []*lease{{id: w.grant, epoch: 1, to: guest, from: w.node.Height()}},
		signed: make(map[command.ID]intent), done: make(map[command.ID]bool),
		people: []*key.Private{owner, buyer, guest, friend, visitor, stranger},
	}
}

func (m *model) now() reign { return m.reigns[len(m.reigns)-1] }

// at is the reign that a header proves.
func (m *model) at(height int64) reign {
	found := m.reigns[0]
	for _, r := range m.reigns {
		if r.from <= height {
			found = r
		}
	}
	return found
}

func (m *model) leaseOf(id tx.ID) *lease {
	for _, l := range m.grants {
		if l.id == id {
			return l
		}
	}
	return nil
}

// forbids says why a command may not be done under a head at a time; empty: it
// may. It counts what is done.
func (m *model) forbids(id command.ID, head light.Head, now time.Time) string {
	i, ok := m.signed[id]
	at := uint64(now.UnixMilli())
	present := m.at(head.Height)
	switch {
	case !ok:
		return "nobody signed it"
	case m.done[id]:
		return "it had been done before"
	case i.body.Expires <= at:
		return "it had expired"
	case now.Sub(head.Time) > time.Minute:
		return "the ledger was not heard of for a minute"
	case i.body.Epoch != present.epoch:
		return "it was made for another ownership"
	}
	m.done[id] = true
	if i.body.Grant == nil {
		if i.by != present.owner {
			return "its signer does not own the device"
		}
		return ""
	}
	l := m.leaseOf(*i.body.Grant)
	switch {
	case l == nil || l.to != i.by:
		return "its signer has no such grant"
	case l.from > head.Height || l.until != 0 && l.until <= head.Height:
		return "its grant did not hold"
	case l.epoch != present.epoch:
		return "its grant was of another ownership"
	case l.uses != 0 && l.used >= l.uses:
		return "its grant was used up"
	}
	l.used++
	return ""
}

// sign makes a command by anybody: the owner as such, and each with a grant that
// is, was or never was his.
func (m *model) sign(h *hostile) ([]byte, command.ID) {
	h.t.Helper()
	present := m.now()
	who := present.owner
	switch n := h.rng.IntN(100); {
	case n < 25: // whose right is the youngest
		who = m.grants[len(m.grants)-1].to
	case n < 65:
		who = pick(h, m.people)
	}
	h.nonce[who.Public().ID()]++
	b := h.world.body(func(b *command.Body) {
		b.Epoch, b.Principal, b.Key = present.epoch, who.Public().AccountID(), who.Public().ID()
		b.Nonce, b.Seen = h.nonce[who.Public().ID()], uint64(h.node.Height())
		if h.chance(5) {
			b.Epoch = max(1, b.Epoch-1)
		}
		if h.chance(10) {
			b.Principal = present.owner.Public().AccountID()
		}
		b.Expires = b.IssuedAt + uint64(1+h.rng.IntN(60))*1000
	})
	if who != present.owner {
		if l := pick(h, m.grants); h.chance(90) {
			if h.chance(80) { // his own newest
				for _, own := range m.grants {
					if own.to == who {
						l = own
					}
				}
			}
			b.Principal, b.Grant = who.Public().AccountID(), &l.id
		}
	}
	b.Version, b.Type = command.Version, command.TypeInvoke
	id := command.ID(codec.Digest(codec.LabelCommand, h.chain, codec.MustMarshal(b)))
	m.signed[id] = intent{b, who}
	return h.world.sign(b, who), id
}

func (m *model) grant(h *hostile) {
	h.t.Helper()
	present, to := m.now(), pick(h, []*key.Private{guest, friend, visitor})
	uses := uint64(h.rng.IntN(4))
	id := h.exec(present.owner, h.terms(to.Public(), func(g *tx.CreateGrant) {
		g.Targets[0].Epoch, g.Uses = present.epoch, uses
		g.NotAfter = uint64(h.time().Add(48 * time.Hour).Unix())
	}), tx.RoleAccount)
	m.grants = append(m.grants, &lease{id: id, epoch: present.epoch, to: to, from: h.node.Height(), uses: uses})
}

func (m *model) revoke(h *hostile) {
	h.t.Helper()
	present := m.now()
	for _, l := range m.grants {
		if l.until == 0 && l.epoch == present.epoch {
			h.exec(present.owner, &tx.RevokeGrant{Grant: l.id}, tx.RoleAccount)
			l.until = h.node.Height()
			return
		}
	}
}

func (m *model) transfer(h *hostile) {
	h.t.Helper()
	last, to := m.now(), buyer
	if last.owner == buyer {
		to = owner
	}
	h.world.transfer(last.epoch+1, last.owner, to)
	m.reigns = append(m.reigns, reign{h.node.Height(), last.epoch + 1, to})
}
