// Package receipts is how an owner fetches what a device has answered, with the
// commands: the protocol /hybridos/receipts/1.
//
// It judges nothing: the stream begins with a signed command, device.receipts,
// which the device's gate takes or refuses like any other, and what follows is
// checked by chain/audit. Callers use a Server on the device and Fetch on the
// other side.
//
// What must never change: entries go only to the peer that the command names,
// since whoever carries a command elsewhere could show it here again.
package receipts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/internal/seat"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Request is the params of device.receipts.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Request struct {
	From uint64 `cbor:"1,keyasint"` // counter of the first receipt that is wanted
	Peer []byte `cbor:"2,keyasint"` // who opens the stream
}

// Bytes is the canonical encoding.
func (r Request) Bytes() []byte { return codec.MustMarshal(r) }

// ParseRequest reads params.
func ParseRequest(b []byte) (Request, error) {
	var r Request
	err := codec.Unmarshal(b, &r, maxRequest)
	return r, err
}

const (
	// maxRequest is the longest request: a counter and a peer id.
	maxRequest = 128
	// maxEntries bounds what one stream brings.
	maxEntries = 1 << 14
	// streams and perPeer bound the streams at a device.
	streams, perPeer = 4, 1
	// talk bounds each step of a conversation.
	talk = 30 * time.Second
)

// Handler judges a command and gives the device's answer. entries is nil if there
// is nothing to send, else called once with what sends an entry.
type Handler func(ctx context.Context, from peer.ID, command []byte) (receipt []byte, entries func(send func(entry []byte) error) error)

// Server is the device's end.
type Server struct {
	host   host.Host
	handle Handler
	ready  chan struct{}
}

// New makes a server; it starts nothing.
func New(h host.Host, handle Handler) *Server {
	return &Server{host: h, handle: handle, ready: make(chan struct{})}
}

// Ready is closed when Run serves.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run serves until ctx ends and every stream is over. A server runs once.
func (s *Server) Run(ctx context.Context) error {
	house := seat.New(streams, perPeer)
	s.host.SetStreamHandler(topic.Receipts, func(st network.Stream) {
		place := house.Enter(st, st.Conn().RemotePeer())
		if place == nil {
			return
		}
		defer place.Leave()
		place.Busy()
		defer place.Rest()
		if serve(ctx, st, s.handle) != nil {
			_ = st.Reset()
			return
		}
		_ = st.Close()
	})
	close(s.ready)
	<-ctx.Done()
	s.host.RemoveStreamHandler(topic.Receipts)
	house.Close()
	return nil
}

func serve(ctx context.Context, st network.Stream, handle Handler) error {
	_ = st.SetDeadline(time.Now().Add(talk))
	raw, err := frame.NewReader(st, topic.MaxCommand).Next()
	if err != nil {
		return err
	}
	receipt, entries := handle(ctx, st.Conn().RemotePeer(), raw)
	if len(receipt) == 0 {
		return errors.New("no answer")
	}
	out := frame.NewWriter(st, topic.MaxReceipt)
	if err := out.Write(receipt); err != nil || entries == nil {
		return err
	}
	return entries(func(entry []byte) error {
		_ = st.SetDeadline(time.Now().Add(talk))
		return out.Write(entry)
	})
}

// Fetch sends the command to a device and gives its receipt and the entries that
// it sends. Neither has been checked.
func Fetch(ctx context.Context, h host.Host, to peer.AddrInfo, command []byte) (receipt []byte, entries [][]byte, err error) {
	if err := h.Connect(ctx, to); err != nil {
		return nil, nil, fmt.Errorf("reach device: %w", err)
	}
	st, err := h.NewStream(network.WithAllowLimitedConn(ctx, "receipts"), to.ID, topic.Receipts)
	if err != nil {
		return nil, nil, fmt.Errorf("reach device: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = st.Reset() })
	defer stop()
	defer st.Reset()
	if err := frame.NewWriter(st, topic.MaxCommand).Write(command); err != nil {
		return nil, nil, fmt.Errorf("ask for receipts: %w", errors.Join(err, ctx.Err()))
	}
	in := frame.NewReader(st, topic.MaxReceipt)
	for {
		b, err := in.Next()
		switch {
		case errors.Is(err, io.EOF) && receipt != nil:
			return receipt, entries, nil
		case err != nil:
			return receipt, entries, fmt.Errorf("read receipts: %w", errors.Join(err, ctx.Err()))
		case receipt == nil:
			receipt = append([]byte(nil), b...)
		case len(entries) == maxEntries:
			return receipt, entries, fmt.Errorf("read receipts: more than %d", maxEntries)
		default:
			entries = append(entries, append([]byte(nil), b...))
		}
	}
}
