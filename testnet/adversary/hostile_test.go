package adversary_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// TestHostile plays random commands by owners, guests and strangers over
// carriers that alter, drop, delay, reorder and replay, with a full node that
// hides, garbles and rewinds, while grants come and go, the device changes hands
// and loses power. A reference that shares nothing with the gate decides what may
// be done. Nothing else is done, nothing twice, and what each sender was told is
// true in the end.
//
// HOS_HOSTILE=n plays n commands, HOS_SEED=n the history of that seed.
func TestHostile(t *testing.T) {
	commands, seed := number(t, "HOS_HOSTILE", 600), number(t, "HOS_SEED", uint64(time.Now().UnixNano()))
	t.Logf("HOS_SEED=%d, %d commands", seed, commands)
	h := newHostile(t, seed)
	for h.sent < int(commands) {
		h.step()
	}
	h.end()
	t.Logf("%d commands: %d actuations, %v; %d messages altered, %d dropped, %d held back, %d replayed; %d changes of the ledger, %d restarts",
		h.sent, h.bolt.total(), h.told, h.did["altered"], h.did["dropped"], h.did["held"], h.did["replayed"], h.did["ledger"], h.did["restarts"])
	for _, what := range []string{"altered", "dropped", "held", "replayed", "ledger", "restarts"} {
		if h.did[what] == 0 {
			t.Errorf("nothing was %s: the history proves little", what)
		}
	}
	if h.told[command.Executed] == 0 || h.told[command.Rejected] == 0 || h.told[command.Deferred] == 0 {
		t.Errorf("outcomes %v: the history proves little", h.told)
	}
}

func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// hostile is a world in which everybody but the device and the senders is an
// enemy.
type hostile struct {
	*world
	rng   *rand.Rand
	paths []carrier
	asks  [][]byte // every command that went out
	words [][]byte // every answer of the device
	held  [][]byte // commands that were kept back
	model model
	sent  int
	told  map[command.Status]int // outcomes
	tales []tale
	did   map[string]int
	nonce map[key.KeyID]uint64
	wrong string // the first thing that was done without a right
}

// tale is what a sender was told of a command.
type tale struct {
	id     command.ID
	status command.Status // 0: nothing
}

func newHostile(t *testing.T, seed uint64) *hostile {
	h := &hostile{
		rng: rand.New(rand.NewPCG(seed, 0)), told: make(map[command.Status]int), did: make(map[string]int),
		nonce: make(map[key.KeyID]uint64),
	}
	h.world = newWorld(t, gate.Limits{Records: 1 << 20}, func(w *world) carrier { return inProcess{w} })
	h.paths = []carrier{h.carry, openStream(h.world), openHTTP(h.world)} // a bridge, a relay, a forwarder
	h.model = newModel(h.world)
	h.bolt.judge = h.judge
	return h
}

// judge is the reference's verdict on what is about to be done.
func (h *hostile) judge(o gate.Order) {
	if why := h.model.forbids(o.Command, h.client.Head(), h.time()); why != "" && h.wrong == "" {
		h.wrong = fmt.Sprintf("command %s was done, and %s", o.Command, why)
	}
}

func (h *hostile) chance(percent int) bool { return h.rng.IntN(100) < percent }

func pick[T any](h *hostile, from []T) T { return from[h.rng.IntN(len(from))] }

// step is one thing that happens.
func (h *hostile) step() {
	h.t.Helper()
	switch n := h.rng.IntN(100); {
	case n < 70:
		h.command()
	case n < 74:
		h.write()
	case n < 84:
		h.node.lies(h)
	case n < 88:
		h.pass(time.Duration(1+h.rng.IntN(15)) * time.Second)
	case n < 90:
		h.drift(time.Duration(h.rng.IntN(70)) * time.Second)
	case n < 98:
		h.replays()
	default:
		h.did["restarts"]++
		h.restart()
	}
	if h.wrong != "" {
		h.t.Fatal(h.wrong)
	}
}

// command is signed by somebody and sent until there is an answer or enough of
// it, as the wallet does.
func (h *hostile) command() {
	h.t.Helper()
	h.sent++
	raw, id := h.model.sign(h)
	h.asks = append(h.asks, raw)
	path := hostilePath{h, pick(h, h.paths)}
	said := tale{id: id}
	for range 3 {
		answer, err := path.Carry(h.t.Context(), raw)
		if err != nil {
			continue
		}
		r, err := command.DecodeReceipt(answer)
		if err != nil {
			continue
		}
		c, err := command.Decode(raw)
		h.check(err)
		if r.Answers(h.chain, device.Public(), c) != nil {
			continue
		}
		if said.status = r.Body.Status; said.status != command.Deferred {
			break
		}
	}
	h.told[said.status]++
	h.tales = append(h.tales, said)
}

// end lets everything that was held back go, and compares what senders were told
// with what was done.
func (h *hostile) end() {
	h.t.Helper()
	h.node.honest()
	h.pass(time.Second)
	for _, raw := range slices.Concat(h.held, h.asks) {
		h.gate.Load().Handle(h.t.Context(), "end", raw)
	}
	if h.wrong != "" {
		h.t.Fatal(h.wrong)
	}
	for _, s := range h.tales {
		done := h.bolt.of(s.id)
		if s.status == command.Executed && done != 1 || s.status == command.Rejected && done != 0 || done > 1 {
			h.t.Errorf("the sender of %s was told %s, and it was done %d times", s.id, s.status, done)
		}
	}
}

