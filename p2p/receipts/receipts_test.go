package receipts_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/receipts"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serving lets a device answer by handle, and gives how an owner asks it.
func serving(t *testing.T, handle receipts.Handler) (ask func(command []byte) ([]byte, [][]byte, error), owner peer.ID) {
	t.Helper()
	from, device := p2ptest.Pair(t)
	server := receipts.New(device, handle)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	<-server.Ready()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(command []byte) ([]byte, [][]byte, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		return receipts.Fetch(ctx, from, device.Info(), command)
	}, from.ID()
}

// TestFetch: receipt and entries come whole and in order, and the device knows
// who asks; a command that brings none brings its receipt.
func TestFetch(t *testing.T) {
	var asked peer.ID
	ask, owner := serving(t, func(_ context.Context, from peer.ID, command []byte) ([]byte, func(func([]byte) error) error) {
		asked = from
		answer := append([]byte("re:"), command...)
		if string(command) == "refused" {
			return answer, nil
		}
		return answer, func(send func([]byte) error) error {
			for i := range 300 {
				if err := send(bytes.Repeat(fmt.Appendf(nil, "%d,", i), 200)); err != nil {
					return err
				}
			}
			return nil
		}
	})
	receipt, entries, err := ask([]byte("command"))
	if err != nil || string(receipt) != "re:command" || len(entries) != 300 || !bytes.HasPrefix(entries[299], []byte("299,")) {
		t.Errorf("%s, %d entries, %v", receipt, len(entries), err)
	}
	if asked != owner {
		t.Errorf("asked by %s", asked)
	}
	receipt, entries, err = ask([]byte("refused"))
	if err != nil || string(receipt) != "re:refused" || len(entries) != 0 {
		t.Errorf("%s, %d entries, %v", receipt, len(entries), err)
	}
}

// TestFetch_Cut: entries that break off are an error, and no answer is one.
func TestFetch_Cut(t *testing.T) {
	for name, handle := range map[string]receipts.Handler{
		"in the middle": func(context.Context, peer.ID, []byte) ([]byte, func(func([]byte) error) error) {
			return []byte("receipt"), func(send func([]byte) error) error {
				return errors.Join(send([]byte("one")), errors.New("the disk failed"))
			}
		},
		"at once": func(context.Context, peer.ID, []byte) ([]byte, func(func([]byte) error) error) { return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			ask, _ := serving(t, handle)
			if _, _, err := ask([]byte("command")); err == nil {
				t.Error("taken for the end")
			}
		})
	}
}

// TestFetch_Caps: a command over the cap is not read.
func TestFetch_Caps(t *testing.T) {
	ask, _ := serving(t, func(context.Context, peer.ID, []byte) ([]byte, func(func([]byte) error) error) {
		t.Error("it came through")
		return nil, nil
	})
	if _, _, err := ask(make([]byte, topic.MaxCommand+1)); err == nil {
		t.Error("sent")
	}
}

// FuzzParseRequest: whatever is read has one encoding.
func FuzzParseRequest(f *testing.F) {
	f.Add(receipts.Request{From: 7, Peer: []byte("peer")}.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := receipts.ParseRequest(raw)
		if err == nil && !bytes.Equal(r.Bytes(), raw) {
			t.Errorf("%x is read as %x", raw, r.Bytes())
		}
	})
}
