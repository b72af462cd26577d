package gate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/deviceos/clock"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

// Head is the newest ledger header that the device has verified.
type Head struct {
	Height uint64 // 0: none yet
	Hash   []byte
	Time   time.Time
}

// Ledger is the device's verified view of the ledger. Implementations are safe
// for concurrent use.
type Ledger interface {
	// Head is the newest verified head; it never goes back.
	Head() Head
	// View reads records as of the head that it returns. An error of the view's
	// Get means that nothing is known.
	View(ctx context.Context) (state.View, Head)
	// Update asks for a newer head and verifies it.
	Update(ctx context.Context) (Head, error)
	// Present verifies evidence that a sender brought, moves the head along it and
	// keeps its proofs for views. Where the trusting period is over, believe judges
	// an owner's word for a header.
	Present(evidence []byte, believe func(vouch []byte, h Head) error) error
	// Expired reports that no header leads on from the head without such a word.
	Expired() bool
}

// Order is a verified command on its way to the actuator.
type Order struct {
	Command command.ID
	Body    *command.Body // exactly as signed; not to be changed
}

// Actuator carries out orders.
type Actuator interface {
	// Actuate does what the order says. An error with a command.Code promises
	// that nothing was done; any other error means that the outcome is unknown.
	Actuate(ctx context.Context, o Order) ([]byte, error)
}

// Config is what a gate stands on. All but Floor, Limits and Logger are needed.
type Config struct {
	Chain    codec.ChainDigest
	Device   *key.Private
	Vault    *vault.Vault
	Clock    *clock.Clock
	Ledger   Ledger
	Actuator Actuator
	// Class gives the class of a method, false for one that does not exist.
	Class func(endpoint, method string) (peripheral.Class, bool)
	// Floor gives the loosest class that an owner's policy may set for a method;
	// nil: that of Class.
	Floor func(endpoint, method string) peripheral.Class
	// Resource names the part of the device that a method has for itself, so that
	// of two commands the older one does not come after the newer; nil, or an
	// empty name: it shares everything.
	Resource func(endpoint, method string) string
	Limits   Limits
	Logger   *slog.Logger // nil: none
}

// Gate is the device's gate; safe for concurrent use.
type Gate struct {
	cfg      Config
	id       key.DeviceID
	rights   *rights
	journal  *journal
	meter    *meter
	sessions sessions
	running  chan struct{}
}

// Open loads what the device knew before the last power cut. Commands that were
// under way then get their receipt now: unknown.
func Open(cfg Config) (*Gate, error) {
	if cfg.Device == nil || cfg.Vault == nil || cfg.Clock == nil || cfg.Ledger == nil || cfg.Actuator == nil || cfg.Class == nil {
		return nil, errors.New("gate configuration: a part is missing")
	}
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gate{
		cfg: cfg, id: cfg.Device.Public().DeviceID(),
		sessions: sessions{peers: make(map[string]*session)},
		meter:    newMeter(cfg.Limits), running: make(chan struct{}, cfg.Limits.Running),
	}
	floor, err := loadTime(cfg.Vault)
	if err != nil {
		return nil, err
	}
	cfg.Clock.Observe(floor)
	if g.rights, err = openRights(cfg, g.id); err != nil {
		return nil, err
	}
	if g.journal, err = openJournal(cfg.Vault, cfg.Limits.Records); err != nil {
		return nil, err
	}
	return g, g.recover()
}

// Owner is who the device obeys; false while it has no owner.
func (g *Gate) Owner() (state.Ownership, bool) { return g.rights.owner() }

// Arm makes the device obey its first owner, after the claim has been verified
// with state.VerifyClaim and found on the ledger. It is on disk when Arm
// returns. A device that has an owner keeps it.
func (g *Gate) Arm(own state.Ownership) error { return g.rights.arm(own) }

// Refresh proves the owner and the grants in use under the newest head, so that
// the next command need not wait for it. Call it when the head has moved.
func (g *Gate) Refresh(ctx context.Context) error { return g.rights.refresh(ctx, g.now()) }

// Knows tells whether a peer has sent an authentic command lately, one that was
// signed by a key which the device obeys, or is trusted.
func (g *Gate) Knows(peer string) bool { return g.meter.trusts(peer) }

// Trust gives a peer the share of those who have sent an authentic command. It
// is for nodes of the device's own configuration, which hand on the commands of
// many: as strangers, a few bad ones would use up what all of them have.
func (g *Gate) Trust(peer string) { g.meter.trust(peer, g.now()) }

// Receipts is the number of receipts in the device's chain.
func (g *Gate) Receipts() uint64 { return g.journal.count() }

// request is one command on its way through the gate.
type request struct {
	peer string
	raw  []byte
	sum  [sha256.Size]byte // of raw
	cmd  *command.Command  // nil until decoded
	id   command.ID        // of the command; sum for bytes that are none
	now  time.Time
	paid bool // the meter has been asked for a signature's worth of work
	over bool // and has refused
	// authentic: it was signed by a key that the device obeys.
	authentic bool
	// shown: its evidence has been presented.
	shown bool
	// begun: the device has begun this command before, or may have and has
	// forgotten. No answer may then say that nothing was done.
	begun    bool
	holder   holder
	resource string
	head     Head // under which the verdict is reached
}

