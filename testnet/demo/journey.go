package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/testnet/harness"
)

// start brings the network up.
func (w *world) start(ctx context.Context) (string, error) {
	if err := w.net.Up(ctx); err != nil {
		return "", err
	}
	var err error
	if w.client, err = w.net.Dial(); err != nil {
		return "", err
	}
	head, err := w.client.Ledger().Update(ctx)
	if err != nil {
		return "", err
	}
	for name, l := range map[string]*lock{"dev1": &w.front, "dev2": &w.garage} {
		if l.Device, err = w.net.Device(name); err != nil {
			return "", err
		}
		if l.remote, err = w.client.Device(l.Key, l.Addrs); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d processes; block %d verified against the genesis document", len(w.net.Running()), head.Height), nil
}

// makeKey uses the wallet folder that every network has.
func (w *world) makeKey(ctx context.Context) (string, error) {
	var err error
	if w.owner, err = w.net.NewPerson(ctx, harness.OwnerName); err != nil {
		return "", err
	}
	var key struct {
		Account string `json:"account"`
	}
	if err := w.hos(ctx, w.owner, &key, "key", "new"); err != nil {
		return "", err
	}
	if w.ring, err = w.owner.Keys(); err != nil {
		return "", err
	}
	if got := w.ring.Account().String(); got != key.Account {
		return "", fmt.Errorf("the key file is of account %s, hos says %s", got, key.Account)
	}
	if w.caller, err = w.newCaller(w.ring); err != nil {
		return "", err
	}
	return "account " + key.Account, nil
}

// pair makes the owner the owner, and has a second try refused.
func (w *world) pair(ctx context.Context) (string, error) {
	for _, l := range []lock{w.front, w.garage} {
		code, err := w.net.PairingCode(ctx, l.Name)
		if err != nil {
			return "", err
		}
		var done struct {
			Device struct {
				ID    string `json:"id"`
				Owner string `json:"owner"`
				Owned bool   `json:"owned"`
			} `json:"device"`
		}
		if err := w.hos(ctx, w.owner, &done, "device", "pair", "--name", l.Name, code); err != nil {
			return "", err
		}
		if !done.Device.Owned || done.Device.ID != l.ID.String() || done.Device.Owner != w.ring.Account().String() {
			return "", fmt.Errorf("%s is owned by %q after pairing", done.Device.ID, done.Device.Owner)
		}
	}
	return "both claims are on the ledger, signed by device and owner, and proven", nil
}

// ownerOpens is the door's first movement.
func (w *world) ownerOpens(ctx context.Context) (string, error) {
	a, err := w.moved(w.front, func() (answer, error) { return w.door(ctx, w.owner, "open", w.front) })
	if err != nil {
		return "", err
	}
	n, err := w.count(w.front)
	if err == nil && n != 1 {
		err = fmt.Errorf("the bolt counts %d movements, not 1", n)
	}
	return fmt.Sprintf("receipt %d of the lock says executed; the bolt counts 1", a.Body.Counter), err
}

// guestOpens lets a second wallet in.
func (w *world) guestOpens(ctx context.Context) (string, error) {
	var err error
	if w.guest, err = w.net.NewPerson(ctx, "guest"); err != nil {
		return "", err
	}
	var key struct {
		Public string `json:"public"`
	}
	if err := w.hos(ctx, w.guest, &key, "key", "new"); err != nil {
		return "", err
	}
	w.guestKey = key.Public
	var grant struct {
		Grant      string `json:"grant"`
		Invitation string `json:"invitation"`
	}
	if err := w.hos(ctx, w.owner, &grant, "grant", "add", "--device", w.front.Name, "--to", key.Public, "--method", "lock.open", "--for", "1h"); err != nil {
		return "", err
	}
	w.guestGrant = grant.Grant
	if err := w.hos(ctx, w.guest, nil, "grant", "accept", "--name", w.front.Name, grant.Invitation); err != nil {
		return "", err
	}
	a, err := w.moved(w.front, func() (answer, error) { return w.door(ctx, w.guest, "open", w.front) })
	if err != nil {
		return "", err
	}
	if _, err := w.refused(w.front, command.NotGranted, func() (answer, error) {
		return w.door(ctx, w.guest, "unlock", w.front, "--grant", w.guestGrant)
	}); err != nil {
		return "", fmt.Errorf("a method that was not granted: %w", err)
	}
	return fmt.Sprintf("receipt %d says executed; what was not granted is refused (%s)", a.Body.Counter, command.NotGranted), nil
}

// blocksToRevoke is how soon after the block of a revocation a device must obey
// it.
const blocksToRevoke = 2

// guestRefused sends the guest's command again and again until it is refused,
// and looks at which height the device did so. One accepted under a header that
// vouches for the revocation would be a fault.
func (w *world) guestRefused(ctx context.Context) (string, error) {
	var done struct {
		Height uint64 `json:"height"`
	}
	if err := w.hos(ctx, w.owner, &done, "grant", "revoke", w.guestGrant); err != nil {
		return "", err
	}
	for {
		a, err := w.door(ctx, w.guest, "open", w.front)
		switch {
		case err != nil:
			return "", err
		case a.Body.Status == command.Executed && a.Body.Height > done.Height:
			return "", fmt.Errorf("executed at height %d, revoked in block %d", a.Body.Height, done.Height)
		case a.Body.Status == command.Executed:
			w.detail("the device stands at %d and has not heard of block %d", a.Body.Height, done.Height)
			continue
		case a.Body.Code != command.GrantRevoked:
			return "", fmt.Errorf("refused with %s, not %s", a.Body.Code, command.GrantRevoked)
		case a.Body.Height > done.Height+blocksToRevoke:
			return "", fmt.Errorf("refused at height %d only, revoked in block %d", a.Body.Height, done.Height)
		}
		if _, err := w.refused(w.front, command.GrantRevoked, func() (answer, error) { return w.door(ctx, w.guest, "open", w.front) }); err != nil {
			return "", errors.Join(errors.New("a second try"), err)
		}
		return fmt.Sprintf("revoked in block %d, refused at block %d (%s); the bolt did not move", done.Height, a.Body.Height, a.Body.Code), nil
	}
}
