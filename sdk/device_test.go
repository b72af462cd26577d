package sdk_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/topic"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/sdk/sdktest"
)

func TestDevice_Executes(t *testing.T) {
	h := newHome(t)
	cmd := h.open(t)
	r, err := h.device(t).Send(patience(t), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if r.Body.Status != command.Executed || string(r.Body.Result) != "now" {
		t.Errorf("%+v", r.Body)
	}
	if got := h.lock.Ran(); !slices.Equal(got, []command.ID{cmd.ID(h.client.Chain())}) {
		t.Errorf("ran %v", got)
	}
}

// TestDevice_RejectionIsAReceipt: the device's no is an answer, not an error.
func TestDevice_RejectionIsAReceipt(t *testing.T) {
	h := newHome(t)
	caller := h.caller()
	caller.Key = sdktest.Key(t)
	cmd, err := caller.Sign(sdk.Call{Device: h.lock.Key.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Method: "open"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.device(t).Send(patience(t), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if r.Body.Status != command.Rejected || r.Body.Code != command.UnknownKey || len(h.lock.Ran()) != 0 {
		t.Errorf("%+v", r.Body)
	}
}

func TestDevice_BadReceipt(t *testing.T) {
	h := newHome(t)
	other := sdktest.NewDevice(t, h.ledger, sdktest.Key(t))
	cmd := h.open(t)
	id := cmd.ID(h.client.Chain())
	honest := h.lock.Receipt(id, command.Executed, command.OK, nil)
	for name, c := range map[string]struct {
		answer []byte
		kind   error
	}{
		"another device's":     {other.Receipt(id, command.Executed, command.OK, nil), command.WrongDevice},
		"for another command":  {h.lock.Receipt(command.ID{1}, command.Executed, command.OK, nil), command.Malformed},
		"rubbish":              {[]byte("rubbish"), sdk.BadReceipt},
		"trailing bytes":       {append(slices.Clone(honest), 0), sdk.BadReceipt},
		"another key's":        {forge(h, id, h.client.Chain(), sdktest.Key(t)), command.BadSignature},
		"another ledger's":     {forge(h, id, codec.ChainDigest{1}, h.lock.Key), command.BadSignature},
		"executed with a code": {h.lock.Receipt(id, command.Executed, command.Failed, nil), command.Malformed},
	} {
		h.lock.Lie(func([]byte) []byte { return c.answer })
		r, err := h.device(t).Send(patience(t), cmd)
		if !errors.Is(err, sdk.BadReceipt) || !errors.Is(err, c.kind) || r != nil {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	h.lock.Lie(nil)
	if _, err := h.device(t).Send(patience(t), cmd); err != nil {
		t.Errorf("the link does not live on: %v", err)
	}
}

// forge is a receipt in the lock's name.
func forge(h *home, id command.ID, chain codec.ChainDigest, by *key.Private) []byte {
	return command.SignReceipt(chain, command.ReceiptBody{
		Command: id, Device: h.lock.Key.Public().DeviceID(), Epoch: 1, Status: command.Executed,
	}, by).Bytes()
}

func TestDevice_Dead(t *testing.T) {
	h := newHome(t)
	d := h.device(t)
	h.lock.Kill()
	_, err := d.Send(patience(t), h.open(t))
	want(t, err, sdk.Unreachable)
	if errors.Is(err, sdk.NoReceipt) {
		t.Fatal(err)
	}
}

// TestDevice_DeadAfterwards: the link was up, then the device went away.
func TestDevice_DeadAfterwards(t *testing.T) {
	h := newHome(t)
	d := h.device(t)
	if _, err := d.Send(patience(t), h.open(t)); err != nil {
		t.Fatal(err)
	}
	h.lock.Kill()
	ctx, cancel := context.WithTimeout(patience(t), 2*time.Second)
	defer cancel()
	_, err := d.Send(ctx, h.open(t))
	if !errors.Is(err, sdk.Unreachable) && !errors.Is(err, sdk.NoReceipt) {
		t.Fatal(err)
	}
	if n := len(h.lock.Ran()); n != 1 {
		t.Fatalf("ran %d", n)
	}
}

// TestDevice_LostAfterSending: nobody knows whether it was executed; the same
// command again gives the answer.
func TestDevice_LostAfterSending(t *testing.T) {
	h := newHome(t)
	h.lock.Lie(func(raw []byte) []byte {
		h.lock.Answer(raw)
		return nil // executed, and the stream is closed
	})
	d, cmd := h.device(t), h.open(t)
	_, err := d.Send(patience(t), cmd)
	want(t, err, sdk.NoReceipt)
	if errors.Is(err, sdk.Unreachable) || len(h.lock.Ran()) != 1 {
		t.Fatal(err)
	}
	h.lock.Lie(nil)
	if r, err := d.Send(patience(t), cmd); err != nil || r.Body.Command != cmd.ID(h.client.Chain()) {
		t.Fatal(err)
	}
}

func TestDevice_CtxEnds(t *testing.T) {
	h := newHome(t)
	got, hold := make(chan struct{}), make(chan struct{})
	h.lock.Lie(func([]byte) []byte { close(got); <-hold; return nil })
	defer close(hold)
	ctx, cancel := context.WithCancel(patience(t))
	go func() { <-got; cancel() }()
	_, err := h.device(t).Send(ctx, h.open(t))
	want(t, err, sdk.NoReceipt)
	want(t, err, context.Canceled)
	_, err = h.device(t).Send(ctx, h.open(t))
	want(t, err, sdk.Unreachable) // it ended before: surely not sent
}

// TestDevice_CloseDuringSend: what was sent stays unknown; later ones are not sent.
func TestDevice_CloseDuringSend(t *testing.T) {
	h := newHome(t)
	got, hold := make(chan struct{}), make(chan struct{})
	h.lock.Lie(func([]byte) []byte { close(got); <-hold; return nil })
	defer close(hold)
	go func() { <-got; h.client.Close() }()
	d := h.device(t)
	_, err := d.Send(patience(t), h.open(t))
	want(t, err, sdk.NoReceipt)
	want(t, err, link.ErrClosed)
	_, err = d.Send(patience(t), h.open(t))
	want(t, err, sdk.Unreachable)
	want(t, err, link.ErrClosed)
}

// TestDevice_CloseDuringDial: Close neither waits for a dial nor leaks its link;
// nor does a caller who waits for somebody else's dial outlive its ctx.
func TestDevice_CloseDuringDial(t *testing.T) {
	h := newHome(t)
	mute := p2ptest.Slim(t) // connects, and does not agree on the protocol
	opening, hold := make(chan struct{}, 4), make(chan struct{})
	mute.Network().SetStreamHandler(func(s network.Stream) {
		opening <- struct{}{}
		<-hold
		_ = s.Reset()
	})
	defer close(hold)
	d, err := h.client.Device(h.lock.Key.Public(), []string{mute.Addrs()[0].String() + "/p2p/" + mute.ID().String()})
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan error, 1)
	go func() {
		_, err := d.Send(context.Background(), h.open(t))
		first <- err
	}()
	<-opening
	ctx, cancel := context.WithCancel(patience(t))
	cancel()
	_, err = d.Send(ctx, h.open(t))
	want(t, err, context.Canceled)
	if err := h.client.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-first:
		want(t, err, sdk.Unreachable)
	case <-time.After(5 * time.Second): // the host itself gives up after ten
		t.Fatal("the dial goes on after Close")
	}
}

// TestDevice_CloseDuringRedial: so too where a link was lost and is dialled again.
func TestDevice_CloseDuringRedial(t *testing.T) {
	h := newHome(t)
	host, dev := p2ptest.Slim(t), p2ptest.Slim(t)
	client := newClient(t, h.ledger, func(c *sdk.Config) { c.Host = host }, h.node.Addr)
	srv, err := link.New(link.Config{Host: dev, Handler: func(_ context.Context, _ peer.ID, raw []byte) []byte { return h.lock.Answer(raw) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	<-srv.Ready()
	d, err := client.Device(h.lock.Key.Public(), []string{dev.Addrs()[0].String() + "/p2p/" + dev.ID().String()})
	if err == nil {
		_, err = d.Send(patience(t), h.open(t))
	}
	stop()
	if err := errors.Join(err, <-ended); err != nil {
		t.Fatal(err)
	}
	opening, hold := make(chan struct{}, 4), make(chan struct{})
	dev.Network().SetStreamHandler(func(s network.Stream) { // does not agree on the protocol
		opening <- struct{}{}
		<-hold
		_ = s.Reset()
	})
	defer close(hold)
	if err := host.Peerstore().SetProtocols(dev.ID()); err != nil { // else it is taken as agreed
		t.Fatal(err)
	}
	again := make(chan error, 1)
	go func() {
		for { // the first may find out that the old stream is dead
			_, err := d.Send(context.Background(), h.open(t))
			if !errors.Is(err, sdk.NoReceipt) {
				again <- err
				return
			}
		}
	}()
	<-opening
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-again:
		want(t, err, sdk.Unreachable)
		want(t, err, link.ErrClosed)
	case <-time.After(5 * time.Second): // the host itself gives up after ten
		t.Fatal("the dial goes on after Close")
	}
}

// TestDevice_SharedLink: devices behind one peer use one stream, also when they
// begin at once.
func TestDevice_SharedLink(t *testing.T) {
	h := newHome(t)
	second := h.newLock(t) // a key of its own, answering at the first one's host
	h.lock.Lie(func(raw []byte) []byte {
		c, err := command.Decode(raw)
		if err == nil && c.Body.Device == second.Key.Public().DeviceID() {
			return second.Answer(raw)
		}
		return h.lock.Answer(raw)
	})
	var wg sync.WaitGroup
	for i := range 20 {
		dev := []*sdktest.Device{h.lock, second}[i%2]
		wg.Go(func() {
			d, err := h.client.Device(dev.Key.Public(), []string{h.lock.Addr})
			if err != nil {
				t.Error(err)
				return
			}
			cmd, err := h.caller().Sign(sdk.Call{Device: dev.Key.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Method: "open"})
			if err != nil {
				t.Error(err)
				return
			}
			r, err := d.Send(patience(t), cmd)
			if err != nil || r.Body.Status != command.Executed {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(h.lock.Ran()) != 10 || len(second.Ran()) != 10 {
		t.Errorf("ran %d and %d", len(h.lock.Ran()), len(second.Ran()))
	}
	streams := 0
	for _, c := range h.lock.Host.Network().Conns() {
		for _, s := range c.GetStreams() {
			if s.Protocol() == topic.Command {
				streams++
			}
		}
	}
	if streams != 1 {
		t.Errorf("%d command streams", streams)
	}
}

// TestDevice_Moves: after a loss, the addresses that came later count.
func TestDevice_Moves(t *testing.T) {
	h := newHome(t)
	if _, err := h.device(t).Send(patience(t), h.open(t)); err != nil {
		t.Fatal(err)
	}
	h.lock.Move(t)
	d, err := h.device(t), error(nil)
	for { // the first may find out that the old stream is dead
		_, err = d.Send(patience(t), h.open(t))
		if !errors.Is(err, sdk.NoReceipt) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestDevice_Addresses(t *testing.T) {
	h := newHome(t)
	k := h.lock.Key.Public()
	for name, addrs := range map[string][]string{
		"none": nil, "rubbish": {"x"}, "no peer": {"/ip4/127.0.0.1/tcp/1"}, "two peers": {h.lock.Addr, nobody},
	} {
		_, err := h.client.Device(k, addrs)
		if !errors.Is(err, sdk.BadAddress) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, err := h.client.Device(k, []string{"/ip4/127.0.0.1/tcp/1/p2p/" + h.lock.Host.ID().String(), h.lock.Addr})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Send(patience(t), h.open(t)); err != nil {
		t.Fatalf("the second address was not tried: %v", err)
	}
	_, err = d.Exchange(patience(t), make([]byte, topic.MaxCommand+1))
	want(t, err, sdk.Unreachable)
	want(t, err, link.ErrTooLarge)
	raw, err := d.Exchange(patience(t), []byte("no command"))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := command.DecodeReceipt(raw); err != nil || r.Body.Status != command.Rejected {
		t.Errorf("%+v, %v", r, err)
	}
}
