package sdk

import (
	"context"
	"errors"
	"fmt"
	"sync"

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
	if len(infos) == 0 {
		return nil, &Error{Kind: BadAddress, Detail: "no address of the device is known"}
	}
	merged := infos[0]
	for _, i := range infos[1:] {
		if i.ID != merged.ID {
			return nil, &Error{Kind: BadAddress, Detail: "addresses of two different peers"}
		}
		merged.Addrs = append(merged.Addrs, i.Addrs...)
	}
	return &Device{c: c, key: k, peer: merged}, nil
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
	return d.verify(raw, cmd.ID(d.c.chain))
}

// Exchange sends any bytes and returns the answer as it came. It is for tools
// that send what is no command; use Send for what is.
func (d *Device) Exchange(ctx context.Context, raw []byte) ([]byte, error) {
	l, err := d.c.link(ctx, d.peer)
	if err == nil {
		raw, err = l.Send(ctx, raw)
	}
	switch {
	case err == nil:
		return raw, nil
	case errors.Is(err, link.ErrNoAnswer):
		return nil, &Error{Kind: NoReceipt, Detail: "the command may have been executed", Cause: err}
	default:
		return nil, &Error{Kind: Unreachable, Detail: fmt.Sprintf("device %s", d.key.DeviceID()), Cause: err}
	}
}

func (d *Device) verify(raw []byte, id command.ID) (*command.Receipt, error) {
	r, err := command.DecodeReceipt(raw)
	if err == nil {
		err = r.Verify(d.c.chain, d.key, id)
	}
	if err != nil {
		return nil, &Error{Kind: BadReceipt, Detail: "the answer is not a receipt of this device for this command", Cause: err}
	}
	return r, nil
}

// sharedLink is the one stream to a peer, dialled by whoever comes first.
type sharedLink struct {
	mu   sync.Mutex
	link *link.Link
}

func (c *Client) link(ctx context.Context, p peer.AddrInfo) (*link.Link, error) {
	c.mu.Lock()
	if c.links == nil {
		c.mu.Unlock()
		return nil, link.ErrClosed
	}
	s, ok := c.links[p.ID]
	if !ok {
		s = new(sharedLink)
		c.links[p.ID] = s
	}
	c.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != nil {
		return s.link, nil
	}
	l, err := link.Dial(ctx, c.cfg.Host, p)
	if err != nil {
		return nil, err
	}
	s.link = l
	return l, nil
}

func (s *sharedLink) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == nil {
		return nil
	}
	return s.link.Close()
}
