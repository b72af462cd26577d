package gate_test

import (
	"context"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// Whatever comes in, nothing but the one good command moves the bolt or leaves
// a trace.
func FuzzHandle(f *testing.F) {
	w := newWorld(f, gate.Limits{})
	owner, guest := w.sign(w.body(), w.owner), w.sign(w.guestBody(), w.guest)
	stranger := w.sign(w.body(), w.stranger)
	disk := w.disk()
	f.Add(stranger)
	f.Add(owner[:len(owner)-1])
	f.Add(append(guest[:len(guest):len(guest)], 0))
	f.Add([]byte{0xa2, 0x01, 0x40, 0x02, 0x80})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if string(raw) == string(owner) || string(raw) == string(guest) {
			return
		}
		w.t = t
		answer := w.gate.Handle(context.Background(), "fuzz", raw)
		r, err := command.DecodeReceipt(answer)
		if err != nil {
			t.Fatal(err)
		}
		if r.Body.Status == command.Executed || r.Body.Counter != 0 || w.bolt.total() != 0 || w.disk() != disk {
			t.Fatalf("%s %s for %x", r.Body.Status, r.Body.Code, raw)
		}
	})
}
