package link_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
)

// TestServer_End: a peer whose right has ended loses its streams, also idle
// ones; others keep theirs, and it may come again to be told why.
func TestServer_End(t *testing.T) {
	device, guest, owner := p2ptest.Slim(t), p2ptest.Slim(t), p2ptest.Slim(t)
	s, err := link.New(link.Config{Host: device, Handler: echoes})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	<-s.Ready()
	idle, other := raw(t, guest, device), dial(t, owner, device)
	again := dial(t, guest, device)
	for _, l := range []*link.Link{again, other} { // so that the device has seen the streams
		if _, err := l.Send(patience(t), []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := idle.Write([]byte{2, 1, 7}); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 3)
	if err := idle.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := idle.Read(answer); err != nil {
		t.Fatal(err)
	}
	s.End(guest.ID())
	if n, err := idle.Read(make([]byte, 8)); err == nil {
		t.Fatalf("%d more bytes after the end", n)
	}
	if got, err := other.Send(patience(t), []byte{9}); err != nil || got[0] != 9 {
		t.Fatalf("%v, %v", got, err)
	}
	got, err := again.Send(patience(t), []byte{9})
	if errors.Is(err, link.ErrNoAnswer) { // it has just found out
		got, err = again.Send(patience(t), []byte{9})
	}
	if err != nil || got[0] != 9 {
		t.Fatalf("%v, %v", got, err)
	}
}
