package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// ErrNoNode: no node gave an answer; the errors of each are wrapped behind it.
var ErrNoNode = errors.New("no node answers")

// ClientConfig is what a Client needs.
type ClientConfig struct {
	Host  host.Host       // required
	Nodes []peer.AddrInfo // required: who is asked, in order of preference
	// Try bounds the question to one node, Submit the wait for a block.
	Try, Submit time.Duration
	Logger      *slog.Logger // nil discards
}

// Client asks nodes. It stays with the node that answered last, and goes on to
// the next when one fails. Safe for concurrent use; Close frees its streams.
type Client struct {
	cfg ClientConfig

	mu     sync.Mutex
	first  int // the node that answered last
	idle   map[place][]*talk
	closed bool
}

var (
	_ light.Source  = (*Client)(nil)
	_ light.Doubter = (*Client)(nil)
)

// place is where idle streams are kept.
type place struct {
	node peer.ID
	id   protocol.ID
}

// talk is one stream with one question at a time.
type talk struct {
	st  network.Stream
	in  *frame.Reader
	out *frame.Writer
}

// NewClient checks the configuration; nothing is dialled before the first call.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Host == nil || len(cfg.Nodes) == 0 {
		return nil, errors.New("fetch client: a host and at least one node are required")
	}
	setDefault(&cfg.Try, defaultTry)
	setDefault(&cfg.Submit, defaultSubmit+5*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Client{cfg: cfg, idle: map[place][]*talk{}}, nil
}

// LightBlock is the CometBFT proto LightBlock at the height, 0 the latest. The
// bytes are not verified.
func (c *Client) LightBlock(ctx context.Context, height int64) ([]byte, error) {
	r, err := c.query(ctx, &query{Kind: kindLightBlock, Height: height})
	if err != nil {
		return nil, fmt.Errorf("fetch light block %d: %w", height, err)
	}
	return r.Block, nil
}

// Prove is the value under key after block height (0 the latest that the node
// can prove) with its proof, not verified; an empty Value claims absence.
func (c *Client) Prove(ctx context.Context, key []byte, height int64) (Proof, error) {
	r, err := c.query(ctx, &query{Kind: kindProve, Height: height, Key: key})
	if err != nil {
		return Proof{}, fmt.Errorf("fetch proof at %d: %w", height, err)
	}
	return Proof{Height: r.Height, Key: r.Key, Value: r.Value, Proof: r.Proof}, nil
}

// query asks the nodes one question.
func (c *Client) query(ctx context.Context, q *query) (*reply, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	request, err := codec.Marshal(q)
	if err != nil {
		return nil, err
	}
	var r reply
	err = c.ask(ctx, topic.Fetch, c.cfg.Try, request, maxReply, func(b []byte) error {
		r = reply{}
		if err := decode(b, &r, maxReply); err != nil {
			return err
		}
		if err := r.check(q); err != nil {
			return err
		}
		return refusal(r.Code, r.Detail)
	})
	return &r, err
}

// Submit hands a signed transaction in and waits until it is committed or
// refused. It may ask several nodes with the same bytes, which is safe: a
// transaction is executed once. An error means that its fate is not known.
func (c *Client) Submit(ctx context.Context, tx []byte) (Result, error) {
	sub := submission{Tx: tx}
	if err := sub.check(); err != nil {
		return Result{}, fmt.Errorf("submit: %w", err)
	}
	request, err := codec.Marshal(&sub)
	if err != nil {
		return Result{}, fmt.Errorf("submit: %w", err)
	}
	var o outcome
	err = c.ask(ctx, topic.Submit, c.cfg.Submit, request, maxOutcome, func(b []byte) error {
		o = outcome{}
		if err := decode(b, &o, maxOutcome); err != nil {
			return err
		}
		if err := o.check(); err != nil {
			return err
		}
		return refusal(o.Code, o.Detail)
	})
	if err != nil {
		return Result{}, fmt.Errorf("submit: %w", err)
	}
	return Result{Code: o.Result, Log: o.Log, Height: o.Height, Hash: o.Hash}, nil
}

// refusal is the error of an answer with a code.
func refusal(code Code, detail string) error {
	switch {
	case code == OK:
		return nil
	case detail == "":
		return code
	}
	return fmt.Errorf("%w (%q)", code, detail)
}

