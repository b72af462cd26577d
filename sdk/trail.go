package sdk

import (
	"context"
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/audit"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/p2p/receipts"
)

// TrailRequest is the params of a command device.receipts of this client.
func (c *Client) TrailRequest(from uint64) []byte {
	return receipts.Request{From: from, Peer: []byte(c.cfg.Host.ID())}.Bytes()
}

// Trail sends a command device.receipts, with the params of TrailRequest, and gives
// the device's verified answer and the entries that it sends. Those are for
// chain/audit to check. Errors are those of Send.
func (d *Device) Trail(ctx context.Context, cmd *command.Command) (*command.Receipt, [][]byte, error) {
	raw, entries, err := receipts.Fetch(ctx, d.c.cfg.Host, d.peer, cmd.Bytes())
	switch {
	case err != nil && raw == nil:
		return nil, nil, &Error{Kind: Unreachable, Detail: fmt.Sprintf("device %s", d.key.DeviceID()), Cause: err}
	case err != nil:
		return nil, nil, &Error{Kind: NoReceipt, Detail: "the receipts did not come to their end", Cause: err}
	}
	r, err := d.verify(raw, cmd)
	return r, entries, err
}

// Audited gathers what a file of an audit needs: headers from the genesis document
// on, and proofs of all that the entries touch.
func (c *Client) Audited(ctx context.Context, d *Device, entries [][]byte) (*audit.File, error) {
	id := d.key.DeviceID()
	e, err := light.Gather(ctx, light.Gathering{
		Genesis: c.cfg.Genesis, Source: source{c.fetch, len(c.nodes)}, Now: c.cfg.Now, Caps: audit.Caps,
		Read: func(v state.View) error {
			_, err := audit.Read(v, c.chain, id, entries)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	if len(e.Proofs) == 0 {
		return nil, errors.New("the audit is too long for one file; begin at a later receipt")
	}
	return &audit.File{Device: id, Evidence: e, Entries: entries}, nil
}
