package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/sdk"
)

// unreachable is what a device without a network asks.
type unreachable struct{}

var errUnreachable = errors.New("nobody answers")

func (unreachable) LightBlock(context.Context, int64) ([]byte, error) { return nil, errUnreachable }

func (unreachable) Prove(context.Context, []byte, int64) (light.Proof, error) {
	return light.Proof{}, errUnreachable
}

// TestClient_WithEvidence: what the client brings convinces a light client that
// reaches nobody, and the command stays the same.
func TestClient_WithEvidence(t *testing.T) {
	h := newHome(t)
	device, err := light.New(light.Config{Genesis: h.ledger.Doc, Source: unreachable{}, Now: h.ledger.Now})
	if err != nil {
		t.Fatal(err)
	}
	cmd := h.open(t)
	id := h.lock.Key.Public().DeviceID()
	for round := range 2 {
		head := device.Head()
		r := &command.Receipt{Body: command.ReceiptBody{Device: id, Epoch: 1, Status: command.Deferred, Code: command.Stale, Height: uint64(head.Height), HeadHash: head.Hash}}
		if round == 1 {
			r.Body.Code = command.NotSealed // that there is none is proven too
		}
		more, err := h.client.WithEvidence(patience(t), cmd, r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if more.ID(h.client.Chain()) != cmd.ID(h.client.Chain()) || !bytes.Equal(more.Bare().Bytes(), cmd.Bytes()) {
			t.Error("another command")
		}
		if _, err := command.Decode(more.Bytes()); err != nil {
			t.Error(err)
		}
		if err := device.Present(more.Evidence, nil); err != nil {
			t.Fatal(err)
		}
		if err := state.ReadRights(device.View(t.Context()), h.client.Chain(), id, 1, nil); err != nil {
			t.Error(err)
		}
		h.newLock(t)
	}
	if _, err := state.GetSeal(device.View(t.Context()), id, [32]byte(cmd.ID(h.client.Chain()))); !errors.Is(err, state.NoSeal) {
		t.Errorf("the seal: %v", err)
	}
	alone := newClient(t, h.ledger, nil, nobody)
	if _, err := alone.WithEvidence(patience(t), cmd, &command.Receipt{}, nil); !errors.Is(err, sdk.NoNode) {
		t.Errorf("without a node: %v", err)
	}
}

// TestChallenges: only what was not done for want of news asks for some.
func TestChallenges(t *testing.T) {
	for _, c := range command.Codes() {
		for _, s := range []command.Status{command.Executed, command.Rejected, command.Deferred, command.Unknown} {
			r := &command.Receipt{Body: command.ReceiptBody{Status: s, Code: c}}
			want := s == command.Deferred && (c == command.Stale || c == command.NotSealed || c == command.AnchorExpired)
			if sdk.Challenges(r) != want {
				t.Errorf("%s %s", s, c)
			}
		}
	}
}