// Handle takes a command from a peer (any name that is the same for the same
// connection) and returns the signed receipt. Nil means that the peer, or
// strangers together, have used up what the gate spends on the unproven: close
// the connection. ctx bounds the waiting for the ledger; once begun, an
// actuation is not cut short by it.
func (g *Gate) Handle(ctx context.Context, peer string, raw []byte) []byte {
	r := &request{peer: peer, raw: raw, sum: sha256.Sum256(raw), now: g.now(), head: g.cfg.Ledger.Head()}
	r.id = command.ID(r.sum)
	known, err := g.inspect(r)
	if err == nil && known == nil {
		known, err = g.authenticate(ctx, r)
	}
	if err == nil && known == nil {
		err = g.authorise(ctx, r)
	}
	if err != nil {
		return g.refusal(r, err)
	}
	if known != nil {
		return g.repeat(ctx, r, known)
	}
	g.sessions.note(peer, r.cmd, r.now)
	return g.run(ctx, r)
}

// now is the device's time, which is at least that of the newest header.
func (g *Gate) now() time.Time {
	g.cfg.Clock.Observe(g.cfg.Ledger.Head().Time)
	return g.cfg.Clock.Now()
}

// inspect makes all checks that need neither a key nor the ledger. It returns
// the entry of a command that the device has taken before in the same bytes:
// what became of it stays true after it has expired.
func (g *Gate) inspect(r *request) (*entry, error) {
	cmd, err := command.Decode(r.raw)
	if err != nil {
		return nil, err
	}
	r.cmd, r.id = cmd, cmd.ID(g.cfg.Chain)
	b := &cmd.Body
	if b.Chain != command.Prefix(g.cfg.Chain) {
		return nil, refuse(command.WrongChain, "for ledger %x", b.Chain)
	}
	if b.Device != g.id {
		return nil, refuse(command.WrongDevice, "for %s", b.Device)
	}
	if e := g.journal.find(r.id); e != nil {
		r.begun = true
		if e.sum == r.sum {
			return e, nil
		}
		// Other bytes of it: who signed them is told what became of it, whatever
		// time and epoch it is by now.
		return nil, nil
	}
	r.begun = g.journal.forgot(b.Expires)
	own, ok := g.rights.owner()
	if !ok {
		return nil, refuse(command.Unowned, "the device has no owner")
	}
	// A later epoch may be one that this device has yet to hear of.
	if b.Epoch < own.Epoch {
		return nil, refuse(command.StaleEpoch, "epoch %d, now %d", b.Epoch, own.Epoch)
	}
	return nil, checkTime(b, r.now)
}

func checkTime(b *command.Body, now time.Time) error {
	ms := uint64(now.UnixMilli())
	switch {
	case b.Expires <= ms:
		return refuse(command.Expired, "expired at %d, now %d", b.Expires, ms)
	case b.IssuedAt > ms+uint64(MaxAhead.Milliseconds()):
		return refuse(command.NotYet, "issued at %d, now %d", b.IssuedAt, ms)
	case b.Expires-b.IssuedAt > b.MaxLife():
		return refuse(command.LifeTooLong, "lives for %d ms, at most %d", b.Expires-b.IssuedAt, b.MaxLife())
	}
	return nil
}

// authenticate finds the key that may sign, and checks that it did. Only what
// is held already is looked at for free; work for strangers is metered.
func (g *Gate) authenticate(ctx context.Context, r *request) (*entry, error) {
	var err error
	var lookup error
	r.holder, lookup = g.rights.lookup(r.cmd, r.now)
	if !r.begun { // else its nonce is used by itself
		if err := g.journal.peek(&r.cmd.Body); err != nil {
			return nil, err
		}
	}
	trusted, ok := g.meter.spend(r.peer, r.now)
	if r.paid = true; !ok {
		r.over = true
		return nil, refuse(command.RateLimited, "too many unproven commands")
	}
	if lookup != nil {
		// The right may be younger than what is held.
		if !trusted && !g.meter.lookup(r.peer, r.now) {
			r.over = true
			return nil, refuse(command.RateLimited, "too many unknown rights")
		}
		if r.holder, err = g.learn(ctx, r); err != nil {
			return nil, err
		}
	}
	if err := r.cmd.VerifyBy(g.cfg.Chain, r.holder.key); err != nil {
		return nil, err
	}
	r.authentic = true
	g.meter.trust(r.peer, r.now)
	if e := g.journal.find(r.id); e != nil {
		return e, nil // the same command under another valid signature
	}
	if err := g.verifyOthers(r); err != nil {
		return nil, err
	}
	if !g.meter.key(r.cmd.Body.Key, r.now) {
		return nil, refuse(command.RateLimited, "too many commands by %s", r.cmd.Body.Key)
	}
	return nil, nil
}

