package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/keystore"
	"github.com/hybridos-net/hybridos/wallet/ticket"
)

// target is a device with the right that is used on it.
type target struct {
	name  string
	id    key.DeviceID
	key   key.Public
	addrs []string
	epoch uint64
	grant *tx.ID // nil: as owner
	body  []byte // of the grant, if it is private
}

// target finds the device and the right to use: the owner's own, the named
// grant, or for a guest the newest invitation that covers the method.
func (s *session) target(text string, m draft.Method, grantText string) (target, error) {
	d, err := s.home.FindDevice(text)
	if err != nil {
		return target{}, doing("find the device", err)
	}
	t := target{name: d.Name, id: d.ID, key: d.Key, addrs: d.Addrs, epoch: d.Epoch}
	if grantText == "" && !d.Guest {
		return t, nil
	}
	invites, err := s.invites()
	if err != nil {
		return t, doing("read the invitations", err)
	}
	if grantText != "" {
		return s.named(t, invites, grantText)
	}
	i, ok := s.fitting(invites, d, m)
	if !ok {
		return t, fail(exitNotFound, "no_grant", "ask the owner for a grant; hos grant list", "%s of %s: %w", m, d.Name, errNoGrant)
	}
	return t.with(i), nil
}

// named uses the grant that the person named, whether it covers the method or
// not: the device judges.
func (s *session) named(t target, invites []ticket.Invite, text string) (target, error) {
	id, err := s.home.FindGrant(text)
	if err != nil {
		return t, doing("find the grant", err)
	}
	for _, i := range invites {
		if i.ID() == id && i.Target.Device == t.id {
			return t.with(i), nil
		}
	}
	t.grant = &id
	return t, nil
}

func (t target) with(i ticket.Invite) target {
	id := i.ID()
	t.grant, t.body, t.epoch, t.key = &id, i.Private, i.Target.Epoch, i.Device
	if len(i.Addrs) > 0 {
		t.addrs = i.Addrs
	}
	return t
}

// fitting picks the newest invitation that covers the method, rather one that
// holds now than one that does not.
func (s *session) fitting(invites []ticket.Invite, d home.Device, m draft.Method) (ticket.Invite, bool) {
	now := s.app.cfg.Now()
	var best ticket.Invite
	found := false
	for _, i := range invites {
		if i.Chain != s.chain || !i.Grant.Covers(d.ID, i.Target.Epoch, m.Endpoint, m.Name) {
			continue
		}
		if holds(i.Grant, now) || !found {
			best, found = i, true
		}
	}
	return best, found
}

const (
	// resends is how often the same bytes go out again when no answer came. The
	// device answers a repeated command with the receipt of the first.
	resends = 3
	// catchUp is how long a device gets to catch up with the ledger, and pause
	// is between two tries.
	catchUp = 15 * time.Second
	pause   = time.Second
)

// invoke signs a command and sends it until the device has given an answer. An
// owner whose device was handed back and forth learns the new epoch from the
// ledger and signs once more.
func (s *session) invoke(ctx context.Context, r *keystore.Ring, t target, m draft.Method, params []byte) (*command.Receipt, error) {
	ctx, cancel := s.app.bound(ctx)
	defer cancel()
	done := s.app.progress("waiting for " + t.name)
	defer done()
	receipt, err := s.invokeOnce(ctx, r.Account(), r.Active(), t, m, params)
	if err != nil || t.grant != nil || !mayBeOldNews(receipt.Body.Code) {
		return receipt, err
	}
	fresh, k, changed, err := s.refresh(ctx, r, t)
	if err != nil || !changed {
		// The device has answered; a ledger that does not is no news about that.
		return receipt, nil
	}
	return s.invokeOnce(ctx, r.Account(), k, fresh, m, params)
}

// mayBeOldNews reports whether a refusal can come from what this wallet has
// not heard yet.
func mayBeOldNews(c command.Code) bool { return c == command.StaleEpoch || c == command.UnknownKey }

