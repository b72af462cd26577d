// Package phonetest is a phone and a node's boxes for tests: a phone with a
// soft passkey that plays its part to the end or as badly as a test wants, and
// boxes over HTTP without a node behind.
//
// It guards nothing. Tests start at NewBoxes and Phone.Add.
//
// What must never change: the phone refuses what a good page refuses, so that a
// wallet which asks for too much fails its tests.
package phonetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/phone"
)

// Boxes keeps boxes as a node does.
type Boxes struct {
	// Before, if set, may answer a request itself and returns true then.
	Before func(http.ResponseWriter, *http.Request) bool

	mu      sync.Mutex
	slots   map[string][]byte
	changed chan struct{} // closed when a message comes
}

// NewBoxes serves boxes until the test ends and gives their origin, on
// localhost.
func NewBoxes(tb testing.TB) (*Boxes, phone.Origin) {
	tb.Helper()
	b := &Boxes{slots: make(map[string][]byte), changed: make(chan struct{})}
	s := httptest.NewServer(b)
	tb.Cleanup(s.Close)
	o, err := phone.ParseOrigin(strings.Replace(s.URL, "127.0.0.1", "localhost", 1))
	if err != nil {
		tb.Fatal(err)
	}
	return b, o
}

// ServeHTTP answers as docs/spec/http.md says.
func (b *Boxes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.Before != nil && b.Before(w, r) {
		return
	}
	switch r.Method {
	case http.MethodPost:
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, phone.MaxSealed))
		switch {
		case err != nil || r.Header.Get("Content-Type") != "application/octet-stream":
			Refuse(w, http.StatusBadRequest, "bad_body")
		case !b.Put(r.URL.Path, raw):
			Refuse(w, http.StatusConflict, "slot_taken")
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	case http.MethodGet:
		seconds, _ := strconv.Atoi(r.URL.Query().Get("wait"))
		ctx, cancel := context.WithTimeout(r.Context(), time.Duration(seconds)*time.Second)
		defer cancel()
		if raw := b.get(ctx, r.URL.Path); raw != nil {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(raw)
			return
		}
		Refuse(w, http.StatusNotFound, "no_message")
	default:
		Refuse(w, http.StatusNotFound, "no_path")
	}
}

// Put puts bytes at a path; false if something is there already.
func (b *Boxes) Put(path string, raw []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.slots[path] != nil {
		return false
	}
	b.slots[path] = raw
	close(b.changed)
	b.changed = make(chan struct{})
	return true
}

// get waits for the bytes at a path until ctx ends.
func (b *Boxes) get(ctx context.Context, path string) []byte {
	for {
		b.mu.Lock()
		raw, changed := b.slots[path], b.changed
		b.mu.Unlock()
		if raw != nil {
			return raw
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// Refuse answers with an error of a node.
func Refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "message": code})
}

// Phone is a phone in the hands of somebody who opens a link. The zero value
// of a knob is a good phone's habit.
type Phone struct {
	Name  string // of its passkey
	Label string

	// Public, if set, gives another key than the phone's passkey.
	Public func(phone.Offer) key.Public
	// Sign, if set, gives another proof.
	Sign func(*keytest.Passkey, [32]byte) key.Signature
	// BeforeKey, if set, is called before the key is put into the box.
	BeforeKey func()
	// BeforeProof, if set, is called before the proof is put into the box.
	BeforeProof func()
}

// Outcome is what the phone knows at the end.
type Outcome struct {
	Offer   phone.Offer
	Passkey *keytest.Passkey
	Compare string
	Done    phone.Done
}

// ErrNotAdded means that the wallet said no.
var ErrNotAdded = errors.New("not added")

// Add opens the link and plays the phone's part to the end.
func (p Phone) Add(ctx context.Context, link string) (Outcome, error) {
	var out Outcome
	o, secret, err := phone.ParseLink(link)
	if err != nil {
		return out, err
	}
	random := zeros{}
	c, box := phone.NewClient(o, &random), secret.Box()
	defer c.Close()
	if err := c.Wait(ctx, box, &out.Offer); err != nil {
		return out, err
	}
	if out.Offer.Origin != o.String() {
		return out, fmt.Errorf("the offer is for %s, this page is %s", out.Offer.Origin, o)
	}
	out.Passkey = keytest.NewPasskey(p.Name, out.Offer.RPID, out.Offer.Origin)
	public := out.Passkey.Public()
	if p.Public != nil {
		public = p.Public(out.Offer)
	}
	out.Compare = secret.Compare(public)
	if p.BeforeKey != nil {
		p.BeforeKey()
	}
	if err := c.Post(ctx, box, &phone.Key{Public: public, Label: p.Label}); err != nil {
		return out, err
	}
	if out.Offer.Purpose == phone.Own {
		if err := p.prove(ctx, c, box, &out, public); err != nil {
			return out, err
		}
	}
	if err := c.Wait(ctx, box, &out.Done); err != nil {
		return out, err
	}
	if out.Done.Status != phone.Added {
		return out, fmt.Errorf("%w: %s", ErrNotAdded, out.Done.Text)
	}
	return out, nil
}

// prove looks at the transaction as a page does, and signs it.
func (p Phone) prove(ctx context.Context, c *phone.Client, box phone.Box, out *Outcome, public key.Public) error {
	t, err := awaitTx(ctx, c, box)
	if err != nil {
		return err
	}
	if err := checkRotation(t.Body, out.Offer, public); err != nil {
		return err
	}
	digest := codec.Digest(codec.LabelTx, out.Offer.Chain, t.Body)
	sig := out.Passkey.Sign(digest)
	if p.Sign != nil {
		sig = p.Sign(out.Passkey, digest)
	}
	if p.BeforeProof != nil {
		p.BeforeProof()
	}
	return c.Post(ctx, box, &phone.Proof{Signature: sig})
}

// awaitTx waits for the transaction, or for the wallet's refusal, which may
// come instead.
func awaitTx(ctx context.Context, c *phone.Client, box phone.Box) (phone.Tx, error) {
	var t phone.Tx
	var d phone.Done
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if c.Wait(ctx, box, &d) == nil {
			cancel()
		}
	})
	err := c.Wait(ctx, box, &t)
	cancel()
	wg.Wait()
	if err != nil && d.Status == phone.NotAdded {
		err = fmt.Errorf("%w: %s", ErrNotAdded, d.Text)
	}
	return t, err
}

// checkRotation wants a change of the offered account's keys that adds the
// phone's, for commands alone, and leaves the others as the offer says.
func checkRotation(body []byte, o phone.Offer, public key.Public) error {
	var b tx.Body
	if err := codec.Unmarshal(body, &b, phone.MaxPlain); err != nil {
		return err
	}
	var r tx.RotateKeys
	if err := codec.Unmarshal(b.Payload, &r, phone.MaxPlain); err != nil {
		return err
	}
	if b.Account != o.Account || r.Version != o.Keys.Version+1 || len(r.Keys) != len(o.Keys.Keys)+1 {
		return errors.New("the transaction does something else than it was offered")
	}
	for _, k := range r.Keys {
		old, had := o.Keys.Find(k.Key.ID())
		if had && k.Rights != old.Rights || !had && (!k.Key.Equal(public) || k.Rights != tx.RightInvoke) {
			return fmt.Errorf("the transaction gives %s other rights than it was offered", k.Key.ID())
		}
	}
	return nil
}

// zeros is not random: tests need no secrets, and a nonce is used once a slot.
type zeros struct{ n byte }

func (z *zeros) Read(b []byte) (int, error) {
	z.n++
	for i := range b {
		b[i] = z.n
	}
	return len(b), nil
}
