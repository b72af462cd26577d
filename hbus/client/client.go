package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/hbus/internal/cred"
	"github.com/hybridos-net/hybridos/hbus/internal/wire"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

var (
	// ErrClosed: the connection is over; dial again if you still need it.
	ErrClosed = errors.New("bus connection is closed")
	// ErrStrangeBroker: the socket is served by a uid that is not in
	// Options.BrokerUIDs. Nothing was said to it.
	ErrStrangeBroker = errors.New("bus socket is served by an unexpected uid")
)

// Options says who the program is.
type Options struct {
	// App is the program's name on the bus; its methods and events begin
	// with it. Needed.
	App string
	// Key proves the name, if the broker has a key for it (or makes this the
	// agent).
	Key ed25519.PrivateKey
	// Endpoint is where Register puts methods; empty means App.
	Endpoint string
	// BrokerUIDs are the uids that may serve the socket; empty: any. A
	// program that sends secrets, or proves a key, should set it.
	BrokerUIDs []uint32
	// Handlers bounds the calls carried out at once; 0 means DefaultHandlers.
	Handlers int
	// Logger gets answers that could not be sent; nil discards.
	Logger *slog.Logger
}

// Client is one connection. All methods are safe for concurrent use.
type Client struct {
	opts Options
	w    *wire.Conn
	you  msg.Identity
	done chan struct{}
	wg   sync.WaitGroup // reader and handlers
	// life ends with the connection; handlers' contexts come from it.
	life  context.Context
	end   context.CancelFunc
	slots chan struct{}

	mu      sync.Mutex
	nextID  uint64
	waiting map[uint64]chan msg.Message
	methods map[method]Handler
	serving map[uint64]context.CancelFunc
	subs    map[*Subscription]struct{}
	err     error

	// patterns serialises (un)subscribing, so that several subscriptions of
	// one pattern share the broker's one.
	patterns sync.Mutex
	counts   map[string]int
}

type method struct{ endpoint, name string }

// Dial connects, proves the key if there is one, and starts reading.
func Dial(ctx context.Context, path string, opts Options) (*Client, error) {
	c, err := dial(ctx, path, opts)
	if err != nil {
		return nil, fmt.Errorf("bus at %s: %w", path, err)
	}
	return c, nil
}