// refresh reads epoch and key from the ledger.
func (s *session) refresh(ctx context.Context, r *keystore.Ring, t target) (target, *key.Private, bool, error) {
	v, err := s.net.View(ctx)
	if err != nil {
		return t, nil, false, err
	}
	rec, err := state.GetDevice(v, t.id)
	if err != nil {
		return t, nil, false, err
	}
	p, err := party(v, r)
	if err != nil {
		return t, nil, false, err
	}
	if rec.Owner == nil || *rec.Owner != p.Account || (rec.Epoch == t.epoch && p.Key == r.Active()) {
		return t, nil, false, nil
	}
	t.epoch = rec.Epoch
	d, err := s.home.FindDevice(t.id.String())
	if err == nil {
		d.Epoch, d.Guest = rec.Epoch, false
		_, err = s.home.PutDevice(ctx, d)
	}
	return t, p.Key, true, err
}

func (s *session) invokeOnce(ctx context.Context, account key.AccountID, k *key.Private, t target, m draft.Method, params []byte) (*command.Receipt, error) {
	caller, err := s.caller(ctx, account, k, t)
	if err != nil {
		return nil, err
	}
	cmd, err := caller.Sign(s.call(t, m, params))
	if err != nil {
		return nil, fmt.Errorf("write the command: %w", err)
	}
	return s.sendUntilAnswered(ctx, t, cmd)
}

// caller signs the next command to a device, with a number of its own.
func (s *session) caller(ctx context.Context, account key.AccountID, k *key.Private, t target) (sdk.Caller, error) {
	lane, err := s.home.NextNonce(ctx, t.id, s.app.cfg.Random)
	if err != nil {
		return sdk.Caller{}, fmt.Errorf("take a command number: %w", err)
	}
	return sdk.Caller{Chain: s.chain, Key: k, Principal: account, Grant: t.grant, Salt: lane.Salt,
		Nonce: func() (uint64, error) { return lane.Nonce, nil }, Now: s.app.cfg.Now}, nil
}

// call is what a command asks of a device.
func (s *session) call(t target, m draft.Method, params []byte) sdk.Call {
	return sdk.Call{Device: t.id, Epoch: t.epoch, Endpoint: m.Endpoint, Method: m.Name, Params: params, Body: t.body, Seen: s.net.Known().Height}
}

// heals reports whether a deferred command is worth waiting for: hours and rates
// take longer than anybody waits, and signatures do not get better.
func heals(c command.Code) bool {
	switch c {
	case command.OutsideWindow, command.GrantRate, command.ExtraSigner, command.BadSignature, command.HighS:
		return false
	default:
		return true
	}
}

// sendUntilAnswered sends the very same bytes again where that is safe: when
// no answer came, or when the device must first catch up with the ledger. That
// a later try did not reach the device says nothing about an earlier one that did:
// its outcome stays unknown until the device has signed one.
func (s *session) sendUntilAnswered(ctx context.Context, t target, cmd *command.Command) (*command.Receipt, error) {
	patience, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	var unknown error
	for lost, rounds := 0, 0; ; {
		receipt, err := s.net.Send(ctx, t.key, t.addrs, cmd)
		switch {
		case errors.Is(err, sdk.NoReceipt) && lost < resends && ctx.Err() == nil:
			lost++
			unknown = err
			continue
		case errors.Is(err, sdk.Unreachable) && unknown != nil:
			return nil, unknown
		case err != nil:
			return nil, err
		case receipt.Body.Status != command.Deferred || !heals(receipt.Body.Code):
			return receipt, nil
		}
		unknown = nil // deferred: nothing has been done so far
		if more, ok := s.bring(patience, cmd, receipt, rounds); ok {
			cmd, rounds = more, rounds+1
			continue
		}
		select {
		case <-patience.Done():
			return receipt, nil
		case <-time.After(pause):
		}
	}
}
