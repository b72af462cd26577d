package engine

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/cometbft/cometbft/crypto/ed25519"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/light"
)

// CometBFT tells only its log that it gave state sync up.
func TestLogger_StateSyncFailure(t *testing.T) {
	for _, message := range syncFailures {
		var s seen
		l := logger{slog.New(slog.DiscardHandler), &s}
		if s.unsynced() != nil {
			t.Fatal("failed before it began")
		}
		cause := errors.New("no luck")
		if l.Error(message, "err", cause); !errors.Is(s.unsynced(), cause) {
			t.Errorf("%s: %v", message, s.unsynced())
		}
	}
}

// mute is a source that gives the same bytes for every header.
type mute struct {
	raw   []byte
	asked int
	stop  func()
}

func (m *mute) LightBlock(context.Context, int64) ([]byte, error) {
	if m.asked++; m.asked == 3 {
		m.stop()
	}
	return m.raw, nil
}

func (m *mute) Prove(context.Context, []byte, int64) (light.Proof, error) {
	return light.Proof{}, errors.New("not asked for")
}

// Without a header that verifies nothing is told, and the search ends with ctx.
func TestProvider_BelievesNothing(t *testing.T) {
	doc := &genesis.Doc{ChainID: "hos-1", Time: 1_700_000_000, Validators: []genesis.Validator{
		{Name: "one", PubKey: ed25519.GenPrivKeyFromSecret([]byte("one")).PubKey().Bytes()},
	}}
	for _, trust := range []int64{0, 7} {
		ctx, cancel := context.WithCancel(t.Context())
		source := &mute{raw: []byte(strings.Repeat("rubbish", 10)), stop: cancel}
		p := &provider{
			cfg: Sync{Source: source, TrustHeight: trust, TrustHash: make([]byte, 32)},
			doc: doc, log: slog.New(slog.DiscardHandler),
		}
		if _, err := p.State(ctx, 5); !errors.Is(err, light.BadHeader) || source.asked < 3 {
			t.Errorf("trust %d: %v after %d questions", trust, err, source.asked)
		}
		for _, height := range []uint64{0, 1 << 63} {
			if _, err := p.AppHash(t.Context(), height); err == nil {
				t.Errorf("there is a state of height %d", height)
			}
		}
		cancel()
	}
}

func TestInspect_EmptyAndRollbackOfNothing(t *testing.T) {
	dir := t.TempDir()
	if h, err := Inspect(dir); err != nil || h != (Heights{}) {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := Rollback(dir); err == nil {
		t.Error("a home without blocks was rolled back")
	}
}
