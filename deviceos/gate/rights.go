package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

// rights is what the device holds to be true about its owner and grants, and
// under which head each was last proven. The owner moves only along signatures
// (state.FollowOwner); a ledger that says otherwise is not believed.
type rights struct {
	chain  codec.ChainDigest
	device key.DeviceID
	vault  *vault.Vault
	ledger Ledger
	log    *slog.Logger

	following chan struct{} // one check of the owner at a time

	mu     sync.Mutex
	own    *state.Ownership // nil: unowned
	head   Head             // under which own was proven
	bad    uint64           // height of a head whose view of the owner was refused
	badErr error
	grants map[tx.ID]*heldGrant

	policies policies
}

// heldGrant is a grant whose chain of signatures has been checked.
type heldGrant struct {
	records []byte // of the whole chain, as proven
	keys    uint64 // version of the owner's keys that signed it
	chain   state.Grants
	revoked bool
	head    Head // under which the records were proven
	used    time.Time
}

// holder is the key that may sign a command, and by what right.
type holder struct {
	key     key.Public
	others  []key.Public // of the owner, of the signatures beside that of key
	invoke  bool         // owner's key only
	grants  []limit      // none: owner; else the owner's grant first, all of them bind
	revoked bool
	head    Head // the older of those under which owner and grants were proven
}

func openRights(cfg Config, device key.DeviceID) (*rights, error) {
	r := &rights{
		chain: cfg.Chain, device: device, vault: cfg.Vault, ledger: cfg.Ledger, log: cfg.Logger,
		following: make(chan struct{}, 1), grants: make(map[tx.ID]*heldGrant),
	}
	raw, err := r.vault.Get(vault.FamilyOwner.Key())
	if err != nil || raw == nil {
		return r, err
	}
	own := new(state.Ownership)
	if err := codec.Unmarshal(raw, own, maxOwner); err != nil {
		return nil, fmt.Errorf("read the stored owner: %w", err)
	}
	if own.Device != device {
		return nil, fmt.Errorf("the store belongs to %s, the key to %s", own.Device, device)
	}
	r.own = own
	return r, r.loadPolicy()
}

func (r *rights) owner() (state.Ownership, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.own == nil {
		return state.Ownership{}, false
	}
	return *r.own, true
}

func (r *rights) arm(own state.Ownership) error {
	if own.Device != r.device || own.Epoch == 0 || len(own.Owner.Keys.Keys) == 0 {
		return fmt.Errorf("ownership of %s in epoch %d is not for this device", own.Device, own.Epoch)
	}
	r.following <- struct{}{}
	defer func() { <-r.following }()
	if has, ok := r.owner(); ok {
		return fmt.Errorf("the device has an owner, %s", has.Owner.Account)
	}
	return r.pin(own, Head{})
}

