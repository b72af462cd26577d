package api

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestClientOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:5":              "192.0.2.7/32",
		"[::ffff:192.0.2.7]:5":     "192.0.2.7/32",
		"[2001:db8:1:2:3:4:5:6]:5": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:5":         "fe80::/64",
		"[::1]:5":                  "::/64",
		"pipe":                     "invalid Prefix",
		"":                         "invalid Prefix",
	} {
		if got := clientOf(remote).String(); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

func numbered(i int) client {
	return client(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32))
}

func TestBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuckets()
		use := func(c client, n int) (got int) {
			for range n {
				if b.allow(c) {
					got++
				}
			}
			return got
		}
		if got := use(numbered(1), 2*phoneBurst); got != phoneBurst {
			t.Errorf("%d at once", got)
		}
		if got := use(numbered(2), 1); got != 1 {
			t.Error("another client pays for it")
		}
		<-time.After(time.Second)
		if got := use(numbered(1), 2*phoneBurst); got != int(phoneRate) {
			t.Errorf("%d after a second", got)
		}
	})
}

// However many clients come, the table stays small, and the busy one stays in
// it.
func TestBuckets_Bounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuckets()
		busy := numbered(0)
		for range phoneBurst {
			b.allow(busy)
		}
		for i := range 3 * maxClients {
			b.allow(numbered(i + 1))
			if i%1000 == 0 && b.allow(busy) {
				t.Fatal("forgotten while it was busy")
			}
		}
		if len(b.clients) != maxClients || b.order.Len() != maxClients {
			t.Errorf("%d clients, %d in order", len(b.clients), b.order.Len())
		}
	})
}

func TestPlaces(t *testing.T) {
	p := newPlaces(3, 2)
	a, b := numbered(1), numbered(2)
	for i, step := range []struct {
		leave bool
		by    client
		want  bool
	}{
		{by: a, want: true}, {by: a, want: true}, {by: a, want: false},
		{by: b, want: true}, {by: b, want: false},
		{leave: true, by: a}, {by: b, want: true}, {by: a, want: false},
	} {
		if step.leave {
			p.leave(step.by)
		} else if got := p.take(step.by); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	p.leave(a)
	p.leave(b)
	p.leave(b)
	if p.taken != 0 || len(p.by) != 0 {
		t.Errorf("left over: %d, %v", p.taken, p.by)
	}
	free := newPlaces(5, 0)
	for i := range 5 {
		if !free.take(a) {
			t.Errorf("place %d for one client without a bound of its own", i)
		}
	}
}

// The places of a client fit into its connections, and those of all clients
// into all connections, so that the last bound is never the first to be met.
func TestLimits_Fit(t *testing.T) {
	all, each := 0, 0
	for _, c := range []class{classRead, classCommand, classWait, classEvents} {
		all, each = all+c.all, each+c.each
	}
	if all > maxConns || each > maxConnsEach {
		t.Error(fmt.Sprint(all, each))
	}
}

// However the Host header is written, only our names pass.
func FuzzDoor_HostOK(f *testing.F) {
	for _, s := range []string{"door.example", "DOOR.example:1", "door.example:", "[door.example]", "[door.example]:1", "door.example:x", "a:b:c", "[::1]:1", ""} {
		f.Add(s)
	}
	d := &door{hosts: []string{"door.example"}}
	f.Fuzz(func(t *testing.T, s string) {
		if !d.hostOK(s) {
			return
		}
		name, port, _ := strings.Cut(s, ":")
		if !strings.EqualFold(strings.Trim(name, "[]"), "door.example") || strings.Trim(port, "0123456789") != "" {
			t.Errorf("%q passes", s)
		}
	})
}
