package gate

import (
	"context"
	"errors"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
)

// Follow makes a light client the ledger of a gate.
func Follow(c *light.Client) Ledger { return ledger{c} }

// ledger shows the light client to the gate.
type ledger struct {
	client *light.Client
}

var _ Ledger = ledger{}

// Head is the newest verified head.
func (l ledger) Head() Head { return headOf(l.client.Head()) }

// View reads proven records.
func (l ledger) View(ctx context.Context) (state.View, Head) {
	v := l.client.View(ctx)
	return v, headOf(v.Head())
}

// Update asks for the newest head.
func (l ledger) Update(ctx context.Context) (Head, error) {
	h, err := l.client.Update(ctx)
	return headOf(h), err
}

// Present verifies evidence.
func (l ledger) Present(evidence []byte, believe func(vouch []byte, h Head) error) error {
	err := l.client.Present(evidence, func(vouch []byte, h light.Head) error { return believe(vouch, headOf(h)) })
	if errors.Is(err, light.AnchorExpired) {
		return &command.Error{Code: command.AnchorExpired, Detail: err.Error()}
	}
	return err
}

// Expired reports that the trusting period is over.
func (l ledger) Expired() bool { return l.client.Expired() }

func headOf(h light.Head) Head {
	return Head{Height: uint64(h.Height), Hash: h.Hash, Time: h.Time}
}
