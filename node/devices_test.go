package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/node/api"
	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/presence"
	"github.com/hybridos-net/hybridos/p2p/slim"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// limit bounds every wait; it is reached only when something is broken.
const limit = 30 * time.Second

// reach is the part of a node that hands on commands.
type reach struct {
	t       *testing.T
	host    *host.Host
	devices *devices
	events  chan bool
}

var reachChain = codec.ChainDigest{3}

func newReach(t *testing.T) *reach {
	t.Helper()
	h := p2ptest.Full(t)
	p, err := presence.New(presence.Config{
		Host: h, Chain: reachChain, Admit: func(context.Context, key.DeviceID) (bool, error) { return true, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &reach{t: t, host: h, devices: newDevices(h, p), events: make(chan bool, 64)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	p.Watch(ctx, r.devices.changed)
	r.devices.Watch(ctx, func(_ key.DeviceID, online bool) { r.events <- online })
	done := make(chan error, 2)
	go func() { done <- p.Run(ctx) }()
	go func() { done <- r.devices.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, <-done); err != nil {
			t.Error(err)
		}
	})
	<-p.Ready()
	return r
}

// want waits for the next change.
func (r *reach) want(online bool) {
	r.t.Helper()
	select {
	case got := <-r.events:
		if got != online {
			r.t.Fatalf("told %v, want %v", got, online)
		}
	case <-time.After(limit):
		r.t.Fatalf("not told %v", online)
	}
}

// far is the device's end.
type far struct {
	*slim.Host
	key *key.Private
}

func (f *far) id() key.DeviceID { return f.key.Public().DeviceID() }

// join connects a device to a node and announces it.
func (f *far) join(t *testing.T, chain codec.ChainDigest, node peer.AddrInfo) error {
	t.Helper()
	if err := f.Connect(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	return presence.Announce(t.Context(), f.Host, node.ID, chain, f.key, time.Now())
}

// serve makes a device that answers commands.
func serve(t *testing.T, k *key.Private, transport crypto.PrivKey, h link.Handler) *far {
	t.Helper()
	d, err := slim.Listen(slim.Config{Key: transport, DialOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	s, err := link.New(link.Config{Host: d, Handler: h})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	return &far{Host: d, key: k}
}

// device makes one that is online.
func (r *reach) device(name string, h link.Handler) *far {
	r.t.Helper()
	f := serve(r.t, secret(r.t, name), p2ptest.Key(r.t), h)
	r.join(f)
	return f
}

func (r *reach) join(f *far) {
	r.t.Helper()
	if err := f.join(r.t, reachChain, r.host.Info()); err != nil {
		r.t.Fatal(err)
	}
	r.want(true)
}

func (r *reach) leave(f *far) {
	r.t.Helper()
	if err := f.Network().ClosePeer(r.host.ID()); err != nil {
		r.t.Fatal(err)
	}
	r.want(false)
}

// works sends a command that must come back with the device's answer.
func (r *reach) works(f *far, answer string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	got, err := r.devices.Forward(ctx, f.id(), []byte("open"))
	if err != nil || string(got) != answer+" open" {
		r.t.Fatalf("answer %q, %v", got, err)
	}
}

// fails sends a command that must fail.
func (r *reach) fails(id key.DeviceID, want error) {
	r.t.Helper()
	if _, err := r.devices.Forward(r.t.Context(), id, []byte("open")); !errors.Is(err, want) {
		r.t.Fatalf("got %v, want %v", err, want)
	}
}

// says is a device that answers everything with its name and the command.
func says(name string) link.Handler {
	return func(_ context.Context, _ peer.ID, raw []byte) []byte { return append([]byte(name+" "), raw...) }
}

// stuck is a device that answers when it is told to.
func stuck(release chan struct{}) (link.Handler, chan struct{}) {
	begun := make(chan struct{}, 64)
	return func(ctx context.Context, _ peer.ID, raw []byte) []byte {
		begun <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return append([]byte("late "), raw...)
	}, begun
}

func TestDevices_Forward(t *testing.T) {
	r := newReach(t)
	nobody := secret(t, "nobody").Public().DeviceID()
	r.fails(nobody, api.ErrOffline)
	front, back := r.device("front", says("front")), r.device("back", says("back"))
	for range 3 {
		r.works(front, "front")
		r.works(back, "back")
	}
	if n := commandStreams(front); n != 1 {
		t.Errorf("%d command streams to one device, want one that is kept", n)
	}
	r.fails(nobody, api.ErrOffline)
	r.leave(front)
	if r.devices.Online(front.id()) || !r.devices.Online(back.id()) {
		t.Error("the wrong one is offline")
	}
	r.fails(front.id(), api.ErrOffline)
	r.works(back, "back")
	if len(r.devices.ends) != 1 {
		t.Errorf("%d ways to one device", len(r.devices.ends))
	}
	r.join(front) // and back again
	r.works(front, "front")
	if len(r.host.Network().Conns()) != 2 {
		t.Error("the node dialled")
	}
}

func commandStreams(f *far) int {
	n := 0
	for _, c := range f.Network().Conns() {
		for _, s := range c.GetStreams() {
			if s.Protocol() == topic.Command {
				n++
			}
		}
	}
	return n
}

// A device that came back while its old connection seems to live is reached over
// the new one.
func TestDevices_DeadConnection(t *testing.T) {
	r := newReach(t)
	k, transport := secret(t, "front"), p2ptest.Key(t)
	before := serve(t, k, transport, says("before"))
	r.join(before)
	r.works(before, "before")
	after := serve(t, k, transport, says("after"))
	if err := after.join(t, reachChain, r.host.Info()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.works(after, "after")
	}
	gone := make(chan struct{}, 2)
	r.host.Network().Notify(&network.NotifyBundle{DisconnectedF: func(network.Network, network.Conn) { gone <- struct{}{} }})
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	<-gone
	r.works(after, "after")
	if len(r.events) != 0 {
		t.Error("told of changes of a device that stayed")
	}
}

// A device that does not answer: the asker is told that the outcome is unknown,
// when its time is up or when the device leaves.
func TestDevices_NoAnswer(t *testing.T) {
	r := newReach(t)
	release := make(chan struct{})
	handler, begun := stuck(release)
	slow := r.device("slow", handler)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 2)
	ask := func(ctx context.Context) {
		_, err := r.devices.Forward(ctx, slow.id(), []byte("open"))
		failed <- err
	}
	go ask(ctx)
	<-begun
	cancel()
	if err := <-failed; !errors.Is(err, api.ErrNoReceipt) || errors.Is(err, api.ErrOffline) {
		t.Errorf("out of time: %v", err)
	}
	go ask(t.Context())
	<-begun
	r.leave(slow)
	if err := <-failed; !errors.Is(err, api.ErrNoReceipt) || errors.Is(err, api.ErrOffline) {
		t.Errorf("device left: %v", err)
	}
	close(release)
	r.join(slow)
	r.works(slow, "late")
	if r.devices.calls != 0 {
		t.Errorf("%d commands under way", r.devices.calls)
	}
}

// Devices that answer nonsense, or hold everything up, trouble only those who
// ask for them.
func TestDevices_Hostile(t *testing.T) {
	r := newReach(t)
	good := r.device("good", says("good"))
	release := make(chan struct{})
	defer close(release)
	for name, c := range map[string]struct {
		answer func(network.Stream)
		want   error
	}{
		"garbage":        {func(s network.Stream) { _, _ = s.Write(bytes.Repeat([]byte{0xff}, 64)) }, api.ErrNoReceipt},
		"oversized":      {func(s network.Stream) { _, _ = s.Write([]byte{0xff, 0xff, 0xff, 0x7f, 1}) }, api.ErrNoReceipt},
		"another number": {func(s network.Stream) { _ = frame.NewWriter(s, 64).Write([]byte{9}, []byte("opened")) }, api.ErrNoReceipt},
		"no body":        {func(s network.Stream) { _ = frame.NewWriter(s, 64).Write([]byte{1}) }, api.ErrNoReceipt},
		"hangs up":       {func(s network.Stream) { _, _ = s.Read(make([]byte, 1)); _ = s.Reset() }, api.ErrNoReceipt},
		"half an answer": {func(s network.Stream) { _, _ = s.Write([]byte{9, 1}); _ = s.CloseWrite() }, api.ErrNoReceipt},
		"no such door":   {nil, api.ErrOffline},
	} {
		t.Run(name, func(t *testing.T) {
			f := &far{Host: p2ptest.Slim(t), key: secret(t, name)}
			if c.answer != nil {
				f.SetStreamHandler(topic.Command, c.answer)
			}
			r.join(f)
			r.fails(f.id(), c.want)
			r.works(good, "good")
			r.leave(f)
		})
	}
	mute := &far{Host: p2ptest.Slim(t), key: secret(t, "mute")}
	opened := make(chan struct{}, 64)
	mute.SetStreamHandler(topic.Command, func(network.Stream) { opened <- struct{}{}; <-release })
	r.join(mute)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, deviceCalls)
	for range deviceCalls {
		go func() {
			_, err := r.devices.Forward(ctx, mute.id(), make([]byte, topic.MaxCommand))
			failed <- err
		}()
	}
	<-opened
	r.works(good, "good")
	cancel()
	for range deviceCalls {
		if err := <-failed; !errors.Is(err, api.ErrNoReceipt) && !errors.Is(err, api.ErrOffline) {
			t.Errorf("mute device: %v", err)
		}
	}
	r.works(good, "good")
}

// One device has so many commands at once and no more, and the others theirs.
func TestDevices_Busy(t *testing.T) {
	r := newReach(t)
	release := make(chan struct{})
	handler, begun := stuck(release)
	slow, good := r.device("slow", handler), r.device("good", says("good"))
	failed := make(chan error, deviceCalls)
	for i := range deviceCalls {
		go func() {
			_, err := r.devices.Forward(t.Context(), slow.id(), fmt.Append(nil, i))
			failed <- err
		}()
	}
	for range deviceCalls {
		<-begun
	}
	r.fails(slow.id(), api.ErrDeviceBusy)
	r.works(good, "good")
	r.crowd(allCalls/2, func() { // a device with commands under way gets no more
		r.fails(slow.id(), api.ErrDeviceBusy)
		r.works(good, "good")
	})
	r.crowd(allCalls, func() { r.fails(good.id(), api.ErrDeviceBusy) })
	close(release)
	for range deviceCalls {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	r.works(slow, "late")
}

// crowd makes it seem that so many commands are under way in all.
func (r *reach) crowd(n int, f func()) {
	add := func(n int) {
		r.devices.mu.Lock()
		r.devices.calls += n
		r.devices.mu.Unlock()
	}
	add(n)
	f()
	add(-n)
}

// Nobody can make the node send more to a device than the device checks.
func TestDevices_Rate(t *testing.T) {
	r := newReach(t)
	wild, good := r.device("wild", says("wild")), r.device("good", says("good"))
	taken := 0
	for ; taken < 100*deviceBurst; taken++ {
		_, err := r.devices.Forward(t.Context(), wild.id(), []byte("open"))
		if errors.Is(err, api.ErrDeviceBusy) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if taken < deviceBurst || taken == 100*deviceBurst {
		t.Errorf("refused after %d commands", taken)
	}
	r.works(good, "good")
}