// hostilePath is a carrier in the enemy's hands.
type hostilePath struct {
	h *hostile
	carrier
}

// Carry does with a command what it likes.
func (p hostilePath) Carry(ctx context.Context, raw []byte) ([]byte, error) {
	h := p.h
	switch n := h.rng.IntN(100); {
	case n < 40:
		return p.through(ctx, raw)
	case n < 50:
		h.did["dropped"]++
		return nil, errNoAnswer
	case n < 60:
		h.did["held"]++
		h.held = append(h.held, raw)
		return nil, errNoAnswer
	case n < 70: // it is done, and the sender hears nothing
		h.did["dropped"]++
		_, _ = p.through(ctx, raw)
		return nil, errNoAnswer
	case n < 80: // a true answer to other bytes
		h.did["altered"]++
		answer, err := p.through(ctx, h.bend(raw))
		if h.chance(50) {
			_, _ = p.through(ctx, raw)
		}
		return answer, err
	case n < 86: // an answer of before
		h.did["replayed"]++
		_, _ = p.through(ctx, raw)
		if len(h.words) == 0 {
			return nil, errNoAnswer
		}
		return pick(h, h.words), nil
	case n < 92: // an answer that was bent
		h.did["altered"]++
		answer, err := p.through(ctx, raw)
		return h.bend(answer), err
	default: // something of before comes first
		h.replays()
		return p.through(ctx, raw)
	}
}

// through carries the bytes, and keeps the answer for later.
func (p hostilePath) through(ctx context.Context, raw []byte) ([]byte, error) {
	answer, err := p.carrier.Carry(ctx, raw)
	if no := refusal(""); err != nil && !errors.Is(err, errNoAnswer) && !errors.As(err, &no) {
		p.h.t.Fatal(err)
	}
	if err == nil {
		p.h.words = append(p.h.words, answer)
	}
	return answer, err
}

// replays delivers what was held back, or anything of before.
func (h *hostile) replays() {
	path := hostilePath{h, pick(h, h.paths)}
	if len(h.held) > 0 && h.chance(60) {
		i := h.rng.IntN(len(h.held))
		raw := h.held[i]
		h.held = slices.Delete(h.held, i, i+1)
		_, _ = path.through(h.t.Context(), raw)
		return
	}
	if len(h.asks) > 0 {
		h.did["replayed"]++
		recent := h.asks[max(0, len(h.asks)-pick(h, []int{5, 50})):]
		_, _ = path.through(h.t.Context(), pick(h, recent))
	}
}

// bend changes bytes in one of many ways.
func (h *hostile) bend(b []byte) []byte {
	if len(b) == 0 {
		return []byte{1}
	}
	b = slices.Clone(b)
	switch h.rng.IntN(5) {
	case 0:
		b[h.rng.IntN(len(b))] ^= 1 << h.rng.IntN(8)
	case 1:
		b[len(b)-1-h.rng.IntN(min(64, len(b)))] ^= 1 << h.rng.IntN(8) // the signature
	case 2:
		return b[:h.rng.IntN(len(b))+1]
	case 3:
		return append(b, byte(h.rng.Uint32()))
	default: // the body of one in the envelope of another
		c, err := command.Decode(b)
		if other, err2 := command.Decode(pick(h, h.asks)); err == nil && err2 == nil {
			c.Sigs = other.Sigs
			return c.Bytes()
		}
		b[0] ^= 0xff
	}
	return b
}

// lies has the node behave in another way from now on.
func (n *node) lies(h *hostile) {
	n.honest()
	old := 1 + h.rng.Int64N(n.Height())
	forged := n.Forge(n.Height(), false, func(lb *lightBlock) { lb.Header.Time = lb.Header.Time.Add(time.Second) })
	way := h.rng.IntN(7)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch way {
	case 0:
		n.newest = n.Height()
	case 1:
		n.newest = old
	case 2:
		n.blocks = func(int64, []byte) []byte { return nil }
	case 3:
		n.blocks = func(int64, []byte) []byte { return forged }
	case 4:
		n.proofs = func([]byte, light.Proof) (light.Proof, error) { return light.Proof{}, errSilent }
	case 5:
		n.proofs = func(k []byte, p light.Proof) (light.Proof, error) {
			q, err := n.Chain.Prove(h.t.Context(), k, max(1, min(old, p.Height)))
			q.Height = p.Height
			return q, err
		}
	}
}

// write changes the ledger: a grant is given or revoked, or the device changes
// hands.
func (h *hostile) write() {
	h.t.Helper()
	if h.did["ledger"]++; h.did["ledger"]%400 == 0 {
		h.pass(24 * time.Hour) // accounts write within a quota of the day
	}
	m := &h.model
	switch n := h.rng.IntN(12); {
	case n < 6, n == 11 && len(m.reigns) >= mostOwners:
		m.grant(h)
	case n < 11:
		m.revoke(h)
	default:
		m.transfer(h)
	}
}
