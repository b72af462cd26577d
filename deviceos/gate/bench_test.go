package gate_test

import (
	"context"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// BenchmarkHandle is a command by a grant from bytes to receipt: one signature
// checked, one made, two commits. "memory" shows the CPU, "disk" adds fsync.
func BenchmarkHandle(b *testing.B) {
	for _, where := range []string{"memory", "disk"} {
		b.Run(where, func(b *testing.B) {
			w := newWorld(b, gate.Limits{Records: 1 << 22})
			if where == "disk" {
				own, _ := w.gate.Owner()
				w.vault.Close()
				w.fs, w.dir = nil, b.TempDir()
				w.open()
				if err := w.gate.Arm(own); err != nil {
					b.Fatal(err)
				}
			}
			raws := make([][]byte, b.N)
			for i := range raws {
				raws[i] = w.sign(w.guestBody(), w.guest)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for _, raw := range raws {
				w.gate.Handle(context.Background(), "peer", raw)
			}
			b.StopTimer()
			if w.bolt.total() != b.N {
				b.Fatalf("%d of %d executed", w.bolt.total(), b.N)
			}
		})
	}
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
