package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	lp2p "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/deviceos/gate"
	frames "github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/mux"
	"github.com/hybridos-net/hybridos/p2p/slim"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

const (
	// floodRate is how many invalid commands are sent each second, by floodPeers
	// hosts together.
	floodRate  = 10_000
	floodPeers = 8
	// floodBatch is how many of them a host writes at once.
	floodBatch = 25
	// floodCommands is how many honest commands are timed while they come, and
	// floodPause lies between two of them: what a key may have is 100 a second.
	floodCommands = 100
	floodPause    = 15 * time.Millisecond
	// floodBar is the most that an honest command's p99 may grow, as a multiple.
	floodBar = 10.0
)

// floodRow is how an honest sender fares while others flood the door.
type floodRow struct {
	Idle, Flooded time.Duration // p99 of honest commands, medians over the rounds
	Sent          float64       // invalid commands that left for the door each second
	Answered      float64       // of them, answers that came back each second
}

// floodFigures times honest commands through the real stream and gate with its
// default limits, in turn with and without a flood.
func floodFigures(ctx context.Context, o Options) (row floodRow, err error) {
	dir, err := os.MkdirTemp("", "hos-bench-")
	if err != nil {
		return row, err
	}
	defer os.RemoveAll(dir)
	d, err := openDoorWith(dir+"/vault", gate.Limits{})
	if err != nil {
		return row, err
	}
	defer d.close()
	t, err := openPeers(ctx, func(_ context.Context, from peer.ID, b []byte) []byte {
		return d.gate.Handle(context.Background(), from.String(), b)
	})
	if err != nil {
		return row, err
	}
	defer t.close()
	f, err := newFlood(d, t.hosts[0].Info())
	if err != nil {
		return row, err
	}
	defer f.close()
	var idle, flooded []time.Duration
	var sent, answered []float64
	for round := range o.Rounds + 1 {
		quiet, err := d.paced(ctx, t)
		if err != nil {
			return row, fmt.Errorf("without a flood: %w", err)
		}
		var loud sample
		s, a, err := f.during(ctx, func() (err error) {
			loud, err = d.paced(ctx, t)
			return err
		})
		if err != nil {
			return row, fmt.Errorf("under the flood: %w", err)
		}
		if round > 0 { // the first one warms up
			idle, flooded = append(idle, quiet.quantile(0.99)), append(flooded, loud.quantile(0.99))
			sent, answered = append(sent, s), append(answered, a)
		}
	}
	return floodRow{median(idle), median(flooded), median(sent), median(answered)}, nil
}

// paced sends honest commands at a rate that the door allows to one key.
func (d *door) paced(ctx context.Context, t transport) (sample, error) {
	var s sample
	tick := time.NewTicker(floodPause)
	defer tick.Stop()
	for range floodCommands {
		<-tick.C
		one, err := oneRound(ctx, d, t, 1, true)
		if err != nil {
			return nil, err
		}
		s = append(s, one...)
	}
	return s, nil
}

// flood is hosts that send commands with wrong signatures, and come back when
// they are cut off.
type flood struct {
	hosts    []*slim.Host
	door     peer.AddrInfo
	command  []byte // valid but for its last bytes
	sent     atomic.Int64
	answered atomic.Int64
}

func newFlood(d *door, to peer.AddrInfo) (*flood, error) {
	cmd, err := d.sign()
	if err != nil {
		return nil, err
	}
	f := &flood{door: to, command: cmd.Bytes()}
	for range floodPeers {
		h, err := newSlim()
		if err != nil {
			return f, errors.Join(err, f.close())
		}
		f.hosts = append(f.hosts, h)
	}
	return f, nil
}

func newSlim() (*slim.Host, error) {
	seed, err := mux.NewSeed(rand.Reader)
	if err != nil {
		return nil, err
	}
	k, err := mux.Key(seed)
	if err != nil {
		return nil, err
	}
	return slim.Listen(slim.Config{Key: k})
}

func (f *flood) close() error {
	var errs []error
	for _, h := range f.hosts {
		errs = append(errs, h.Close())
	}
	return errors.Join(errs...)
}

// during floods while work is done, and tells how many a second went out and
// were answered.
func (f *flood) during(ctx context.Context, work func() error) (sent, answered float64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	f.sent.Store(0)
	f.answered.Store(0)
	var wg sync.WaitGroup
	for _, h := range f.hosts {
		wg.Go(func() { f.pour(ctx, h) })
	}
	start := time.Now()
	err = work()
	took := time.Since(start).Seconds()
	sent, answered = float64(f.sent.Load())/took, float64(f.answered.Load())/took
	cancel()
	wg.Wait()
	return sent, answered, err
}

// pour sends one host's share at its rate, over a new stream whenever the door
// has closed one.
func (f *flood) pour(ctx context.Context, h *slim.Host) {
	tick := time.NewTicker(floodBatch * time.Second / (floodRate / floodPeers))
	defer tick.Stop()
	var s lp2p.Stream
	for n := uint64(1); ctx.Err() == nil; n += floodBatch {
		<-tick.C
		if s == nil {
			if s = f.open(ctx, h); s == nil {
				continue
			}
			n = 1
		}
		if _, err := s.Write(f.batch(n)); err != nil {
			_ = s.Reset()
			s = nil
			continue
		}
		f.sent.Add(floodBatch)
	}
	if s != nil {
		_ = s.Reset()
	}
}

func (f *flood) open(ctx context.Context, h *slim.Host) lp2p.Stream {
	if h.Connect(ctx, f.door) != nil {
		return nil
	}
	s, err := h.NewStream(ctx, f.door.ID, topic.Command)
	if err != nil {
		return nil
	}
	go func() {
		in := frames.NewReader(s, topic.MaxCommand)
		for {
			if _, err := in.Next(); err != nil {
				if !errors.Is(err, io.EOF) {
					_ = s.Reset()
				}
				return
			}
			f.answered.Add(1)
		}
	}()
	return s
}

// batch is the next commands of a stream, each with a signature of its own that
// is none.
func (f *flood) batch(n uint64) []byte {
	var b []byte
	for i := range uint64(floodBatch) {
		bad := append([]byte(nil), f.command...)
		binary.BigEndian.PutUint64(bad[len(bad)-8:], n+i)
		b = frames.Append(b, binary.AppendUvarint(nil, n+i), bad)
	}
	return b
}
