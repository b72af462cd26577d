package box

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func id(n int) (id ID) {
	copy(id[:], fmt.Sprint(n))
	return id
}

func get(b *Boxes, x ID, slot Slot) (string, error) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m, err := b.Wait(ctx, x, slot)
	return string(m), err
}

func TestParse(t *testing.T) {
	good := "00112233445566778899aabbccddeeff"
	if x, err := ParseID(good); err != nil || x[1] != 0x11 || x[15] != 0xff {
		t.Errorf("%x, %v", x, err)
	}
	for _, bad := range []string{"", good[1:], good + "0", strings.ToUpper(good), "zz" + good[2:]} {
		if _, err := ParseID(bad); !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for i, name := range names {
		if s, err := ParseSlot(name); err != nil || int(s) != i || s.String() != name {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	for _, bad := range []string{"", "Offer", "other"} {
		if _, err := ParseSlot(bad); !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestBoxes_WriteOnce(t *testing.T) {
	b := New()
	if err := b.Put("c", id(1), 0, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := b.Put("c", id(1), 0, []byte("second")); !errors.Is(err, ErrTaken) {
		t.Errorf("second write: %v", err)
	}
	if err := b.Put("other", id(1), 1, []byte("key")); err != nil {
		t.Errorf("another slot: %v", err)
	}
	for range 2 { // reading takes nothing away
		if m, err := get(b, id(1), 0); m != "first" || err != nil {
			t.Errorf("%q, %v", m, err)
		}
	}
	if _, err := get(b, id(1), 2); !errors.Is(err, ErrNone) {
		t.Errorf("empty slot: %v", err)
	}
	if _, err := get(b, id(2), 0); !errors.Is(err, ErrNone) {
		t.Errorf("no box: %v", err)
	}
	for _, n := range []int{0, MaxMessage + 1} {
		if err := b.Put("c", id(1), 3, make([]byte, n)); err == nil {
			t.Errorf("%d bytes were taken", n)
		}
	}
}

func TestBoxes_Life(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New()
		if err := b.Put("c", id(1), 0, []byte("offer")); err != nil {
			t.Fatal(err)
		}
		<-time.After(Life - 1)
		if err := b.Put("c", id(1), 1, []byte("key")); err != nil { // does not prolong it
			t.Fatal(err)
		}
		if m, err := get(b, id(1), 0); m != "offer" || err != nil {
			t.Errorf("%q, %v", m, err)
		}
		<-time.After(1)
		for slot := range Slot(2) {
			if _, err := get(b, id(1), slot); !errors.Is(err, ErrNone) {
				t.Errorf("slot %s after its life: %v", slot, err)
			}
		}
		if len(b.boxes) != 0 || b.bytes != 0 {
			t.Errorf("%d boxes of %d bytes are left", len(b.boxes), b.bytes)
		}
	})
}

func TestBoxes_Full(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New()
		for i := range MaxBoxes {
			if err := b.Put(fmt.Sprint(i/MaxOfClient), id(i), 0, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Put("new", id(MaxBoxes), 0, []byte("x")); !errors.Is(err, ErrFull) {
			t.Errorf("in all: %v", err)
		}
		if err := b.Put("0", id(0), 1, []byte("x")); err != nil {
			t.Errorf("a box that is there: %v", err)
		}
		<-time.After(Life)
		for i := range MaxOfClient {
			if err := b.Put("c", id(i), 0, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Put("c", id(MaxOfClient), 0, []byte("x")); !errors.Is(err, ErrFull) {
			t.Errorf("of one client: %v", err)
		}
		<-time.After(Life)
		n := 0
		for ; ; n++ {
			if err := b.Put(fmt.Sprint(n/50), id(n/5), Slot(n%5), make([]byte, MaxMessage)); err != nil {
				if !errors.Is(err, ErrFull) {
					t.Error(err)
				}
				break
			}
		}
		if n != maxBytes/MaxMessage {
			t.Errorf("%d of the longest messages were taken", n)
		}
	})
}

func TestBoxes_WaitWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New()
		got := make(chan string, 1)
		go func() {
			m, err := b.Wait(t.Context(), id(1), 1)
			got <- fmt.Sprint(string(m), err)
		}()
		synctest.Wait()
		for i, put := range []func() error{
			func() error { return b.Put("c", id(2), 1, []byte("another box")) },
			func() error { return b.Put("c", id(1), 0, []byte("another slot")) },
			func() error { return b.Put("c", id(1), 1, []byte("message")) },
		} {
			if err := put(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if woke := len(got) == 1; woke != (i == 2) {
				t.Errorf("after message %d: woke %v", i, woke)
			}
		}
		if m := <-got; m != "message<nil>" {
			t.Error(m)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := b.Wait(ctx, id(3), 0); !errors.Is(err, ErrNone) || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// A box has one name only.
func FuzzParseID(f *testing.F) {
	f.Add("00112233445566778899aabbccddeeff")
	f.Add("00112233445566778899AABBCCDDEEFF")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if x, err := ParseID(s); err == nil && hex.EncodeToString(x[:]) != s {
			t.Errorf("%q is %x", s, x)
		}
	})
}