// ask goes from node to node until one answers. BadRequest and Timeout end the
// round: every node would say the former, and after the latter the transaction
// is on its way.
func (c *Client) ask(ctx context.Context, id protocol.ID, try time.Duration, request []byte, limit int, read func([]byte) error) error {
	c.mu.Lock()
	first := c.first
	c.mu.Unlock()
	all := []error{ErrNoNode}
	for i := range c.cfg.Nodes {
		at := (first + i) % len(c.cfg.Nodes)
		err := c.askOne(ctx, c.cfg.Nodes[at], id, try, request, limit, read)
		if err == nil {
			c.mu.Lock()
			c.first = at
			c.mu.Unlock()
			return nil
		}
		if errors.Is(err, BadRequest) || errors.Is(err, Timeout) {
			return err
		}
		if over := ended(ctx); over != nil {
			return fmt.Errorf("%w: %w", over, errors.Join(append(all, err)...))
		}
		c.cfg.Logger.Debug("node failed", "node", c.cfg.Nodes[at].ID, "cause", err)
		all = append(all, fmt.Errorf("node %s: %w", c.cfg.Nodes[at].ID, err))
	}
	return errors.Join(all...)
}

// ended tells why ctx ended. A stream's deadline, which is ctx's, may strike a
// moment before ctx itself does.
func ended(ctx context.Context) error {
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// askOne asks one node, on a kept stream if there is one. A kept stream may have
// died unnoticed, so its failure is tried once more on a fresh one.
func (c *Client) askOne(ctx context.Context, node peer.AddrInfo, id protocol.ID, try time.Duration, request []byte, limit int, read func([]byte) error) error {
	ctx, cancel := context.WithTimeout(ctx, try)
	defer cancel()
	at := place{node.ID, id}
	if t := c.take(at); t != nil {
		answer, err := t.exchange(ctx, request)
		if err == nil {
			return c.finish(at, t, read(answer))
		}
		_ = t.st.Reset()
		if ended(ctx) != nil {
			return err
		}
	}
	t, err := c.open(ctx, node, id, limit)
	if err != nil {
		return err
	}
	answer, err := t.exchange(ctx, request)
	if err != nil {
		_ = t.st.Reset()
		return err
	}
	return c.finish(at, t, read(answer))
}

// finish keeps the stream unless the node broke the rules of the message.
func (c *Client) finish(at place, t *talk, err error) error {
	var code Code
	if err != nil && !errors.As(err, &code) {
		_ = t.st.Reset()
		return err
	}
	c.put(at, t)
	return err
}

// open connects and opens a stream.
func (c *Client) open(ctx context.Context, node peer.AddrInfo, id protocol.ID, limit int) (*talk, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := c.cfg.Host.Connect(ctx, node); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	st, err := c.cfg.Host.NewStream(network.WithAllowLimitedConn(ctx, "fetch"), node.ID, id)
	if err != nil {
		return nil, err
	}
	return &talk{st: st, in: frame.NewReader(st, limit), out: frame.NewWriter(st, max(maxQuery, maxSubmission))}, nil
}

// exchange sends the request and reads the answer; ctx ends both.
func (t *talk) exchange(ctx context.Context, request []byte) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = t.st.Reset() })
	err := t.out.Write(request)
	var answer []byte
	if err == nil {
		answer, err = t.in.Next()
	}
	if !stop() {
		return nil, ctx.Err()
	}
	return answer, err
}

// Doubt puts the node that answered last behind the others, since it was found
// to lie, and returns how many others there are.
func (c *Client) Doubt() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = (c.first + 1) % len(c.cfg.Nodes)
	return len(c.cfg.Nodes) - 1
}

// take is a kept stream, nil if there is none.
func (c *Client) take(at place) *talk {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.idle[at]
	if len(kept) == 0 {
		return nil
	}
	t := kept[len(kept)-1]
	c.idle[at] = kept[:len(kept)-1]
	return t
}

// put keeps a stream for the next question.
func (c *Client) put(at place, t *talk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.idle[at]) >= maxStreams {
		_ = t.st.Reset()
		return
	}
	c.idle[at] = append(c.idle[at], t)
}

// Close frees the kept streams; calls under way end on their own.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for at, kept := range c.idle {
		for _, t := range kept {
			_ = t.st.Reset()
		}
		delete(c.idle, at)
	}
	return nil
}
