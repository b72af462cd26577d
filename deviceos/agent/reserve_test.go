package agent

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// The pause follows the reservation, within bounds that no node can move, and
// is not the same for all devices.
func TestReserver_Pause(t *testing.T) {
	for _, c := range []struct {
		name  string
		lasts time.Duration
		err   error
		want  time.Duration // before chance
	}{
		{"half of an hour", time.Hour, nil, 30 * time.Minute},
		{"half of ten minutes", 10 * time.Minute, nil, 5 * time.Minute},
		{"over at once", -time.Hour, nil, reserveLeast},
		{"for ever", 1000 * time.Hour, nil, reserveMost},
		{"refused", 0, errors.New("full"), reserveAgain},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &reserver{log: slog.New(slog.DiscardHandler), ask: func(context.Context, peer.ID) (time.Time, error) {
					return time.Now().Add(c.lasts), c.err
				}}
				seen := map[time.Duration]bool{}
				for range 50 {
					got := r.reserve(t.Context(), "node")
					if got > c.want || got <= c.want*3/4 {
						t.Fatalf("pause %v, want within a quarter under %v", got, c.want)
					}
					seen[got] = true
				}
				if len(seen) < 10 {
					t.Errorf("only %d different pauses of 50", len(seen))
				}
			})
		})
	}
}
