// Package slim is the mesh host of a device: TCP, Noise, yamux, identify, the
// client's half of relays, and nothing else.
//
// It is not the full host (p2p/host): it does not import the root go-libp2p
// package, which links QUIC, WebRTC and WebTransport whatever its options, and
// costs twice the size and memory. Entry points: Listen, Info for what a dialler
// needs, and Reserve to be reached through a relay.
//
// What must never change: that the transport key is apart from the command key
// of the device, that every resource has an explicit limit, and the list of
// packages that must not be pulled in (see the test of dependencies).
package slim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/host/blank"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"

	"github.com/hybridos-net/hybridos/p2p/mux"
)

// Config is what a slim host needs.
type Config struct {
	// Key is the Ed25519 transport key (mux.Key); required.
	Key crypto.PrivKey
	// Addrs are the multiaddresses to listen on; none means
	// /ip4/127.0.0.1/tcp/0.
	Addrs []string
	// DialOnly opens no port: the host is reached through relays only.
	DialOnly bool
	// Limits bounds every resource; zero fields have the defaults.
	Limits Limits
}

// Host is a running slim host. It satisfies libp2p's host.Host.
type Host struct {
	*blankhost.BlankHost
	id io.Closer
	// protocols is never used but keeps its event type stateful.
	protocols, addresses event.Emitter

	store  peerstore.Peerstore
	rm     network.ResourceManager
	guests *guests
	relays *relays
	close  sync.Once
}

var _ host.Host = (*Host)(nil)

// Listen makes the host and binds its addresses, as net.Listen does: when it
// returns, peers may connect. The caller closes the host.
func Listen(cfg Config) (*Host, error) {
	if cfg.Key == nil {
		return nil, errors.New("slim host: no transport key")
	}
	addrs, err := cfg.listenAddrs()
	if err != nil {
		return nil, err
	}
	rm, err := cfg.Limits.manager()
	if err != nil {
		return nil, fmt.Errorf("slim host: limits: %w", err)
	}
	h, err := build(cfg.Key, rm)
	if err != nil {
		_ = rm.Close()
		return nil, fmt.Errorf("slim host: %w", err)
	}
	h.guests = &guests{most: cfg.Limits.guests(), kept: map[peer.ID]struct{}{}}
	h.guests.watch(h.Network())
	if len(addrs) > 0 {
		if err := h.Network().Listen(addrs...); err != nil {
			_ = h.Close()
			return nil, fmt.Errorf("slim host: listen: %w", err)
		}
		_ = h.addresses.Emit(event.EvtLocalAddressesUpdated{})
	}
	return h, nil
}

// listenAddrs parses the addresses; a typing error must not silently listen
// elsewhere.
func (c *Config) listenAddrs() ([]multiaddr.Multiaddr, error) {
	if c.DialOnly {
		return nil, nil
	}
	texts := c.Addrs
	if len(texts) == 0 {
		texts = []string{"/ip4/127.0.0.1/tcp/0"}
	}
	var out []multiaddr.Multiaddr
	for _, t := range texts {
		a, err := multiaddr.NewMultiaddr(t)
		if err != nil {
			return nil, fmt.Errorf("slim host: address %q: %w", t, err)
		}
		out = append(out, a)
	}
	return out, nil
}

