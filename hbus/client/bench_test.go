package client_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/hbustest"
)

var benchParams = json.RawMessage(`{"angle":90,"by":"hosacc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"}`)

// BenchmarkCall is one caller, one provider, three parties in one process.
func BenchmarkCall(b *testing.B) {
	bus := hbustest.Start(b)
	register(b, bus.Dial(b, "lock"), "lock/open", echo)
	caller := bus.Dial(b, "app")
	took := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		if _, err := caller.Call(b.Context(), "lock", "lock/open", benchParams); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

// BenchmarkCall16 has 16 calls outstanding on one connection.
func BenchmarkCall16(b *testing.B) {
	bus := hbustest.Start(b)
	register(b, bus.DialWith(b, client.Options{App: "lock", Handlers: 512}), "lock/open", echo)
	caller := bus.Dial(b, "app")
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := caller.Call(b.Context(), "lock", "lock/open", benchParams); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	bus := hbustest.Start(b)
	c := bus.Dial(b, "lock")
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Publish(b.Context(), "lock/state", benchParams); err != nil {
			b.Fatal(err)
		}
	}
}
