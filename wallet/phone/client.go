package phone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

const (
	sealedType = "application/octet-stream"
	errorType  = "application/json"

	// tries is how often a request that got no answer is made before the node
	// counts as unreachable.
	tries = 5
	// firstPause is the wait before the second try; each further one doubles.
	firstPause = 250 * time.Millisecond
	// slack is how long an answer may take beyond what the node was asked to
	// wait.
	slack = 10 * time.Second
)

// Client puts messages into boxes of one node and takes them out. It sees and
// believes nothing: what is in a box is sealed. Safe for concurrent use.
type Client struct {
	origin Origin
	http   *http.Client
	random io.Reader
	pause  func(context.Context, time.Duration) error
}

// NewClient makes the client of the node behind an origin; random is a
// cryptographic source. The caller closes it.
func NewClient(o Origin, random io.Reader) *Client {
	return &Client{origin: o, random: random, pause: pause, http: &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		// A box is where the origin says; who sends us elsewhere is no node.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends the connections that are kept for later.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Post seals a message and puts it into its slot of the box. A message whose
// acknowledgement was lost is not lost: it is asked for before it counts as
// somebody else's.
func (c *Client) Post(ctx context.Context, b Box, m Message) error {
	sealed, err := b.Seal(c.random, m)
	if err != nil {
		return err
	}
	lost := false
	err = c.persist(ctx, &lost, func() error {
		_, err := c.do(ctx, slack, http.MethodPost, c.url(b, m.slot()), sealed)
		return err
	})
	if lost && errors.Is(err, SlotTaken) {
		there, getErr := c.do(ctx, slack, http.MethodGet, c.url(b, m.slot()), nil)
		if getErr == nil && bytes.Equal(there, sealed) {
			return nil
		}
	}
	return err
}

// Wait waits for the message of a slot until ctx ends, and opens it. Expired
// means that its deadline passed.
func (c *Client) Wait(ctx context.Context, b Box, into Message) error {
	url := fmt.Sprintf("%s?wait=%d", c.url(b, into.slot()), maxWait)
	for {
		var sealed []byte
		err := c.persist(ctx, new(bool), func() (err error) {
			sealed, err = c.do(ctx, maxWait*time.Second+slack, http.MethodGet, url, nil)
			return err
		})
		switch {
		case err == nil:
			return b.Open(sealed, into)
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return refuse(Expired, "no answer in the box within the time (%s)", into.slot())
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, errNoMessage):
			return err
		}
		// A node that answers at once, against the question, is not asked
		// without end at full speed.
		if err := c.pause(ctx, firstPause); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (c *Client) url(b Box, s Slot) string {
	return c.origin.String() + "/v1/boxes/" + b.ID() + "/" + string(s)
}

// persist makes a request again while nobody answers, with growing pauses. lost
// is set when a request may have arrived without an answer.
func (c *Client) persist(ctx context.Context, lost *bool, request func() error) error {
	wait := firstPause
	for n := 1; ; n++ {
		err := request()
		again := errors.Is(err, Unreachable) || errors.Is(err, RateLimited)
		if err != nil && errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		if !again || n == tries || ctx.Err() != nil {
			return err
		}
		*lost = *lost || errors.Is(err, Unreachable)
		if paused := c.pause(ctx, wait); paused != nil {
			if errors.Is(paused, context.Canceled) {
				return paused
			}
			return err // why it took too long says more than that it did
		}
		wait *= 2
	}
}

// errNoMessage means that the slot is empty still.
var errNoMessage = errors.New("no message yet")

// do makes one request and gives what a node answered.
func (c *Client) do(ctx context.Context, patience time.Duration, method, url string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask for a box: %w", err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", sealedType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, refuse(Unreachable, "%s: %v", c.origin, rootCause(err))
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, MaxSealed+1))
	if err != nil {
		return nil, refuse(Unreachable, "%s hung up: %v", c.origin, err)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case method == http.MethodPost && resp.StatusCode == http.StatusNoContent:
		return nil, nil
	case method == http.MethodGet && resp.StatusCode == http.StatusOK && kind == sealedType && len(raw) <= MaxSealed:
		return raw, nil
	case resp.StatusCode >= 400 && kind == errorType && len(raw) <= maxError:
		return nil, c.refusal(resp.StatusCode, raw)
	case resp.StatusCode == http.StatusBadGateway || resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusGatewayTimeout:
		// A proxy before the node, which the node may be about to join.
		return nil, refuse(Unreachable, "%s: what stands before the node says %d", c.origin, resp.StatusCode)
	default:
		return nil, refuse(NotANode, "%s answers with status %d and %.40q", c.origin, resp.StatusCode, kind)
	}
}

// refusal reads the error of a node.
func (c *Client) refusal(status int, raw []byte) error {
	var e struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(raw, &e); err != nil || e.Code == "" {
		return refuse(NotANode, "%s answers with status %d and an error that is not a node's", c.origin, status)
	}
	switch e.Code {
	case "no_path":
		return refuse(NotANode, "%s is a node that serves no phones: its operator sets phone_listen", c.origin)
	case "no_message":
		return errNoMessage
	case "unavailable":
		return refuse(Unreachable, "%s is starting or stopping", c.origin)
	case "slot_taken":
		return refuse(SlotTaken, "%s: somebody else has used this link", c.origin)
	case "too_many_boxes":
		return refuse(TooManyBoxes, "%s keeps as many boxes as it can", c.origin)
	case "rate_limited", "busy":
		return refuse(RateLimited, "%s has too much to do", c.origin)
	default:
		return refuse(Refused, "%s: %.80s (%d): %.200s", c.origin, e.Code, status, e.Message)
	}
}

// rootCause leaves out the method and address that net/http puts before it: the
// address has the box's number.
func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
