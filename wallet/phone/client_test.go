package phone_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/wallet/phone"
	"github.com/hybridos-net/hybridos/wallet/phone/phonetest"
)

func newClient(t *testing.T, o phone.Origin) (*phone.Client, phone.Box, *[]time.Duration) {
	t.Helper()
	s, err := phone.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := phone.NewClient(o, rand.Reader)
	t.Cleanup(c.Close)
	pauses := new([]time.Duration)
	c.Hurry(func(d time.Duration) { *pauses = append(*pauses, d) })
	return c, s.Box(), pauses
}

var refusal = &phone.Done{Status: phone.NotAdded, Text: "no"}

func TestClient_PostAndWait(t *testing.T) {
	_, o := phonetest.NewBoxes(t)
	c, box, _ := newClient(t, o)
	done := make(chan error, 1)
	var got phone.Done
	go func() { done <- c.Wait(t.Context(), box, &got) }()
	if err := c.Post(t.Context(), box, refusal); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || got.Text != "no" {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := c.Post(t.Context(), box, refusal); !errors.Is(err, phone.SlotTaken) {
		t.Errorf("a second message: %v", err)
	}
}

// TestClient_AsksAgain: an empty answer and a short outage do not end a wait.
func TestClient_AsksAgain(t *testing.T) {
	b, o := phonetest.NewBoxes(t)
	c, box, pauses := newClient(t, o)
	if err := c.Post(t.Context(), box, refusal); err != nil {
		t.Fatal(err)
	}
	var n atomic.Int32
	b.Before = func(w http.ResponseWriter, r *http.Request) bool {
		switch n.Add(1) {
		case 1, 2:
			phonetest.Refuse(w, http.StatusNotFound, "no_message")
		case 3:
			phonetest.Refuse(w, http.StatusTooManyRequests, "rate_limited")
		case 4:
			w.WriteHeader(http.StatusBadGateway)
		default:
			return false
		}
		return true
	}
	var got phone.Done
	if err := c.Wait(t.Context(), box, &got); err != nil || n.Load() != 5 || len(*pauses) != 4 {
		t.Fatalf("%v after %d requests and pauses %v", err, n.Load(), *pauses)
	}
}

// TestClient_LostAnswer: a message that arrived without an acknowledgement is
// not taken for somebody else's, and somebody else's not for it.
func TestClient_LostAnswer(t *testing.T) {
	for name, other := range map[string]bool{"our own": false, "somebody else's": true} {
		t.Run(name, func(t *testing.T) {
			b, o := phonetest.NewBoxes(t)
			c, box, _ := newClient(t, o)
			lost := false
			b.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if lost || r.Method != http.MethodPost {
					return false
				}
				lost = true
				if other {
					b.Put(r.URL.Path, []byte("something else"))
				} else {
					b.Before = nil
					b.ServeHTTP(httptest.NewRecorder(), r)
				}
				hangUp(t, w)
				return true
			}
			err := c.Post(t.Context(), box, refusal)
			if other && !errors.Is(err, phone.SlotTaken) || !other && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

// hangUp ends the connection without a word.
func hangUp(t *testing.T, w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_ = conn.Close()
}

func TestClient_Refusals(t *testing.T) {
	answer := func(status int, kind, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	code := func(status int, code string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { phonetest.Refuse(w, status, code) }
	}
	cases := map[string]struct {
		answer func(http.ResponseWriter)
		kind   phone.ErrorKind
		word   string
		pauses int
	}{
		"box limit":         {code(503, "too_many_boxes"), phone.TooManyBoxes, "", 0},
		"rate limit":        {code(429, "rate_limited"), phone.RateLimited, "", phone.Tries - 1},
		"busy":              {code(503, "busy"), phone.RateLimited, "", phone.Tries - 1},
		"no phone page":     {code(404, "no_path"), phone.NotANode, "phone_listen", 0},
		"stopping":          {code(503, "unavailable"), phone.Unreachable, "stopping", phone.Tries - 1},
		"wrong name":        {code(403, "bad_host"), phone.Refused, "bad_host", 0},
		"a proxy":           {answer(502, "text/html", "<h1>"), phone.Unreachable, "502", phone.Tries - 1},
		"a web site":        {answer(200, "text/html", "<h1>"), phone.NotANode, "text/html", 0},
		"another not found": {answer(404, "text/html", "<h1>"), phone.NotANode, "404", 0},
		"other JSON":        {answer(404, "application/json", `{"error":"x"}`), phone.NotANode, "", 0},
		"no JSON":           {answer(400, "application/json", `x`), phone.NotANode, "", 0},
		"long error":        {answer(400, "application/json", strings.Repeat(" ", 5000)+`{"code":"x"}`), phone.NotANode, "", 0},
		"a redirect": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(302)
		}, phone.NotANode, "302", 0},
		"too long": {answer(200, "application/octet-stream", strings.Repeat("x", phone.MaxSealed+1)), phone.NotANode, "", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b, o := phonetest.NewBoxes(t)
			client, box, pauses := newClient(t, o)
			b.Before = func(w http.ResponseWriter, _ *http.Request) bool {
				c.answer(w)
				return true
			}
			for what, err := range map[string]error{
				"post": client.Post(t.Context(), box, refusal),
				"wait": client.Wait(t.Context(), box, new(phone.Done)),
			} {
				if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.word) || strings.Contains(err.Error(), box.ID()) {
					t.Errorf("%s: %v, want %s", what, err, c.kind)
				}
			}
			if len(*pauses) != 2*c.pauses {
				t.Errorf("pauses %v, want 2 times %d", *pauses, c.pauses)
			}
		})
	}
}

func TestClient_Unreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	o, err := phone.ParseOrigin(strings.Replace(s.URL, "127.0.0.1", "localhost", 1))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	c, box, pauses := newClient(t, o)
	if err := c.Post(t.Context(), box, refusal); !errors.Is(err, phone.Unreachable) || strings.Contains(err.Error(), box.ID()) {
		t.Errorf("got %v", err)
	}
	if p := *pauses; len(p) != phone.Tries-1 || p[1] != 2*p[0] {
		t.Errorf("pauses %v", p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Post(ctx, box, refusal); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestClient_WaitEnds: a deadline is told from an interrupt, and both from an
// answer.
func TestClient_WaitEnds(t *testing.T) {
	b, o := phonetest.NewBoxes(t)
	c, box, _ := newClient(t, o)
	asked := make(chan struct{})
	b.Before = func(http.ResponseWriter, *http.Request) bool {
		close(asked)
		b.Before = nil
		return false
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Wait(ctx, box, new(phone.Done)) }()
	<-asked
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	past, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if err := c.Wait(past, box, new(phone.Done)); !errors.Is(err, phone.Expired) {
		t.Errorf("deadline: %v", err)
	}
}

// TestClient_Rubbish: what the holder of the link did not seal is refused.
func TestClient_Rubbish(t *testing.T) {
	b, o := phonetest.NewBoxes(t)
	c, box, _ := newClient(t, o)
	b.Put("/v1/boxes/"+box.ID()+"/key", bytes.Repeat([]byte{1}, 100))
	if err := c.Wait(t.Context(), box, new(phone.Key)); !errors.Is(err, phone.NotSealed) {
		t.Errorf("got %v", err)
	}
}