// pin makes own the device's owner, on disk first. The caller holds following.
func (r *rights) pin(own state.Ownership, head Head) error {
	err := r.vault.Commit(vault.Write{Key: vault.FamilyOwner.Key(), Value: codec.MustMarshal(own)})
	if err != nil {
		return refuse(command.Internal, "store the owner: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own, r.head = &own, head
	clear(r.grants)
	return nil
}

// letGo makes the device unowned, on disk first: the owner has signed a release,
// as released tells. The caller holds following. Rights of before are void, and
// whoever holds the pairing code may become the next owner.
func (r *rights) letGo(released error) error {
	err := r.vault.Commit(vault.Write{Key: vault.FamilyOwner.Key()})
	if err != nil {
		return refuse(command.Internal, "forget the owner: %v", err)
	}
	r.log.Info("released by its owner", "reason", released)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own, r.head = nil, Head{}
	clear(r.grants)
	return refuse(command.Unowned, "%v", released)
}

// lookup finds the holder of the right that a command claims, in what is held.
func (r *rights) lookup(c *command.Command, now time.Time) (holder, error) {
	b := &c.Body
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.own == nil {
		return holder{}, refuse(command.Unowned, "the device has no owner")
	}
	if b.Epoch != r.own.Epoch {
		return holder{}, refuse(command.StaleEpoch, "epoch %d, now %d", b.Epoch, r.own.Epoch)
	}
	others, err := coSigners(r.own.Owner.Keys, c)
	if err != nil {
		return holder{}, err
	}
	if b.Grant == nil {
		k, ok := r.own.Owner.Keys.Find(b.Key)
		if !ok || b.Principal != r.own.Owner.Account {
			return holder{}, refuse(command.UnknownKey, "%s is no key of the owner", b.Key)
		}
		return holder{key: k.Key, others: others, invoke: k.Rights&tx.RightInvoke != 0, head: r.head}, nil
	}
	g := r.grants[*b.Grant]
	if g == nil {
		return holder{}, refuse(command.UnknownGrant, "grant %s", b.Grant)
	}
	limits, err := g.limits(r.chain, b)
	if err != nil {
		return holder{}, err
	}
	grantee := limits[len(limits)-1].grant.Grantee
	if grantee.ID() != b.Key || grantee.AccountID() != b.Principal {
		return holder{}, refuse(command.UnknownKey, "grant %s is not for %s", b.Grant, b.Key)
	}
	g.used = now
	h := holder{key: grantee, others: others, grants: limits, revoked: g.revoked, head: g.head}
	if r.head.Height < h.head.Height {
		h.head = r.head
	}
	return h, nil
}

// freshFor tells whether the right was proven recently enough. Access also
// needs the newest head that the device knew when the command came, so that a
// revocation bites at once.
func (h holder) freshFor(c peripheral.Class, newest Head, now time.Time) bool {
	if h.head.Height == 0 || now.Sub(h.head.Time) > c.Age() {
		return false
	}
	return c.Age() > peripheral.Access.Age() || h.head.Height >= newest.Height
}

// renew proves the owner, and a grant if one is named, under the newest head.
func (r *rights) renew(ctx context.Context, grant *tx.ID, now time.Time) error {
	view, head := r.ledger.View(ctx)
	if err := r.follow(ctx, view, head); err != nil {
		return err
	}
	if grant == nil {
		return nil
	}
	return r.renewGrant(view, head, *grant, now)
}

// refresh renews the owner and every grant in use.
func (r *rights) refresh(ctx context.Context, now time.Time) error {
	view, head := r.ledger.View(ctx)
	if err := r.follow(ctx, view, head); err != nil {
		return err
	}
	var hot []tx.ID
	r.mu.Lock()
	for id, g := range r.grants {
		if now.Sub(g.used) <= hotGrant {
			hot = append(hot, id)
		}
	}
	r.mu.Unlock()
	var errs []error
	for _, id := range hot {
		errs = append(errs, r.renewGrant(view, head, id, time.Time{}))
	}
	return errors.Join(errs...)
}

// follow moves the pinned owner to what the view shows, if signatures lead
// there.
func (r *rights) follow(ctx context.Context, view state.View, head Head) error {
	select {
	case r.following <- struct{}{}:
		defer func() { <-r.following }()
	case <-ctx.Done():
		return refuse(command.Stale, "owner not proven: %v", context.Cause(ctx))
	}
	r.mu.Lock()
	own, at, bad, badErr := r.own, r.head, r.bad, r.badErr
	r.mu.Unlock()
	switch {
	case own == nil:
		return refuse(command.Unowned, "the device has no owner")
	case head.Height == 0:
		return refuse(command.Stale, "no ledger head has been verified")
	case bad == head.Height:
		return badErr
	case at.Height >= head.Height:
		return nil
	}
	w := &watched{view: view}
	next, err := state.FollowOwner(w, r.chain, *own)
	if w.failed != nil {
		return refuse(command.Stale, "owner not proven: %v", w.failed)
	}
	if errors.Is(err, state.Released) {
		return r.letGo(err)
	}
	var policy policies
	if err == nil {
		policy, err = r.renewPolicy(w, next)
		if w.failed != nil {
			return refuse(command.Stale, "policy not proven: %v", w.failed)
		}
	}
	if err != nil {
		err = refuse(command.Untrusted, "height %d: %v", head.Height, err)
		r.log.Error("the ledger shows an owner or a policy that nobody signed for", "height", head.Height, "error", err)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bad, r.badErr = head.Height, err
		return err
	}
	if err := r.keepPolicy(policy); err != nil {
		return err
	}
	return r.follows(*own, next, head)
}

// follows records that next was proven under head.
func (r *rights) follows(own, next state.Ownership, head Head) error {
	if own.Epoch != next.Epoch || own.Owner.Keys.Version != next.Owner.Keys.Version {
		r.log.Info("owner or keys changed", "owner", next.Owner.Account, "epoch", next.Epoch, "keys", next.Owner.Keys.Version)
		return r.pin(next, head)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head = head
	return nil
}

// renewGrant proves a grant's record under a head and, where the record or the
// owner's keys are not those of last time, checks the owner's signature.
func (r *rights) renewGrant(view state.View, head Head, id tx.ID, now time.Time) error {
	r.mu.Lock()
	if r.own == nil { // released since it was followed
		r.mu.Unlock()
		return refuse(command.Unowned, "the device has no owner")
	}
	own, held := *r.own, r.grants[id]
	if held != nil && held.revoked && held.head.Height < head.Height {
		held.head = head // a revocation is for good
	}
	current := held != nil && held.head.Height >= head.Height
	r.mu.Unlock()
	if current {
		return nil
	}
	w := &watched{view: view}
	chain, err := state.ReadGrants(w, r.chain, id)
	if w.failed != nil {
		return refuse(command.Stale, "grant not proven: %v", w.failed)
	}
	if err == nil && (held == nil || !bytes.Equal(held.records, w.all) || held.keys != own.Owner.Keys.Version) {
		// Whose grant it is matters even when it is revoked: only the grantee is
		// told so.
		err = state.VerifyGrants(r.chain, own.Owner, chain)
	}
	if err != nil {
		r.drop(id, head)
		return grantRefusal(err, len(chain) > 0 && chain[0].Record.Issuer == own.Owner.Account)
	}
	_, revoked := chain.Revoked()
	r.hold(id, own, &heldGrant{
		records: w.all, keys: own.Owner.Keys.Version, chain: chain,
		revoked: revoked || r.sawRevoked(chain), head: head, used: now,
	})
	return nil
}

// sawRevoked tells whether the device has seen the end of a grant above, which
// is for good whatever the ledger shows now.
func (r *rights) sawRevoked(chain state.Grants) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range chain {
		if held := r.grants[l.ID]; held != nil && held.revoked {
			return true
		}
	}
	return false
}

func grantRefusal(err error, byOwner bool) error {
	switch {
	case errors.Is(err, state.NoGrant):
		return refuse(command.UnknownGrant, "%v", err)
	case errors.Is(err, state.NotIssuer) && !byOwner:
		return refuse(command.NotGranted, "%v", err)
	default:
		return refuse(command.ForgedGrant, "%v", err)
	}
}

// drop forgets a grant that does not hold under head.
func (r *rights) drop(id tx.ID, head Head) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.grants[id]; old != nil && old.head.Height <= head.Height {
		delete(r.grants, id)
	}
}

// hold keeps a verified grant, in place of the one that was used longest ago.
// An owner that has changed meanwhile voids it. A proof that took so long that
// one under a newer head came first is void too: the newer one may say that the
// grant is revoked.
func (r *rights) hold(id tx.ID, own state.Ownership, g *heldGrant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.own == nil || r.own.Epoch != own.Epoch || r.own.Owner.Keys.Version != own.Owner.Keys.Version {
		return
	}
	old := r.grants[id]
	if old != nil && old.head.Height > g.head.Height {
		return
	}
	if old != nil && old.used.After(g.used) {
		g.used = old.used
	}
	if old == nil && len(r.grants) >= maxGrants {
		var oldest tx.ID
		for k, h := range r.grants {
			if o := r.grants[oldest]; o == nil || h.used.Before(o.used) {
				oldest = k
			}
		}
		delete(r.grants, oldest)
	}
	r.grants[id] = g
}

// watched remembers whether a view failed to answer: what a view proves and a
// right that is wrong are refused for good, what it cannot tell is only unknown.
type watched struct {
	view   state.View
	all    []byte // every record, one after the other; their encoding shows where each ends
	failed error
}

// Get reads through.
func (w *watched) Get(k []byte) ([]byte, error) {
	v, err := w.view.Get(k)
	if err != nil {
		w.failed = err
	}
	w.all = append(w.all, v...)
	return v, err
}
