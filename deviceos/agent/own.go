package agent

import (
	"context"
	"encoding/json"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/p2p/receipts"
)

// own carries out the methods that the device has of itself, whatever apps there
// are: endpoint "device". A new one gets a row here and in deviceos/peripheral.
type own struct {
	gate *gate.Gate // set when it is open
}

func (o *own) actuate(order gate.Order) ([]byte, error) {
	switch order.Body.Method {
	case peripheral.ReceiptsMethod:
		return o.receipts(order)
	case peripheral.AnchorMethod:
		return o.anchor(order)
	default:
		return nil, nothingDone(command.NoMethod, "no %s at %s", order.Body.Method, order.Body.Endpoint)
	}
}

// receipts tells how many receipts there are. The receipts themselves go over a
// stream of their own, see serveReceipts.
func (o *own) receipts(order gate.Order) ([]byte, error) {
	if _, err := receipts.ParseRequest(order.Body.Params); err != nil {
		return nil, nothingDone(command.Malformed, "params: %v", err)
	}
	return json.Marshal(map[string]uint64{"receipts": o.gate.Receipts()})
}

// anchor signs that the device's chain of receipts stands where the owner's
// transaction says.
func (o *own) anchor(order gate.Order) ([]byte, error) {
	t, err := tx.Decode(order.Body.Params)
	if err != nil {
		return nil, nothingDone(command.Malformed, "params: %v", err)
	}
	sig, err := o.gate.SignAnchor(t)
	if err != nil {
		return nil, nothingDone(command.Failed, "%v", err)
	}
	return sig, nil
}

// trailOf judges the command that begins a stream of receipts like any other;
// entries follow if it was done and names the very peer that asks.
func trailOf(g *gate.Gate) receipts.Handler {
	return func(ctx context.Context, from peer.ID, raw []byte) ([]byte, func(func([]byte) error) error) {
		answer := g.Handle(ctx, from.String(), raw)
		r, err := command.DecodeReceipt(answer)
		if err != nil || r.Body.Status != command.Executed {
			return answer, nil
		}
		c, err := command.Decode(raw)
		if err != nil || c.Body.Endpoint != peripheral.Self || c.Body.Method != peripheral.ReceiptsMethod {
			return answer, nil
		}
		q, err := receipts.ParseRequest(c.Body.Params)
		if err != nil || string(q.Peer) != string(from) {
			return answer, nil
		}
		return answer, func(send func([]byte) error) error { return g.Trail(q.From, send) }
	}
}
