// Package host is the full mesh host of nodes, bridges and wallets: libp2p over
// TCP, Noise and yamux, with a connection manager, explicit limits, dialling
// through relays and, on full nodes, the relay service.
//
// It is not for devices (p2p/slim is), and has no DHT, no QUIC and no WebRTC:
// addresses come from the ledger and from configuration. Entry points: Listen,
// and Info for what a dialler needs.
//
// What must never change: every resource has an explicit limit, and a relay
// serves only whom its ACL names.
package host

import (
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"

	"github.com/hybridos-net/hybridos/p2p/mux"
)

// Config is what a full host needs.
type Config struct {
	// Key is the Ed25519 transport key (mux.Key), kept by the caller; required.
	Key crypto.PrivKey
	// Addrs are the multiaddresses to listen on; none means
	// /ip4/127.0.0.1/tcp/0.
	Addrs []string
	// Announce replaces the addresses told to peers, for hosts behind a
	// forwarded port; none tells the listening addresses.
	Announce []string
	// DialOnly opens no listener (wallets).
	DialOnly bool
	// Relay makes the host a relay for the peers that it allows; nil: none.
	Relay RelayPolicy
	// Limits bounds every resource; zero fields have the defaults.
	Limits Limits
}

// RelayPolicy says whom a relay serves. Both methods are called from many
// goroutines and must not block.
type RelayPolicy interface {
	// AllowReserve tells whether p may be reached through us.
	AllowReserve(p peer.ID) bool
	// AllowConnect tells whether from may reach to through us.
	AllowConnect(from, to peer.ID) bool
}

// Host is a running full host.
type Host struct {
	host.Host
	relay *relay.Relay
}

// Listen makes the host and binds its addresses, as net.Listen does. The caller
// closes the host.
func Listen(cfg Config) (*Host, error) {
	if cfg.Key == nil {
		return nil, errors.New("full host: no transport key")
	}
	opts, err := cfg.options()
	if err != nil {
		return nil, fmt.Errorf("full host: %w", err)
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("full host: %w", err)
	}
	out := &Host{Host: h}
	if cfg.Relay != nil {
		out.relay, err = relay.New(h, relay.WithResources(cfg.Limits.relay()), relay.WithACL(acl{cfg.Relay}))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("full host: relay: %w", err), h.Close())
		}
	}
	return out, nil
}

// options turns the configuration into libp2p's.
func (c *Config) options() ([]libp2p.Option, error) {
	limits := c.Limits.orDefault()
	rm, err := limits.manager()
	if err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	cm, err := connmgr.NewConnManager(limits.Conns/2, limits.Conns*3/4, connmgr.WithGracePeriod(grace))
	if err != nil {
		return nil, fmt.Errorf("connection manager: %w", err)
	}
	opts := []libp2p.Option{
		libp2p.Identity(c.Key),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Security(mux.NoiseID, mux.NewNoise),
		libp2p.Muxer(mux.YamuxID, &mux.Yamux{MaxStreams: limits.StreamsPerPeer}),
		libp2p.ResourceManager(rm),
		libp2p.ConnectionManager(cm),
		libp2p.UserAgent(UserAgent),
		libp2p.DisableMetrics(),
	}
	if c.DialOnly {
		return append(opts, libp2p.NoListenAddrs, libp2p.EnableRelay()), nil // NoListenAddrs turns relays off
	}
	addrs := c.Addrs
	if len(addrs) == 0 {
		addrs = []string{"/ip4/127.0.0.1/tcp/0"}
	}
	opts = append(opts, libp2p.ListenAddrStrings(addrs...))
	if len(c.Announce) > 0 {
		told := make([]multiaddr.Multiaddr, len(c.Announce))
		for i, a := range c.Announce {
			if told[i], err = multiaddr.NewMultiaddr(a); err != nil {
				return nil, fmt.Errorf("address %q: %w", a, err)
			}
		}
		opts = append(opts, libp2p.AddrsFactory(func([]multiaddr.Multiaddr) []multiaddr.Multiaddr { return told }))
	}
	return opts, nil
}

// acl adapts a RelayPolicy to libp2p's relay.
type acl struct{ policy RelayPolicy }

func (a acl) AllowReserve(p peer.ID, _ multiaddr.Multiaddr) bool { return a.policy.AllowReserve(p) }
func (a acl) AllowConnect(from peer.ID, _ multiaddr.Multiaddr, to peer.ID) bool {
	return a.policy.AllowConnect(from, to)
}

// Close ends the relay, all connections and goroutines of the host.
func (h *Host) Close() error {
	var err error
	if h.relay != nil {
		err = h.relay.Close()
	}
	return errors.Join(err, h.Host.Close())
}

// Info is the id and the addresses of the host.
func (h *Host) Info() peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }
