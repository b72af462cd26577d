package adversary_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/node/api"
	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
)

// carrier brings bytes to the device and its answer back. The same bytes get the
// same verdict over each.
type carrier interface {
	Carry(ctx context.Context, raw []byte) ([]byte, error)
}

// way is a carrier by name. A strict one looks at the form of a command before it
// carries it.
type way struct {
	name   string
	strict bool
	open   func(*world) carrier
}

// carriers are the ways to a device, each opened between the two ends of a
// world.
var carriers = []way{
	{"gate", false, func(w *world) carrier { return inProcess{w} }},
	{"stream", false, func(w *world) carrier { return openStream(w) }},
	{"http", true, func(w *world) carrier { return openHTTP(w) }},
}

// errNoAnswer: the device closed the conversation instead of answering.
var errNoAnswer = errors.New("no answer")

// inProcess calls the gate.
type inProcess struct{ w *world }

func (c inProcess) Carry(ctx context.Context, raw []byte) ([]byte, error) {
	if answer := c.w.handle(ctx, "peer", raw); answer != nil {
		return answer, nil
	}
	return nil, errNoAnswer
}

// stream is the device's own host with its command stream, and a full host that
// dials it.
type stream struct{ link *link.Link }

func openStream(w *world) stream {
	w.t.Helper()
	end, dialler := p2ptest.Slim(w.t), p2ptest.Full(w.t)
	server, err := link.New(link.Config{Host: end, Handler: func(ctx context.Context, from peer.ID, raw []byte) []byte {
		return w.handle(ctx, from.String(), raw)
	}})
	w.check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	<-server.Ready()
	l, err := link.Dial(w.t.Context(), dialler, end.Info())
	w.check(err)
	w.t.Cleanup(func() {
		cancel()
		if err := errors.Join(l.Close(), <-done); err != nil {
			w.t.Errorf("stream: %v", err)
		}
	})
	return stream{l}
}

func (c stream) Carry(ctx context.Context, raw []byte) ([]byte, error) {
	answer, err := c.link.Send(ctx, raw)
	if errors.Is(err, link.ErrNoAnswer) {
		err = errNoAnswer
	}
	return answer, err
}

// forward is a node's HTTP interface; behind it the command goes over the stream
// between the node's host and the device.
type forward struct {
	url string
}

func openHTTP(w *world) forward {
	w.t.Helper()
	s, err := api.New(api.Config{Ledger: noLedger{}, Index: noIndex{}, Devices: &door{stream: openStream(w)}})
	w.check(err)
	server := httptest.NewServer(s.Handler())
	w.t.Cleanup(server.Close)
	return forward{server.URL + "/v1/commands"}
}

// refusal is a carrier's own word that it has not carried the bytes.
type refusal string

func (r refusal) Error() string { return "the node refused: " + string(r) }

func (c forward) Carry(ctx context.Context, raw []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/cbor")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 2*command.MaxReceipt))
	if err != nil || res.StatusCode == http.StatusOK {
		return body, err
	}
	var e struct{ Code string }
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("status %d: %w", res.StatusCode, err)
	}
	if e.Code == "no_receipt" {
		return nil, errNoAnswer
	}
	return nil, refusal(e.Code)
}

// door reaches the one device.
type door struct {
	api.Devices
	stream stream
}

func (d *door) Forward(ctx context.Context, _ key.DeviceID, raw []byte) ([]byte, error) {
	answer, err := d.stream.Carry(ctx, raw)
	if errors.Is(err, errNoAnswer) {
		err = api.ErrNoReceipt
	}
	return answer, err
}

// noLedger and noIndex are parts of the interface that no command needs.
type noLedger struct{ api.Ledger }

type noIndex struct{ api.Index }
