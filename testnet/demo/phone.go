package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/testnet/browser"
)

// phoneOpens makes a real browser a key of the account, by the page that a node
// serves, and opens the door with it.
func (w *world) phoneOpens(ctx context.Context) (string, error) {
	path, err := browser.Find()
	if err != nil {
		return "", fmt.Errorf("%w: %w", errLeftOut, err)
	}
	if w.phone, err = browser.Start(ctx, path); err != nil {
		return "", err
	}
	if err := w.addPhone(ctx); err != nil {
		return "", err
	}
	if w.phoneKey, err = w.provenPhone(ctx); err != nil {
		return "", err
	}
	before, err := w.count(w.front)
	if err != nil {
		return "", err
	}
	w.detail("phone$ press Open")
	p, err := w.phone.Open(ctx, w.front.ID)
	if err != nil {
		return "", err
	}
	after, err := w.count(w.front)
	if err == nil && (p.State != browser.Executed || after != before+1) {
		err = fmt.Errorf("the page says %s, the bolt moved %d times", p.State, after-before)
	}
	return fmt.Sprintf("the passkey %.14s… may open and nothing else; the page is green by the lock's receipt; the bolt moved once", w.phoneKey), err
}

// addPhone runs the wallet and the page side by side.
func (w *world) addPhone(ctx context.Context) error {
	w.detail("owner$ hos key add-phone")
	talk, err := w.net.StartHos(ctx, w.owner, "key", "add-phone")
	if err != nil {
		return err
	}
	line, err := talk.Line("#phone=")
	if err == nil {
		link := browser.Link(line)
		w.detail("phone$ open %.40s…, create the passkey, confirm", link)
		err = w.phone.Join(ctx, link, true)
	}
	a, ended := talk.Wait()
	if err == nil && a.Exit != 0 {
		err = fmt.Errorf("hos key add-phone: exit code %d: %s", a.Exit, bytes.TrimSpace(a.Talk))
	}
	return errors.Join(err, ended)
}

// provenPhone finds the phone's key in the proven record of the account.
func (w *world) provenPhone(ctx context.Context) (key.KeyID, error) {
	view, err := w.client.View(ctx)
	if err != nil {
		return key.KeyID{}, err
	}
	a, err := state.GetAccount(view, w.ring.Account())
	if err != nil {
		return key.KeyID{}, err
	}
	for _, k := range a.KeySet.Keys {
		if k.Key.Alg != key.Passkey {
			continue
		}
		if k.Rights != tx.RightInvoke {
			return key.KeyID{}, fmt.Errorf("the phone's key has the rights %d", k.Rights)
		}
		return k.Key.ID(), nil
	}
	return key.KeyID{}, errors.New("the account lists no passkey")
}

// phoneRevoked presses the button again and again until the device refuses.
func (w *world) phoneRevoked(ctx context.Context) (string, error) {
	if w.phone == nil {
		return "", fmt.Errorf("%w: there is no phone", errLeftOut)
	}
	var done struct {
		Height int64 `json:"height"`
	}
	if err := w.hos(ctx, w.owner, &done, "key", "revoke", w.phoneKey.String()); err != nil {
		return "", err
	}
	for {
		before, err := w.count(w.front)
		if err != nil {
			return "", err
		}
		p, err := w.phone.Open(ctx, w.front.ID)
		if err != nil {
			return "", err
		}
		after, err := w.count(w.front)
		if err != nil {
			return "", err
		}
		switch {
		case p.State == browser.Executed && after == before+1:
			head, err := w.client.Ledger().Update(ctx)
			if err != nil {
				return "", err
			}
			if head.Height > done.Height+blocksToRevoke {
				return "", fmt.Errorf("executed when the ledger stood at %d, revoked in block %d", head.Height, done.Height)
			}
			w.detail("the device has not heard of block %d yet", done.Height)
		case p.State != "refused" || after != before:
			return "", fmt.Errorf("the page says %s, the bolt moved %d times", p.State, after-before)
		default:
			return fmt.Sprintf("revoked in block %d; the page shows the lock's refusal; the bolt did not move", done.Height), nil
		}
	}
}
