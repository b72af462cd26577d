package broker

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// oneAnswer is a directory that answers every login alike.
type oneAnswer struct{ err error }

func (o oneAnswer) Login(context.Context, string, []byte) error { return o.err }

func (o oneAnswer) Access(string) *topicmap.Access { return nil }

// connack logs in over a real socket and gives the code of CONNACK. After a
// refusal the connection must end.
func connack(t *testing.T, addr string, version byte) byte {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	connect := []byte("\x10\x13\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01i\x00\x01u\x00\x01p")
	if version == 5 {
		connect = []byte("\x10\x14\x00\x04MQTT\x05\xc2\x00\x3c\x00\x00\x01i\x00\x01u\x00\x01p")
	}
	if _, err := c.Write(connect); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil || head[0] != 0x20 {
		t.Fatalf("no CONNACK: %x %v", head, err)
	}
	if head[3] != 0 {
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("connection is open after a refused login: %v", err)
		}
	}
	return head[3]
}

func TestBroker_LoginCodes(t *testing.T) {
	for name, row := range map[string]struct {
		err         error
		three, five byte
	}{
		"good":  {nil, 0, 0},
		"wrong": {errors.New("wrong password"), 5, 0x86},
		"busy":  {errors.Join(ErrBusy, errors.New("queue full")), 3, 0x89},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := New(Config{Directory: oneAnswer{row.err}, Handle: func(Message) {}})
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- b.Run(ctx, l) }()
			if code := connack(t, l.Addr().String(), 4); code != row.three {
				t.Errorf("3.1.1: got %#x, want %#x", code, row.three)
			}
			if code := connack(t, l.Addr().String(), 5); code != row.five {
				t.Errorf("5: got %#x, want %#x", code, row.five)
			}
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
}
