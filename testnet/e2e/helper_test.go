package e2e

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/deviceos/agent"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/testnet/harness"
)

// awaitLine reads until a line begins with text.
func awaitLine(t *testing.T, r io.Reader, text string) {
	t.Helper()
	b := bufio.NewReader(r)
	for {
		line, err := b.ReadString('\n')
		if strings.HasPrefix(line, text) {
			return
		}
		if err != nil {
			t.Fatalf("no line begins with %q: %v", text, err)
		}
	}
}

// drain lets the writer of a pipe end; what it says does not matter.
func drain(r io.Reader) { _, _ = io.Copy(io.Discard, r) }

func ownedAndAt(height int64) func(agent.Status) bool {
	return func(s agent.Status) bool { return s.Owner != nil && s.Height >= height }
}

// door is a network with a paired lock, and what is needed to send it any
// bytes.
type door struct {
	t      *testing.T
	ctx    context.Context
	net    *harness.Network
	client *harness.Client
	owner  harness.Person
	dev    harness.Device
	remote *sdk.Device
	caller sdk.Caller // with the owner's key
}

// pairedDoor brings a network up and pairs its lock with the real wallet.
func pairedDoor(t *testing.T) *door {
	t.Helper()
	return pairedDoorOn(t, "default")
}

// pairedDoorOn does so on a network that has a name.
func pairedDoorOn(t *testing.T, name string) *door {
	t.Helper()
	n, ctx := up(t, shape(t, name))
	d := &door{t: t, ctx: ctx, net: n, owner: must(n.NewPerson(ctx, harness.OwnerName))(t)}
	d.hos(0, "key", "new")
	d.hos(0, "device", "pair", "--name", "dev1", must(n.PairingCode(ctx, "dev1"))(t))
	d.client = must(n.Dial())(t)
	t.Cleanup(func() {
		if err := d.client.Close(); err != nil {
			t.Error(err)
		}
	})
	d.dev = must(n.Device("dev1"))(t)
	d.remote = must(d.client.Device(d.dev.Key, d.dev.Addrs))(t)
	ring := must(d.owner.Keys())(t)
	t.Cleanup(ring.Zero)
	d.caller = d.newCaller(ring.Active(), ring.Account())
	d.hos(0, "door", "open", "dev1")
	d.moves(1)
	return d
}

// newCaller signs in a lane of its own.
func (d *door) newCaller(k *key.Private, principal key.AccountID) sdk.Caller {
	d.t.Helper()
	var salt [8]byte
	if _, err := rand.Read(salt[:]); err != nil {
		d.t.Fatal(err)
	}
	n := uint64(0)
	return sdk.Caller{
		Chain: d.client.Chain(), Key: k, Principal: principal, Salt: binary.BigEndian.Uint64(salt[:]),
		Nonce: func() (uint64, error) { n++; return n, nil },
	}
}

func (d *door) hos(exit int, args ...string) harness.Answer {
	d.t.Helper()
	a := must(d.net.Hos(d.ctx, d.owner, args...))(d.t)
	if a.Exit != exit {
		d.t.Fatalf("hos %v: exit code %d, want %d\n%s", args, a.Exit, exit, a.Talk)
	}
	return a
}

// open sends a signed command to open and returns the device's verified answer.
func (d *door) open(c sdk.Caller, epoch uint64, seen int64) *command.Receipt {
	d.t.Helper()
	cmd, err := c.Sign(sdk.Call{Device: d.dev.ID, Epoch: epoch, Endpoint: "lock", Method: "open", Seen: seen})
	if err != nil {
		d.t.Fatal(err)
	}
	return must(d.remote.Send(d.ctx, cmd))(d.t)
}

// moves checks the bolt's own count.
func (d *door) moves(want int) {
	d.t.Helper()
	if got := len(must(d.net.Actuations("dev1"))(d.t)); got != want {
		d.t.Fatalf("the bolt moved %d times, want %d", got, want)
	}
}

// restart starts the device's agent anew, with other nodes to ask.
func (d *door) restart(nodes ...string) {
	d.t.Helper()
	if err := d.net.Stop(d.ctx, "dev1-agent"); err != nil {
		d.t.Fatal(err)
	}
	if err := d.net.UseNodes("dev1", nodes...); err != nil {
		d.t.Fatal(err)
	}
	if err := d.net.Start(d.ctx, "dev1-agent"); err != nil {
		d.t.Fatal(err)
	}
}
