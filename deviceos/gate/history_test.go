package gate_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/vault/vaulttest"
)

// FuzzHistory plays any history: commands good and bad and again, blocks heard
// and unheard, revocations, the clock, orderly ends, and power cuts between
// commands and in the middle of one. Each pair of bytes is a step.
//
// Whatever happens: only what its signer had a right to is done, and once; a
// receipt with a counter continues the chain; a refusal leaves nothing; what was
// answered stays true, and the same bytes get the same receipt.
func FuzzHistory(f *testing.F) {
	for _, seed := range []string{
		"aAbBcC", "aAgAaAgAaB", "bBhAbBbC", "bBjAbBjBbC", "aAkAdAaBkBdA", "aAlAdAdB", "aAmAdAdA", "eAaAeBfAgAeC",
		"bAlBhAlCdAdB", "nAaAbBiAnAaAiAaB", "aAaBaCpAdAdBpZaDgZaEdA", "bAbBoAbCoBbD", "aAlAmBkCdAgcdAgzaAdA",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		h := newHistory(t)
		for i := 0; i+1 < min(len(steps), 2*maxSteps); i += 2 {
			h.step(steps[i], int(steps[i+1]))
		}
	})
}

// maxSteps keeps one history short: what matters happens among few.
const maxSteps = 60

// history is a device on a disk that loses power, and what was said of it.
type history struct {
	*world
	disk    *vaulttest.Disk
	sent    []past
	grants  map[tx.ID]bool // true: revoked
	crashed *vaulttest.Disk
	counter uint64
	tail    []byte // hash of the last receipt that was seen
}

// past is a command that was sent, and what is known of it.
type past struct {
	raw     []byte
	id      command.ID
	by      *key.Private
	grant   *tx.ID
	reads   bool // for which a head of a day ago will do
	expires uint64
	final   *command.Receipt // the answer that must stay
}

func newHistory(t *testing.T) *history {
	h := &history{disk: vaulttest.New(), grants: make(map[tx.ID]bool)}
	h.world = worldOn(t, h.disk)
	h.grants[h.world.grant] = false
	return h
}

// step is one thing that happens; letters, so that seeds can be read.
func (h *history) step(what byte, n int) {
	h.t.Helper()
	switch what % 16 {
	case 'a' % 16:
		h.command(h.body(), h.owner, n)
	case 'b' % 16:
		h.command(h.guestBody(), h.guest, n)
	case 'c' % 16:
		b := h.guestBody()
		b.Key, b.Principal = h.stranger.Public().ID(), h.stranger.Public().AccountID()
		h.command(b, h.stranger, n)
	case 'd' % 16:
		h.again(n, func(raw []byte) []byte { return raw })
	case 'e' % 16:
		h.again(n, func(raw []byte) []byte { raw[len(raw)-1-n%len(raw)] ^= 1 << (n % 8); return raw })
	case 'f' % 16:
		h.ledger.block(h.now, n%2 == 0)
	case 'g' % 16:
		h.now = h.now.Add(time.Duration(n) * time.Second)
	case 'h' % 16:
		h.revokes()
	case 'i' % 16:
		h.ledger.mu.Lock()
		h.ledger.offline = !h.ledger.offline
		h.ledger.mu.Unlock()
	case 'j' % 16:
		h.world.grant = h.createGrant(&tx.CreateGrant{
			Grantee: h.guest.Public(), Uses: uint64(n % 3),
			Targets:   []tx.Target{{Device: h.id(), Epoch: 1, Endpoint: "lock", Methods: []string{"open", "state"}}},
			NotBefore: uint64(h.now.Add(-time.Hour).Unix()), NotAfter: uint64(h.now.Add(time.Hour).Unix()),
		})
		h.grants[h.world.grant] = false
	case 'k' % 16:
		h.restart()
	case 'l' % 16:
		h.powerCut(h.disk.Crash(uint64(n)))
	case 'm' % 16:
		h.cutWithin(n)
	case 'n' % 16:
		h.nonce += uint64(n) * 8 // commands that are lost on the way
	case 'o' % 16:
		_ = h.gate.Refresh(context.Background()) // an error is the next command's affair
	default:
		h.send(bytes.Repeat([]byte{byte(n)}, n))
	}
}

func (h *history) command(b command.Body, k *key.Private, n int) {
	h.t.Helper()
	b.Method = []string{"open", "open", "state", "melt"}[n%4]
	raw := h.sign(b, k)
	c, err := command.Decode(raw)
	if err != nil {
		h.t.Fatal(err)
	}
	h.sent = append(h.sent, past{raw: raw, id: c.ID(h.chain), by: k, grant: c.Body.Grant, reads: b.Method == "state", expires: b.Expires})
	h.ask(len(h.sent)-1, raw)
}

