package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"
	"golang.org/x/time/rate"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/node/api"
	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/presence"
)

// devices hands commands to the devices that are connected to this node, each
// over the connection that the device made itself: it may be behind a router
// that lets nobody in. What comes back is the asker's to judge.
type devices struct {
	host    host.Host
	present *presence.Server

	mu    sync.Mutex
	ends  map[key.DeviceID]*end
	calls int
}

// end is the way to one device over one connection.
type end struct {
	conn  network.Conn
	calls int // under devices.mu
	rate  *rate.Limiter

	opening chan struct{} // cap 1, held while opening the link
	link    *link.Link    // under devices.mu
	closed  bool          // the same
}

var _ api.Devices = (*devices)(nil)

func newDevices(h host.Host, p *presence.Server) *devices {
	return &devices{host: h, present: p, ends: make(map[key.DeviceID]*end)}
}

// run closes all links when ctx ends.
func (d *devices) run(ctx context.Context) error {
	<-ctx.Done()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.ends {
		e.close()
	}
	clear(d.ends)
	return nil
}

// changed is called by presence: it forgets a device that is not here any more.
func (d *devices) changed(id key.DeviceID, online bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.ends[id]; e != nil && !online {
		e.close()
		delete(d.ends, id)
	}
}

// close ends the link and what waits on it. The caller holds devices.mu.
func (e *end) close() {
	e.closed = true
	if e.link != nil {
		_ = e.link.Close()
	}
}

// Online implements api.Devices.
func (d *devices) Online(id key.DeviceID) bool { return d.present.Online(id) }

// Watch implements api.Devices.
func (d *devices) Watch(ctx context.Context, f func(id key.DeviceID, online bool)) {
	d.present.Watch(ctx, f)
}

// Forward implements api.Devices.
func (d *devices) Forward(ctx context.Context, id key.DeviceID, command []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, forwardTime)
	defer cancel()
	e, err := d.enter(id)
	if err != nil {
		return nil, err
	}
	defer d.leave(e)
	l, err := d.open(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", api.ErrOffline, err)
	}
	receipt, err := l.Send(ctx, command)
	switch {
	case err == nil:
		return receipt, nil
	case errors.Is(err, link.ErrNoAnswer):
		return nil, fmt.Errorf("%w: %w", api.ErrNoReceipt, err)
	default: // everything else means that the device has not got it
		return nil, fmt.Errorf("%w: %w", api.ErrOffline, err)
	}
}

// enter takes a place for one command to the device. Devices that are slow to
// answer cannot take the places of all others: when half of them are taken, a
// device gets only one.
func (d *devices) enter(id key.DeviceID) (*end, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	// Asked with mu held: whoever leaves after this is removed by changed.
	conn, ok := d.present.Conn(id)
	if !ok {
		return nil, api.ErrOffline
	}
	e := d.ends[id]
	if e == nil || e.conn != conn {
		if e != nil {
			e.close()
		}
		e = &end{conn: conn, opening: make(chan struct{}, 1), rate: rate.NewLimiter(deviceRate, deviceBurst)}
		d.ends[id] = e
	}
	switch {
	case e.calls >= deviceCalls, d.calls >= allCalls, d.calls >= allCalls/2 && e.calls > 0:
		return nil, fmt.Errorf("%w: %d to it, %d to all", api.ErrDeviceBusy, e.calls, d.calls)
	case !e.rate.Allow():
		return nil, fmt.Errorf("%w: over %v a second", api.ErrDeviceBusy, deviceRate)
	}
	e.calls++
	d.calls++
	return e, nil
}

func (d *devices) leave(e *end) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.calls--
	d.calls--
}

// open gives the device's link. Nothing was sent if it fails.
func (d *devices) open(ctx context.Context, e *end) (*link.Link, error) {
	select {
	case e.opening <- struct{}{}:
		defer func() { <-e.opening }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	l, closed := e.link, e.closed
	d.mu.Unlock()
	switch {
	case closed:
		return nil, errLeft
	case l != nil:
		return l, nil
	}
	l, err := link.Dial(ctx, conduit{d.host, e.conn}, peer.AddrInfo{ID: e.conn.RemotePeer()})
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.closed {
		_ = l.Close()
		return nil, errLeft
	}
	e.link = l
	return l, nil
}

var errLeft = errors.New("the device has left")

// conduit is a host that has one connection and dials nobody. libp2p's own host
// would choose among all connections of a peer, and one of them may be the dead
// one from before the device lost its power.
type conduit struct {
	host.Host
	conn network.Conn
}

// Connect implements host.Host.
func (c conduit) Connect(context.Context, peer.AddrInfo) error {
	if c.conn.IsClosed() {
		return errLeft
	}
	return nil
}

// NewStream implements host.Host; ctx bounds all of it.
func (c conduit) NewStream(ctx context.Context, _ peer.ID, ids ...protocol.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s, err := c.conn.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	id, err := multistream.SelectOneOf(ids, s)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.SetProtocol(id)
	}
	if err != nil {
		_ = s.Reset()
		return nil, errors.Join(fmt.Errorf("agree on %v: %w", ids, err), ctx.Err())
	}
	return s, nil
}
