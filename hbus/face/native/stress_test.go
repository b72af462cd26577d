//go:build linux

package native_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hybridos-net/hybridos/hbus/broker"
	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/hbustest"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

// TestServer_Churn: providers come and go under calls, subscribers that read
// nothing come and go under events. Each call ends, and with its own answer or
// with the truth about its provider.
func TestServer_Churn(t *testing.T) {
	bus := hbustest.Start(t, hbustest.Broker(func(c *broker.Config) { c.Limits.Subscriptions = 4 }))
	var calls, churn sync.WaitGroup
	var answered atomic.Int64
	over := make(chan struct{})
	rounds := func(f func(n int)) {
		churn.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				default:
					f(n)
				}
			}
		})
	}
	for i := range 3 {
		app := fmt.Sprintf("app%d", i)
		rounds(func(n int) {
			c := bus.Dial(t, app)
			defer c.Close()
			served := make(chan struct{}, 64)
			err := c.Register(t.Context(), app+"/echo", func(_ context.Context, call client.Call) (json.RawMessage, error) {
				select {
				case served <- struct{}{}:
				default:
				}
				return call.Params, nil
			})
			if err != nil && !errors.Is(err, msg.Exists) { // the last connection may not be taken out yet
				t.Errorf("register: %v", err)
			}
			for k := 0; k < 20 && err == nil; k++ {
				select {
				case <-served:
				case <-over:
					return
				}
			}
		})
	}
	loud := bus.Dial(t, "loud")
	rounds(func(int) {
		if err := loud.Publish(t.Context(), "loud/noise", json.RawMessage(`"`+strings.Repeat("x", 20<<10)+`"`)); err != nil {
			t.Errorf("publish: %v", err)
		}
	})
	rounds(func(n int) {
		deaf := dialRaw(t, bus)
		defer deaf.Close()
		deaf.auth("deaf")
		deaf.body(`{"t":"subscribe","id":1,"pattern":"loud/*"}`)
		deaf.read()
	})
	for w := range 8 {
		calls.Go(func() {
			c := bus.Dial(t, "caller")
			defer c.Close()
			for k := range 150 {
				app, params := fmt.Sprintf("app%d", (w+k)%3), fmt.Sprintf(`"%d of %d"`, k, w)
				got, err := c.Call(t.Context(), app, app+"/echo", json.RawMessage(params))
				switch {
				case err == nil && string(got) != params:
					t.Errorf("asked %s, got %s", params, got)
				case err == nil:
					answered.Add(1)
				case !errors.Is(err, msg.NotFound) && !errors.Is(err, msg.ProviderGone) && !errors.Is(err, msg.Busy):
					t.Errorf("call: %v", err)
				}
			}
		})
	}
	calls.Wait()
	close(over)
	churn.Wait()
	if answered.Load() == 0 {
		t.Error("no call was answered")
	}
}