// learn looks for a right on the ledger that the device does not hold, in a
// newer head if the signer has seen one.
func (g *Gate) learn(ctx context.Context, r *request) (holder, error) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Limits.Update)
	defer cancel()
	if len(r.cmd.Evidence) > 0 || r.cmd.Body.Seen > g.cfg.Ledger.Head().Height {
		if err := g.update(ctx, r); err != nil {
			return holder{}, err
		}
	}
	err := g.rights.renew(ctx, r.cmd.Body.Grant, r.now)
	var h holder
	if err == nil {
		h, err = g.rights.lookup(r.cmd, r.now)
	}
	return h, g.withheld(r, err)
}

// withheld takes a refusal back that a head which the signer has seen and the
// device has not may turn: a node that holds back headers must not have the
// device say for good what is wrong a block later.
func (g *Gate) withheld(r *request, err error) error {
	head, seen := g.cfg.Ledger.Head().Height, r.cmd.Body.Seen
	if err == nil || seen <= head || !slices.Contains(ofLedger, command.CodeOf(err)) {
		return err
	}
	return refuse(command.Stale, "the signer has seen height %d, this device %d, where: %v", seen, head, err)
}

// ofLedger are the refusals that a newer head can turn. What a grant once
// signed says, or that it was revoked, no head changes.
var ofLedger = []command.Code{
	command.StaleEpoch, command.Unowned, command.UnknownKey, command.UnknownGrant, command.ForgedGrant, command.ExtraSigner,
	command.NotAllowed, command.Untrusted, command.TooFewSigners, command.NotSealed,
}

// update tries for a newer head, by the evidence that came along or else by
// asking nodes; whether it helped is seen by the head. Evidence that does not
// hold is an error.
func (g *Gate) update(ctx context.Context, r *request) error {
	if len(r.cmd.Evidence) > 0 {
		return g.present(r)
	}
	if _, err := g.cfg.Ledger.Update(ctx); err != nil {
		g.cfg.Logger.Debug("ledger head not updated", "error", err)
	}
	return nil
}

// authorise checks that the right holds under a head that is fresh enough for
// the method.
func (g *Gate) authorise(ctx context.Context, r *request) error {
	b := &r.cmd.Body
	want, known, err := g.meet(ctx, r)
	r.head = g.cfg.Ledger.Head()
	if err != nil {
		return g.withheld(r, err)
	}
	r.head = r.holder.head // not a newer one, of which the verdict knows nothing
	if err := r.holder.permits(g.id, b, g.now()); err != nil {
		return g.withheld(r, err)
	}
	if !known {
		return refuse(command.NoMethod, "no %s at %s", b.Method, b.Endpoint)
	}
	if b.Type == command.TypeCancel {
		return nil // to end something needs less than to do it
	}
	if g.cfg.Resource != nil {
		r.resource = g.cfg.Resource(b.Endpoint, b.Method)
	}
	return g.withheld(r, g.agreed(ctx, r, want))
}

// meet makes the right fresh enough for the method. What is learned on the way
// may be a stricter policy.
func (g *Gate) meet(ctx context.Context, r *request) (demand, bool, error) {
	b := &r.cmd.Body
	class, known := g.cfg.Class(b.Endpoint, b.Method)
	if b.Type == command.TypeCancel {
		return demand{class: peripheral.Read}, known, g.freshen(ctx, r, peripheral.Read)
	}
	floor := class
	if g.cfg.Floor != nil && known {
		floor = g.cfg.Floor(b.Endpoint, b.Method)
	}
	want := g.rights.demands(b.Endpoint, b.Method, class, floor)
	for {
		if err := g.freshen(ctx, r, want.class); err != nil {
			return want, known, err
		}
		now := g.rights.demands(b.Endpoint, b.Method, class, floor)
		if want.class.AtLeast(now.class) == want.class { // rises three times at most
			return now, known, nil
		}
		want = now
	}
}

// freshen makes sure that the right was proven under a head that the class
// accepts, with one attempt to get a newer one.
func (g *Gate) freshen(ctx context.Context, r *request, class peripheral.Class) error {
	want := g.cfg.Ledger.Head()
	if r.holder.freshFor(class, want, r.now) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Limits.Update)
	defer cancel()
	if len(r.cmd.Evidence) > 0 || r.now.Sub(want.Time) > class.Age() {
		if err := g.update(ctx, r); err != nil {
			return err
		}
	}
	if err := g.rights.renew(ctx, r.cmd.Body.Grant, r.now); err != nil {
		return err
	}
	var err error
	if r.holder, err = g.rights.lookup(r.cmd, r.now); err != nil {
		return err
	}
	if now := g.now(); !r.holder.freshFor(class, want, now) {
		return refuse(command.Stale, "ledger head %d is %s old, %s allows %s",
			r.holder.head.Height, now.Sub(r.holder.head.Time).Round(time.Second), class, class.Age())
	}
	return nil
}

func refuse(c command.Code, format string, args ...any) error {
	return &command.Error{Code: c, Detail: fmt.Sprintf(format, args...)}
}
