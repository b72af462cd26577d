package gate_test

import (
	"context"
	"syscall"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// BenchmarkHandle is a command by a grant from bytes to receipt: one signature
// checked, one made, two commits on a real disk. The processor's part of it is
// shown apart from the waiting for the disk.
func BenchmarkHandle(b *testing.B) {
	w := newWorld(b, gate.Limits{Records: 1 << 22})
	own, _ := w.gate.Owner()
	w.vault.Close()
	w.fs, w.dir = nil, b.TempDir()
	w.open()
	if err := w.gate.Arm(own); err != nil {
		b.Fatal(err)
	}
	raws := make([][]byte, b.N)
	for i := range raws {
		raws[i] = w.sign(w.guestBody(), w.guest)
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	for _, raw := range raws {
		w.gate.Handle(context.Background(), "peer", raw)
	}
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
	if w.bolt.total() != b.N {
		b.Fatalf("%d of %d executed", w.bolt.total(), b.N)
	}
}

// cpuTime is what this process has used, in nanoseconds.
func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkHandle_Parts is what the above cannot go below.
func BenchmarkHandle_Parts(b *testing.B) {
	w := newWorld(b, gate.Limits{})
	raw := w.sign(w.body(), w.owner)
	b.Run("verify", func(b *testing.B) {
		c, err := command.Decode(raw)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := c.VerifyBy(w.chain, w.owner.Public()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			w.device.Sign([32]byte{1})
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := command.Decode(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}