// again sends a command of before, or what change makes of it.
func (h *history) again(n int, change func([]byte) []byte) {
	h.t.Helper()
	if len(h.sent) == 0 {
		return
	}
	i := len(h.sent) - 1 - n%len(h.sent)
	h.ask(i, change(slices.Clone(h.sent[i].raw)))
}

// ask sends bytes made of command i, and holds the answer and what was done
// against the reference.
func (h *history) ask(i int, raw []byte) {
	h.t.Helper()
	p := &h.sent[i]
	moved, before, kept := h.bolt.total(), h.bolt.ids[p.id], h.world.disk()
	allowed := h.allowed(p)
	r := h.send(raw)
	done := h.bolt.total() - moved
	same := bytes.Equal(raw, p.raw)
	switch {
	case done > 1, done == 1 && (!same || !allowed || before != 0):
		h.t.Fatalf("%d actuations by %d bytes, allowed %t, done %d times before", done, len(raw), allowed, before)
	case done == 0 && r.Body.Counter > h.counter:
		h.t.Fatalf("receipt %d for nothing", r.Body.Counter)
	case done == 0 && h.world.disk() != kept:
		h.t.Fatalf("%s %s left something on the disk", r.Body.Status, r.Body.Code)
	case r.Body.Command == p.id && before+done > 0 && (r.Body.Status == command.Rejected || r.Body.Status == command.Deferred):
		h.t.Fatalf("%s said of what was done", r.Body.Status)
	}
	if done == 1 {
		h.chained(r)
	}
	if same {
		h.stays(p, r)
	}
}

// chained checks that a receipt is the next of the chain.
func (h *history) chained(r *command.Receipt) {
	h.t.Helper()
	if r.Body.Counter != h.counter+1 || !bytes.Equal(r.Body.Prev, h.tail) {
		h.t.Fatalf("receipt %d after %d, of %x after %x", r.Body.Counter, h.counter, r.Body.Prev, h.tail)
	}
	sum := r.Hash()
	h.counter, h.tail = r.Body.Counter, sum[:]
}

// stays checks that what was said for good is said again, in the same bytes
// where it stands in the chain.
func (h *history) stays(p *past, r *command.Receipt) {
	h.t.Helper()
	switch f := p.final; {
	case f == nil:
	case f.Body.Counter > 0 && !bytes.Equal(f.Bytes(), r.Bytes()) && r.Body.Code != command.Expired: // forgotten by then
		h.t.Fatalf("another receipt: %s %s, was %s %s", r.Body.Status, r.Body.Code, f.Body.Status, f.Body.Code)
	case f.Body.Status == command.Rejected && r.Body.Status == command.Executed:
		h.t.Fatalf("executed, after %s %s", f.Body.Status, f.Body.Code)
	}
	if p.final == nil && r.Body.Status != command.Deferred {
		p.final = r
	}
}

// allowed is the reference: whose command it is, whether it is of now, and for
// a guest that the grant has not been revoked. The device may be stricter.
func (h *history) allowed(p *past) bool {
	if p.expires <= uint64(h.now.UnixMilli()) || p.by == h.stranger {
		return false
	}
	return p.grant == nil || p.reads || !h.grants[*p.grant]
}

func (h *history) revokes() {
	h.t.Helper()
	if h.grants[h.world.grant] {
		return
	}
	h.revoke()
	h.grants[h.world.grant] = true
}

// powerCut starts the device again on what a cut left of its disk.
func (h *history) powerCut(left *vaulttest.Disk) {
	h.t.Helper()
	h.vault.Close()
	h.disk, h.fs = left, left
	h.open()
}

// cutWithin sends a command of the owner's and cuts the power while the bolt
// moves. Afterwards its outcome is unknown, and a receipt says so.
func (h *history) cutWithin(n int) {
	h.t.Helper()
	h.crashed = nil
	h.bolt.do = func(context.Context, gate.Order) ([]byte, error) {
		h.crashed = h.disk.Crash(uint64(n))
		return nil, nil
	}
	raw := h.sign(h.body(), h.owner)
	_ = h.gate.Handle(context.Background(), "peer", raw) // the answer never leaves
	h.bolt.do = nil
	if h.crashed == nil {
		return // refused
	}
	h.powerCut(h.crashed)
	moved := h.bolt.total()
	r := h.send(raw)
	if r.Body.Status != command.Unknown || r.Body.Code != command.Interrupted || h.bolt.total() != moved {
		h.t.Fatalf("%s %s after a power cut within, %d more actuations", r.Body.Status, r.Body.Code, h.bolt.total()-moved)
	}
	h.chained(r)
}
