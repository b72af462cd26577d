package mqttbridge_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/mqttbridge"
	"github.com/hybridos-net/hybridos/mqttbridge/bridgetest"
	"github.com/hybridos-net/hybridos/mqttbridge/guard"
)

// FuzzBridge sends what it likes to a running bridge, after a good login of
// either version: nothing may panic, not even behind the recover, and the other
// account's lock may never be touched.
func FuzzBridge(f *testing.F) {
	for _, a := range attacks {
		if raw, err := hex.DecodeString(strings.ReplaceAll(a.bytes, " ", "")); err == nil {
			f.Add(a.version == 5, raw)
		}
	}
	f.Add(true, []byte("\x82\x07\x00\x01\x00\x00\x01#\x01\xc0\x00\xe0\x00"))
	f.Add(false, []byte("\x82\x06\x00\x01\x00\x01#\x02\x34\x06\x00\x01a\x00\x01x\x62\x02\x00\x01\xa2\x05\x00\x02\x00\x01#"))

	doors := bridgetest.NewDoors(homeDevice, otherDevice)
	panicked := make(chan *guard.Error, 1)
	addr := serveFuzz(f, doors, panicked)
	f.Fuzz(func(t *testing.T, five bool, stream []byte) {
		version := byte(4)
		if five {
			version = 5
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write(append(encode(t, connectPacket(version, "home", password, "fuzz")), stream...)); err != nil {
			return // it was cut off while we wrote, as it may be
		}
		_ = c.(*net.TCPConn).CloseWrite()
		_, err = io.Copy(io.Discard, c)
		if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
			t.Fatal("the bridge neither answers nor closes")
		}
		select {
		case why := <-panicked:
			t.Fatalf("%v", why)
		default:
		}
		for _, method := range []string{"open", "unlock", "lock"} {
			if doors.Lock(otherDevice).Calls(method) != 0 {
				t.Fatal("another account's lock was touched")
			}
		}
	})
}

func serveFuzz(f *testing.F, doors *bridgetest.Doors, panicked chan *guard.Error) string {
	f.Helper()
	cfg := config(f, doors)
	cfg.Guard.Refused = func(_ net.Addr, why *guard.Error) {
		if errors.Is(why, guard.Panicked) {
			select {
			case panicked <- why:
			default:
			}
		}
	}
	bridge, err := mqttbridge.New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- bridge.Run(ctx) }()
	f.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.Errorf("run: %v", err)
		}
	})
	<-bridge.Ready()
	return bridge.Addr().String()
}