// build wires swarm, transport, host and identify.
func build(key crypto.PrivKey, rm network.ResourceManager) (*Host, error) {
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, err
	}
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(store.AddPrivKey(id, key), store.AddPubKey(id, key.GetPublic())); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	bus := eventbus.NewBus()
	// Stateful emitters keep their last event for who subscribes later: identify
	// subscribes on a goroutine of its own, and would else tell peers for ever
	// that we speak nothing of what was registered before it got there.
	protocols, err1 := bus.Emitter(new(event.EvtLocalProtocolsUpdated), eventbus.Stateful)
	addresses, err2 := bus.Emitter(new(event.EvtLocalAddressesUpdated), eventbus.Stateful)
	if err := errors.Join(err1, err2); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	net, err := swarm.NewSwarm(id, store, bus, swarm.WithResourceManager(rm), swarm.WithDialTimeout(dialTimeout))
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	up, err := addTransport(net, key, rm)
	if err != nil {
		return nil, errors.Join(err, net.Close(), store.Close())
	}
	h := &Host{store: store, rm: rm, protocols: protocols, addresses: addresses, BlankHost: blankhost.NewBlankHost(net, blankhost.WithEventBus(bus))}
	if h.BlankHost == nil {
		return nil, errors.Join(errors.New("own peer record refused"), net.Close(), store.Close())
	}
	h.relays = &relays{Host: h, asked: map[peer.ID]struct{}{}}
	if err := h.relays.listen(net, up); err != nil {
		return nil, errors.Join(err, net.Close(), store.Close())
	}
	net.SetStreamHandler(h.negotiate)
	ids, err := identify.NewIDService(h, identify.UserAgent(UserAgent))
	if err != nil {
		return nil, errors.Join(err, net.Close(), store.Close())
	}
	h.id = ids
	ids.Start()
	return h, nil
}

// addTransport gives the swarm TCP with Noise and yamux, and what makes them of
// a plain connection.
func addTransport(net *swarm.Swarm, key crypto.PrivKey, rm network.ResourceManager) (transport.Upgrader, error) {
	muxers := []upgrader.StreamMuxer{{ID: mux.YamuxID, Muxer: &mux.Yamux{MaxStreams: maxStreamsPerConn}}}
	noise, err := mux.NewNoise(mux.NoiseID, key, muxers)
	if err != nil {
		return nil, err
	}
	up, err := upgrader.New([]sec.SecureTransport{noise}, muxers, nil, rm, nil, upgrader.WithAcceptTimeout(acceptTimeout))
	if err != nil {
		return nil, err
	}
	// Without port reuse a device dials from a free port: reuse would make two
	// dials to one peer collide, and gives nothing without hole punching.
	t, err := tcp.NewTCPTransport(up, rm, nil, tcp.DisableReuseport())
	if err != nil {
		return nil, err
	}
	return up, net.AddTransport(t)
}

// negotiate serves an incoming stream. Unlike the blank host's own handler it
// bounds the time: a peer that names no protocol must not hold the stream.
func (h *Host) negotiate(s network.Stream) {
	_ = s.SetDeadline(time.Now().Add(negotiateTimeout))
	id, handle, err := h.Mux().Negotiate(s)
	if err != nil {
		_ = s.ResetWithError(network.StreamProtocolNegotiationFailed)
		return
	}
	_ = s.SetDeadline(time.Time{})
	if err := s.SetProtocol(id); err != nil {
		_ = s.ResetWithError(network.StreamResourceLimitExceeded)
		return
	}
	_ = handle(id, s)
}

// NewStream opens a stream, dialling if needed; ctx bounds all of it.
func (h *Host) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	s, err := h.Network().NewStream(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("open stream to %s: %w", p, err)
	}
	by := time.Now().Add(negotiateTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(by) {
		by = d
	}
	_ = s.SetDeadline(by)
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	id, err := multistream.SelectOneOf(ids, s)
	if err == nil && !stop() {
		err = ctx.Err()
	}
	if err == nil {
		err = s.SetProtocol(id)
	}
	if err != nil {
		stop()
		_ = s.Reset()
		return nil, fmt.Errorf("open stream to %s: agree on %v: %w", p, ids, err)
	}
	_ = s.SetDeadline(time.Time{})
	return s, nil
}

// Close ends all connections and goroutines of the host.
func (h *Host) Close() error {
	var err error
	h.close.Do(func() {
		if h.id != nil {
			err = h.id.Close()
		}
		err = errors.Join(err, h.BlankHost.Close(), h.protocols.Close(), h.addresses.Close(), h.store.Close(), h.rm.Close())
	})
	return err
}

// Info is the id and the listening addresses of the host.
func (h *Host) Info() peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }
