package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/agent"
	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// TestAgent_StreamEndsWithTheGrant: a guest who says nothing more loses the
// stream to the very head that shows the revocation (no later block is made);
// the owner's stays.
func TestAgent_StreamEndsWithTheGrant(t *testing.T) {
	d := newDevice(t)
	start(t, "hos-lock", "--bus", d.bus, "--log", filepath.Join(filepath.Dir(d.home), "actuations.jsonl"), "--key", d.lockKey)
	d.pair()
	grant := d.execute(&tx.CreateGrant{
		Grantee: d.guest.Public(), NotBefore: 1, NotAfter: uint64(time.Now().Unix()) + 3600,
		Targets: []tx.Target{{Device: d.info.Device, Epoch: 1, Endpoint: "lock", Methods: []string{"lock"}}},
	})
	run, err := agent.ReadRun(d.home)
	if err != nil {
		t.Fatal(err)
	}
	to, err := peer.AddrInfoFromString(run.Listen[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	guest := p2ptest.Slim(t)
	if err := guest.Connect(ctx, *to); err != nil {
		t.Fatal(err)
	}
	stream, err := guest.NewStream(ctx, to.ID, topic.Command)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	raw := d.command("lock", &grant)
	if err := frame.NewWriter(stream, topic.MaxCommand).Write([]byte{1}, raw); err != nil {
		t.Fatal(err)
	}
	in := frame.NewReader(stream, topic.MaxReceipt)
	answer, err := in.Next()
	if err != nil || d.decode(raw, answer[1:]).Body.Code != command.OK {
		t.Fatalf("the guest may not lock: %v", err)
	}
	d.execute(&tx.RevokeGrant{Grant: grant})
	if _, err := in.Next(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the stream of a revoked grant goes on: %v\n%s", err, d.agent.stderr)
	}
	if got := d.want(d.command("open", nil), command.Executed, command.OK); got.Body.Height != d.seen {
		t.Errorf("ended at height %d, revoked at %d", got.Body.Height, d.seen)
	}
}
