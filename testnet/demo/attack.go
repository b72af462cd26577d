package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/sdk"
)

// forged sends what looks like the owner's command but is not signed by the
// owner.
func (w *world) forged(ctx context.Context) (string, error) {
	if _, err := w.client.Ledger().Update(ctx); err != nil {
		return "", err
	}
	stranger, err := key.Generate(rand.Reader)
	if err != nil {
		return "", err
	}
	for _, f := range []struct {
		what string
		code command.Code
		make func() (*command.Command, error)
	}{
		{"one bit of the owner's signature is flipped", command.BadSignature, func() (*command.Command, error) {
			return w.flipped()
		}},
		{"a stranger signs in the owner's name", command.UnknownKey, func() (*command.Command, error) {
			c := w.caller
			c.Key = stranger
			return c.Sign(w.call(w.front, "open"))
		}},
		{"a stranger signs and names the owner's key", command.BadSignature, func() (*command.Command, error) {
			return w.impostor(stranger)
		}},
	} {
		cmd, err := f.make()
		if err != nil {
			return "", err
		}
		if _, err := w.refused(w.front, f.code, func() (answer, error) { return w.send(ctx, w.front, cmd) }); err != nil {
			return "", fmt.Errorf("%s: %w", f.what, err)
		}
		w.detail("%s: %s", f.what, f.code)
	}
	return "three forgeries, each refused by a signed receipt; no bolt moved", nil
}

// flipped is the owner's command with one bit of the signature's r changed.
func (w *world) flipped() (*command.Command, error) {
	cmd, err := w.caller.Sign(w.call(w.front, "open"))
	if err != nil {
		return nil, err
	}
	cmd.Sigs[0].Bytes = slices.Clone(cmd.Sigs[0].Bytes)
	cmd.Sigs[0].Bytes[31] ^= 1
	return cmd, nil
}

// impostor is a command that names the owner's key and is signed by another.
func (w *world) impostor(stranger *key.Private) (*command.Command, error) {
	cmd, err := w.caller.Sign(w.call(w.front, "open"))
	if err != nil {
		return nil, err
	}
	cmd.Sigs = []command.Sig{{Key: w.caller.Key.Public().ID(), Bytes: stranger.Sign(cmd.Digest(w.client.Chain()))}}
	return cmd, nil
}

// replayed sends the bytes of an executed command again, and another command
// with its number.
func (w *world) replayed(ctx context.Context) (string, error) {
	nonce, err := w.caller.Nonce()
	if err != nil {
		return "", err
	}
	once := w.caller
	once.Nonce = func() (uint64, error) { return nonce, nil }
	if w.opened, err = once.Sign(w.call(w.front, "open")); err != nil {
		return "", err
	}
	first, err := w.moved(w.front, func() (answer, error) { return w.send(ctx, w.front, w.opened) })
	if err != nil {
		return "", fmt.Errorf("the command itself: %w", err)
	}
	if err := w.again(ctx, first); err != nil {
		return "", err
	}
	other, err := once.Sign(w.call(w.front, "lock"))
	if err != nil {
		return "", err
	}
	if _, err := w.refused(w.front, command.Replayed, func() (answer, error) { return w.send(ctx, w.front, other) }); err != nil {
		return "", fmt.Errorf("another command with the same number: %w", err)
	}
	return fmt.Sprintf("the same bytes get the same receipt, byte for byte; another body with the number is refused (%s)", command.Replayed), nil
}

// again expects the byte-identical receipt and no movement.
func (w *world) again(ctx context.Context, first answer) error {
	before, err := w.counts()
	if err != nil {
		return err
	}
	second, err := w.send(ctx, w.front, w.opened)
	if err != nil {
		return fmt.Errorf("the replay: %w", err)
	}
	after, err := w.counts()
	switch {
	case err != nil:
		return err
	case !bytes.Equal(first.raw, second.raw):
		return fmt.Errorf("the replay gets another receipt: %s (%s)", second.Body.Status, second.Body.Code)
	case before != after:
		return fmt.Errorf("the replay moved a bolt: %v before, %v after", before, after)
	}
	return nil
}

// crossDevice shows the front door's commands to the garage, which obeys the
// same owner.
func (w *world) crossDevice(ctx context.Context) (string, error) {
	fresh, err := w.caller.Sign(w.call(w.front, "open"))
	if err != nil {
		return "", err
	}
	for _, cmd := range []*command.Command{w.opened, fresh} {
		if _, err := w.refused(w.garage, command.WrongDevice, func() (answer, error) { return w.send(ctx, w.garage, cmd) }); err != nil {
			return "", err
		}
	}
	// The garage is well: its own command works.
	own := sdk.Call(w.call(w.garage, "open"))
	cmd, err := w.caller.Sign(own)
	if err != nil {
		return "", err
	}
	if _, err := w.moved(w.garage, func() (answer, error) { return w.send(ctx, w.garage, cmd) }); err != nil {
		return "", fmt.Errorf("the garage's own command: %w", err)
	}
	return fmt.Sprintf("an executed and a fresh command of the front door: %s; the garage's own works", command.WrongDevice), nil
}
