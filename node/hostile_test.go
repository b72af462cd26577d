package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/mux"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// noises are what a hostile end of a stream writes.
var noises = []struct {
	name string
	raw  []byte
}{
	{"nothing", nil},
	{"empty frame", []byte{0}},
	{"length not minimal", []byte{0x81, 0x00}},
	{"a gibibyte announced", append(binary.AppendUvarint(nil, 1<<30), make([]byte, 1<<20)...)},
	{"the longest length", bytes.Repeat([]byte{0xff}, 64)},
	{"frame cut short", append(binary.AppendUvarint(nil, 1000), 1, 2, 3)},
	{"frame of garbage", frame.Append(nil, bytes.Repeat([]byte{0xa5}, 512))},
	{"deep nesting", frame.Append(nil, bytes.Repeat([]byte{0x81}, 500))},
	{"map with a huge count", frame.Append(nil, []byte{0xbb, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})},
	{"other message", frame.Append(nil, []byte{0xa1, 0x18, 0x63, 0x01})},
	{"thousands of frames", bytes.Repeat(frame.Append(nil, []byte{0xa0}), 4000)},
}

// A hostile member of the mesh answers, asks and gossips rubbish: clients get
// their answer from the next node, and nodes serve on and spread none of it.
func TestByzantine_Mesh(t *testing.T) {
	t.Parallel()
	w, logs := newNetwork(t, 1, 1), &record{}
	w.logger = logs.logger()
	w.startAll()
	h, nodes := w.dial(0)
	c, err := fetch.NewClient(fetch.ClientConfig{Host: h, Nodes: nodes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	for i := range 2 {
		mustSubmit(t, c, w.register(uint64(i), i))
	}
	t.Run("answers", func(t *testing.T) { w.testHostileAnswers(t, h, nodes[0]) })
	t.Run("requests", func(t *testing.T) { w.testHostileRequests(t, c) })
	t.Run("gossip", func(t *testing.T) { w.testHostileGossip(t, c) })
	mustSubmit(t, c, w.register(3, 3))
	logs.calm(t)
}

func (w *testnet) hostile(t *testing.T) *host.Host {
	t.Helper()
	seed := sha256.Sum256([]byte("hostile" + t.Name()))
	k, err := mux.Key(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.Listen(host.Config{Key: k, Addrs: []string{"/ip4/127.0.0.1/tcp/0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func (w *testnet) testHostileAnswers(t *testing.T, h *host.Host, good peer.AddrInfo) {
	for _, n := range noises {
		t.Run(n.name, func(t *testing.T) {
			bad := w.hostile(t)
			asked := make(chan struct{}, 8)
			for _, id := range []protocol.ID{topic.Fetch, topic.Submit} {
				bad.SetStreamHandler(id, func(st network.Stream) {
					defer st.Close()
					_, _ = st.Read(make([]byte, 1024))
					_, _ = st.Write(n.raw)
					asked <- struct{}{}
				})
			}
			first := peer.AddrInfo{ID: bad.ID(), Addrs: bad.Addrs()}
			for _, ask := range []func(c *fetch.Client) error{
				func(c *fetch.Client) error {
					raw, err := c.LightBlock(t.Context(), 2)
					if err == nil {
						_, err = light.DecodeBlock(w.doc.ChainID, raw)
					}
					return err
				},
				func(c *fetch.Client) error {
					_, err := c.Submit(t.Context(), w.register(0, 0)) // executed long ago
					return err
				},
			} {
				c, err := fetch.NewClient(fetch.ClientConfig{Host: h, Nodes: []peer.AddrInfo{first, good}})
				if err != nil {
					t.Fatal(err)
				}
				if err := ask(c); err != nil {
					t.Error(err)
				}
				c.Close()
				<-asked
			}
		})
	}
}

func (w *testnet) testHostileRequests(t *testing.T, c *fetch.Client) {
	bad := w.hostile(t)
	node, err := peer.AddrInfoFromString(w.nodes[1].run.Mesh[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := bad.Connect(t.Context(), *node); err != nil {
		t.Fatal(err)
	}
	var talking sync.WaitGroup
	for _, id := range []protocol.ID{topic.Fetch, topic.Submit, topic.Presence} {
		for _, n := range noises {
			st, err := bad.NewStream(t.Context(), node.ID, id)
			if err != nil {
				t.Fatalf("%s, %s: %v", id, n.name, err)
			}
			talking.Go(func() {
				defer st.Reset()
				_ = st.SetDeadline(time.Now().Add(20 * time.Second))
				_, _ = st.Write(n.raw) // the node may hang up before all of it
				_ = st.CloseWrite()
				if got, _ := io.Copy(io.Discard, st); got > 1<<20 {
					t.Errorf("%s, %s: the node answers %d bytes", id, n.name, got)
				}
			})
			talking.Wait() // a peer may have but few streams
		}
	}
	if _, err := c.LightBlock(t.Context(), 2); err != nil {
		t.Errorf("an honest client: %v", err)
	}
}

func (w *testnet) testHostileGossip(t *testing.T, c *fetch.Client) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	bad := w.hostile(t)
	ps, err := pubsub.NewGossipSub(ctx, bad, pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor(),
		pubsub.WithMaxMessageSize(16<<20), pubsub.WithFloodPublish(true),
		pubsub.WithMessageIdFn(func(m *pubsub_pb.Message) string { s := sha256.Sum256(m.GetData()); return string(s[:]) }))
	if err != nil {
		t.Fatal(err)
	}
	flood, err := ps.Join(topic.Checkpoint(w.doc.Chain()))
	if err != nil {
		t.Fatal(err)
	}
	joined, err := flood.EventHandler()
	if err != nil {
		t.Fatal(err)
	}
	defer joined.Cancel()
	node, err := peer.AddrInfoFromString(w.nodes[0].run.Mesh[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := bad.Connect(ctx, *node); err != nil {
		t.Fatal(err)
	}
	if _, err := joined.NextPeerEvent(ctx); err != nil { // the node has the topic
		t.Fatal(err)
	}
	heads := w.listen(t, 1)
	real, err := c.LightBlock(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		damaged := bytes.Clone(real)
		damaged[i*len(real)/200] ^= 0x40
		for _, raw := range [][]byte{damaged, {byte(i)}, bytes.Repeat([]byte{byte(i)}, 5000)} {
			if err := flood.Publish(ctx, raw); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, size := range []int{topic.MaxCheckpoint + 1, 1 << 20} {
		if err := flood.Publish(ctx, bytes.Repeat([]byte{7}, size)); err != nil {
			t.Fatal(err)
		}
	}
	done := mustSubmit(t, c, w.register(2, 2))
	for last := int64(0); last < done.Height; {
		b, err := light.DecodeBlock(w.doc.ChainID, heads(t))
		if err != nil {
			t.Fatalf("a node forwards a checkpoint that is none: %v", err)
		}
		if last = b.Header.Height; last == done.Height && !bytes.Equal(b.Hash[:], done.Hash) {
			t.Errorf("checkpoint of %d has another hash", last)
		}
	}
}