func dial(ctx context.Context, path string, opts Options) (*Client, error) {
	if err := opts.defaults(); err != nil {
		return nil, err
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	uc := nc.(*net.UnixConn)
	if err := checkBroker(uc, opts.BrokerUIDs); err != nil {
		uc.Close()
		return nil, err
	}
	w, err := wire.New(uc)
	if err != nil {
		uc.Close()
		return nil, err
	}
	c := &Client{
		opts: opts, w: w, done: make(chan struct{}),
		slots:   make(chan struct{}, opts.Handlers),
		waiting: map[uint64]chan msg.Message{}, methods: map[method]Handler{},
		serving: map[uint64]context.CancelFunc{}, subs: map[*Subscription]struct{}{},
		counts: map[string]int{},
	}
	if err := c.handshake(ctx); err != nil {
		w.Close(nil)
		w.Wait()
		return nil, err
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.wg.Add(1)
	go c.read()
	return c, nil
}

func (o *Options) defaults() error {
	if err := msg.CheckApp(o.App); err != nil {
		return err
	}
	if o.Endpoint == "" {
		o.Endpoint = o.App
	}
	if err := msg.CheckEndpoint(o.Endpoint); err != nil {
		return err
	}
	if n := len(o.Key); n != 0 && n != ed25519.PrivateKeySize {
		return fmt.Errorf("key has %d bytes, not %d", n, ed25519.PrivateKeySize)
	}
	if o.Handlers <= 0 {
		o.Handlers = DefaultHandlers
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func checkBroker(uc *net.UnixConn, uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	who, err := cred.Of(uc)
	if err != nil {
		return err
	}
	if !slices.Contains(uids, who.UID) {
		return fmt.Errorf("%w: %d", ErrStrangeBroker, who.UID)
	}
	return nil
}

func (c *Client) handshake(ctx context.Context) error {
	limit := time.Now().Add(handshakeTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(limit) {
		limit = d
	}
	c.w.SetReadDeadline(limit)
	stop := context.AfterFunc(ctx, func() { c.w.Close(context.Cause(ctx)) })
	defer stop()
	var dec msg.Decoder
	hello, err := expect[*msg.Hello](c, &dec)
	if err != nil {
		return err
	}
	if hello.Version != msg.Version {
		return msg.Refuse(msg.BadVersion, "broker speaks version %d, we speak %d", hello.Version, msg.Version)
	}
	auth := &msg.Auth{Version: msg.Version, App: c.opts.App}
	if c.opts.Key != nil {
		auth.Key = c.opts.Key.Public().(ed25519.PublicKey)
		auth.Proof = ed25519.Sign(c.opts.Key, msg.ProofMessage(hello.Challenge, c.opts.App))
	}
	c.w.Queue(auth, wire.Control)
	c.w.Flush()
	welcome, err := expect[*msg.Welcome](c, &dec)
	if err != nil {
		return err
	}
	c.you = welcome.You
	return c.w.SetReadDeadline(time.Time{})
}

// expect reads the one message that must come now.
func expect[M msg.Message](c *Client, dec *msg.Decoder) (M, error) {
	var none M
	body, err := c.w.Next()
	if err != nil {
		if cause := c.w.Err(); cause != nil {
			err = cause
		}
		return none, fmt.Errorf("handshake: %w", err)
	}
	m, err := dec.Decode(body)
	if err != nil {
		return none, fmt.Errorf("handshake: %w", err)
	}
	switch m := m.(type) {
	case M:
		return m, nil
	case *msg.Error:
		return none, m
	}
	return none, msg.Refuse(msg.Unexpected, "%s during handshake", m.Type())
}

// Identity is how the broker sees this program.
func (c *Client) Identity() msg.Identity { return c.you }

// Done is closed when the connection is over.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err tells why the connection is over; nil while it is not.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection, cancels handlers and waits for them; a handler
// must not call it.
func (c *Client) Close() error {
	c.w.Close(ErrClosed)
	c.wg.Wait()
	c.w.Wait()
	return nil
}

// read is the goroutine of the connection.
func (c *Client) read() {
	defer c.wg.Done()
	var dec msg.Decoder
	var err error
	for n := 1; err == nil; n++ {
		var body []byte
		if body, err = c.w.Next(); err != nil {
			break
		}
		var m msg.Message
		if m, err = dec.Decode(body); err == nil {
			err = c.handle(m)
		}
		if n >= maxBatch || !c.w.Ready() {
			c.w.Flush()
			n = 0
		}
	}
	c.over(err)
}

// over tells everybody that the connection has ended.
func (c *Client) over(err error) {
	if cause := c.w.Err(); cause != nil {
		err = cause
	}
	c.w.Close(err)
	if !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	c.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	close(c.done)
	for s := range c.subs {
		s.wake()
	}
}

// handle takes one message from the broker. Payloads alias the read buffer and
// are copied by whoever keeps them.
func (c *Client) handle(m msg.Message) error {
	switch m := m.(type) {
	case *msg.Result:
		m.Result = slices.Clone(m.Result)
		c.answered(m.ID, m)
	case *msg.Error:
		if m.ID == 0 {
			return m
		}
		c.answered(m.ID, m)
	case *msg.OK:
		c.answered(m.ID, m)
	case *msg.Listing:
		c.answered(m.ID, m)
	case *msg.Pong:
		c.answered(m.ID, m)
	case *msg.Invoke:
		c.invoked(m)
	case *msg.Cancel:
		c.cancelled(m.ID)
	case *msg.Event:
		c.event(Event{Seq: m.Seq, Name: m.Name, Data: slices.Clone(m.Data), From: *m.From})
	case *msg.Lost:
		c.lost(m.N)
	case *msg.Ping:
		c.w.Queue(&msg.Pong{ID: m.ID}, wire.Control)
	default:
		return msg.Refuse(msg.Unexpected, "%s from the broker", m.Type())
	}
	return nil
}
