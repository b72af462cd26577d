package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/mux"
)

// serve makes a node of the mesh that answers from a backend, and gives its
// address. The host and the server are those of hosd.
func serve(t *testing.T, backend fetch.Backend) string {
	t.Helper()
	seed := must(mux.NewSeed(rand.Reader))(t)
	h := must(host.Listen(host.Config{Key: must(mux.Key(seed))(t)}))(t)
	s := must(fetch.NewServer(fetch.ServerConfig{Host: h, Backend: backend}))(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	return fmt.Sprintf("%s/p2p/%s", h.Addrs()[0], h.ID())
}

// ask makes a client of nodes that believes everything.
func ask(t *testing.T, nodes []string) *fetch.Client {
	t.Helper()
	seed := must(mux.NewSeed(rand.Reader))(t)
	h := must(host.Listen(host.Config{Key: must(mux.Key(seed))(t), DialOnly: true}))(t)
	var infos []peer.AddrInfo
	for _, n := range nodes {
		infos = append(infos, *must(peer.AddrInfoFromString(n))(t))
	}
	c := must(fetch.NewClient(fetch.ClientConfig{Host: h, Nodes: infos}))(t)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
