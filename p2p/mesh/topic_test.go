package mesh

import (
	"context"
	"fmt"
	"testing"
)

// TestTopic_LatestWins: a reader that falls behind gets the newest, in order.
func TestTopic_LatestWins(t *testing.T) {
	tp := newTopic("x", "self", 100, 2, nil)
	for i := range 10 {
		tp.keep(Message{Data: fmt.Append(nil, i)})
	}
	for _, want := range []string{"8", "9"} {
		got, err := tp.Next(context.Background())
		if err != nil || string(got.Data) != want {
			t.Fatalf("%q, want %q, %v", got.Data, want, err)
		}
	}
	if tp.Lost() != 8 {
		t.Errorf("%d lost", tp.Lost())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tp.Next(ctx); err == nil {
		t.Error("a message out of nothing")
	}
}
