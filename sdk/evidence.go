package sdk

import (
	"context"
	"errors"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Challenges reports whether a receipt asks for evidence: the device has done
// nothing for want of news of the ledger, and names the head from which it wants
// to be led on. With light.AnchorExpired's code it wants an owner's word as well.
func Challenges(r *command.Receipt) bool {
	return r.Body.Status == command.Deferred && r.Body.Code.Challenges()
}

// WithEvidence gives the same command with what the device asked for in a
// receipt, collected from the nodes: it is no other command, and safe to send. A
// device that is many changes of validators behind may ask again, from where that
// led. vouch, if not nil, gives the owner's word for a header.
func (c *Client) WithEvidence(ctx context.Context, cmd *command.Command, r *command.Receipt, vouch func(light.Head) ([]byte, error)) (*command.Command, error) {
	b := &cmd.Body
	var to light.Head
	if vouch != nil {
		v, err := c.View(ctx)
		if err != nil {
			return nil, err
		}
		to = v.Head() // verified here: no node chooses what an owner vouches for
	}
	e, err := light.Gather(ctx, light.Gathering{
		To:      to,
		Genesis: c.cfg.Genesis, Source: source{c.fetch, len(c.nodes)}, Now: c.cfg.Now, Vouch: vouch,
		From: light.Head{Height: int64(r.Body.Height), Hash: r.Body.HeadHash},
		Read: func(v state.View) error {
			err := state.ReadRights(v, c.chain, b.Device, r.Body.Epoch, b.Grant)
			if err != nil || r.Body.Code != command.NotSealed && !b.Notarised() {
				return err
			}
			if _, err = state.GetSeal(v, b.Device, tx.ID(cmd.ID(c.chain))); errors.Is(err, state.NoSeal) {
				return nil // which is proven too
			}
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	out := cmd.Bare()
	out.Evidence = e.Bytes()
	return out, nil
}
