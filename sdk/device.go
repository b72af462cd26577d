package sdk

import (
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/p2p/link"
)

// Device is a device that commands go to. Its key comes from the ledger or the
// pairing; what it answers is believed only with that key's signature.
type Device struct {
	c    *Client
	key  key.Public
	peer peer.AddrInfo
}

// Device names a device by its key and where to reach it. Nothing is dialled
// before the first command; devices of the same peer share one stream.
func (c *Client) Device(k key.Public, addrs []string) (*Device, error) {
	infos, err := parseAddrs(addrs)
	if err != nil {
		return nil, err
	}
	switch len(infos) {
	case 0:
		return nil, &Error{Kind: BadAddress, Detail: "no address of the device is known"}
	case 1:
		return &Device{c: c, key: k, peer: c.ways(infos[0])}, nil
	}
	return nil, &Error{Kind: BadAddress, Detail: "addresses of two different peers"}
}

// Send sends a signed command and returns the verified receipt, whatever it
// says: a rejection is a receipt too. Errors are of kind Unreachable (surely not
// executed), NoReceipt (outcome unknown: send the same command again, never a
// new one) or BadReceipt (somebody answered who is not the device).
func (d *Device) Send(ctx context.Context, cmd *command.Command) (*command.Receipt, error) {
	raw, err := d.Exchange(ctx, cmd.Bytes())
	if err != nil {
		return nil, err
	}
	return d.verify(raw, cmd)
}

// Exchange sends any bytes and returns the answer as it came. It is for tools
// that send what is no command; use Send for what is.
func (d *Device) Exchange(ctx context.Context, raw []byte) ([]byte, error) {
	answer, err := d.c.exchange(ctx, d.peer, raw)
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, link.ErrNoAnswer):
		return nil, &Error{Kind: NoReceipt, Detail: "the command may have been executed", Cause: err}
	default:
		return nil, &Error{Kind: Unreachable, Detail: fmt.Sprintf("device %s", d.key.DeviceID()), Cause: err}
	}
}

// exchange sends over the link to a peer until ctx ends or Close is called.
func (c *Client) exchange(ctx context.Context, p peer.AddrInfo, raw []byte) ([]byte, error) {
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	l, err := c.link(ctx, p)
	if err == nil {
		raw, err = l.Send(ctx, raw)
	}
	if err != nil && c.isClosed() {
		err = errors.Join(link.ErrClosed, err)
	}
	return raw, err
}

func (d *Device) verify(raw []byte, cmd *command.Command) (*command.Receipt, error) {
	r, err := command.DecodeReceipt(raw)
	if err == nil {
		err = r.Answers(d.c.chain, d.key, cmd)
	}
	if err != nil {
		return nil, &Error{Kind: BadReceipt, Detail: "the answer is not a receipt of this device for this command", Cause: err}
	}
	return r, nil
}

// sharedLink is the one stream to a peer, dialled by whoever comes first.
type sharedLink struct {
	dialling chan struct{} // cap 1, held while dialling
	link     *link.Link    // nil before the first dial; guarded by Client.mu
}

// shared finds the entry of a peer and the link in it.
func (c *Client) shared(p peer.ID) (*sharedLink, *link.Link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.links == nil {
		return nil, nil, link.ErrClosed
	}
	s, ok := c.links[p]
	if !ok {
		s = &sharedLink{dialling: make(chan struct{}, 1)}
		c.links[p] = s
	}
	return s, s.link, nil
}

// link gives the link to a peer, dialled by one caller while the others wait.
func (c *Client) link(ctx context.Context, p peer.AddrInfo) (*link.Link, error) {
	s, l, err := c.shared(p.ID)
	if err != nil {
		return nil, err
	}
	if l != nil {
		l.Found(p.Addrs)
		return l, nil
	}
	select {
	case s.dialling <- struct{}{}:
		defer func() { <-s.dialling }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if _, l, err := c.shared(p.ID); l != nil || err != nil {
		return l, err
	}
	return c.dial(ctx, s, p)
}

// dial makes the link of a peer.
func (c *Client) dial(ctx context.Context, s *sharedLink, p peer.AddrInfo) (*link.Link, error) {
	l, err := link.Dial(ctx, c.cfg.Host, p)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.links == nil {
		return nil, errors.Join(link.ErrClosed, l.Close())
	}
	s.link = l
	return l, nil
}
