package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/light"
)

// lightRow is what a light client takes to follow the network.
type lightRow struct {
	Steps int           // headers verified, each from the one before
	Step  time.Duration // processor time of one of them, decoding included
	Jump  time.Duration // of the last one, verified from genesis
	Bytes int           // of a light block
}

const (
	lightSteps  = 20
	lightRounds = 20 // clients that follow, for a figure above the clock's grain
)

// unasked is a source that is never needed: every header is offered.
type unasked struct{}

func (unasked) LightBlock(context.Context, int64) ([]byte, error) { return nil, errUnasked }

func (unasked) Prove(context.Context, []byte, int64) (light.Proof, error) {
	return light.Proof{}, errUnasked
}

var errUnasked = fmt.Errorf("the light client asks for what it was offered")

// lightSteps lets light clients follow headers that the network has made.
func (n *network) lightSteps(ctx context.Context) (row lightRow, err error) {
	status, err := n.rpc[0].Status(ctx)
	if err != nil {
		return row, err
	}
	last := status.SyncInfo.LatestBlockHeight - 1 // its commit stands in the next block
	var raws [][]byte
	for h := int64(1); h <= min(last, lightSteps); h++ {
		raw, err := n.lightBlock(ctx, h)
		if err != nil {
			return row, err
		}
		raws = append(raws, raw)
	}
	row = lightRow{Steps: len(raws), Bytes: len(raws[len(raws)-1])}
	if row.Step, err = n.follow(ctx, raws); err != nil {
		return row, err
	}
	row.Jump, err = n.follow(ctx, raws[len(raws)-1:])
	return row, err
}

// follow gives the processor time of one header, offered to fresh clients.
func (n *network) follow(ctx context.Context, raws [][]byte) (time.Duration, error) {
	used := ownCPU()
	for range lightRounds {
		c, err := light.New(light.Config{Genesis: n.doc, Source: unasked{}})
		if err != nil {
			return 0, err
		}
		for _, raw := range raws {
			if _, err := c.Offer(ctx, raw); err != nil {
				return 0, err
			}
		}
	}
	return (ownCPU() - used) / time.Duration(lightRounds*len(raws)), nil
}

// lightBlock puts a height's header, commit and validators together as nodes
// serve them.
func (n *network) lightBlock(ctx context.Context, height int64) ([]byte, error) {
	commit, err := n.rpc[0].Commit(ctx, &height)
	if err != nil {
		return nil, err
	}
	vals, err := n.rpc[0].Validators(ctx, &height, nil, nil)
	if err != nil {
		return nil, err
	}
	set, err := types.ValidatorSetFromExistingValidators(vals.Validators)
	if err != nil {
		return nil, err
	}
	p, err := (&types.LightBlock{SignedHeader: &commit.SignedHeader, ValidatorSet: set}).ToProto()
	if err != nil {
		return nil, err
	}
	return p.Marshal()
}
