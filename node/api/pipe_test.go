package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener in memory, so that a real server runs by the clock of a
// bubble. Its connections have no buffer: who does not read is noticed at once.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	from  int
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.done)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// remote is a connection from an address of its own.
type remote struct {
	net.Conn
	addr net.TCPAddr
}

func (r *remote) RemoteAddr() net.Addr { return &r.addr }

// dial connects from 10.0.x.y, where n is x*256+y.
func (p *pipes) dial(n int) net.Conn {
	here, there := net.Pipe()
	p.conns <- &remote{there, net.TCPAddr{IP: net.IPv4(10, 0, byte(n>>8), byte(n)), Port: 1}}
	return here
}

// world is a server that runs in a bubble.
type world struct {
	t       *testing.T
	pipes   *pipes
	devices *devices
	lists   *lists
	stop    func()
}

func run(t *testing.T, f *fake, test func(*world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, pipes: newPipes(), devices: &devices{receipt: []byte("receipt")}, lists: &lists{}}
		s := newPhone(t, f, w.devices, w.lists)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.RunPhone(ctx, w.pipes) }()
		w.stop = func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
		}
		test(w)
		w.stop()
	})
}

// send writes a request and reads the head of the answer.
func (w *world) send(c net.Conn, text string) (*http.Response, error) {
	w.t.Helper()
	go func() { _, _ = io.WriteString(c, text) }()
	return http.ReadResponse(bufio.NewReader(c), nil)
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n" }

func post(path, kind, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, kind, len(body), body)
}

// answer is a recorder that takes deadlines, as a connection does.
type answer struct{ *httptest.ResponseRecorder }

func (*answer) SetReadDeadline(time.Time) error  { return nil }
func (*answer) SetWriteDeadline(time.Time) error { return nil }

// A thousand idle readers of events and as many long polls, from one address or
// from a thousand, leave the places of commands and reads free.
func TestPlaces_WaitersDoNotBlockCommands(t *testing.T) {
	for name, one := range map[string]bool{"one address": true, "many addresses": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newPhone(t, &fake{}, &devices{receipt: []byte("receipt")}, &lists{}).PhoneHandler()
				ctx, cancel := context.WithCancel(t.Context())
				answered := map[int]int{}
				codes := make(chan int, 2000)
				for i := range 2000 {
					path := "/v1/events"
					if i%2 == 0 {
						path = "/v1/boxes/" + strings.Repeat("00", 16) + "/key?wait=25"
					}
					r := phoneRequest("GET", path, "").WithContext(ctx)
					r.RemoteAddr = "10.1.1.1:5"
					if !one {
						r.RemoteAddr = fmt.Sprintf("10.1.%d.%d:5", i/2>>8, i/2&255)
					}
					go func() {
						a := &answer{httptest.NewRecorder()}
						h.ServeHTTP(a, r)
						codes <- a.Code
					}()
				}
				synctest.Wait()
				r := phoneRequest("POST", "/v1/commands", string(command1(t, 'd')), "Content-Type", "application/cbor")
				r.RemoteAddr = "10.2.2.2:5"
				if code, body := call(h, r); code != 200 {
					t.Errorf("command: %d %s", code, body)
				}
				read := phoneRequest("GET", "/v1/status", "")
				if code, body := call(h, read); code != 200 {
					t.Errorf("status: %d %s", code, body)
				}
				waiting := 2000 - len(codes)
				want := classEvents.all + classWait.all
				if one {
					want = classEvents.each + classWait.each
				}
				if waiting > want || !one && waiting != want {
					t.Errorf("%d wait, places for %d", waiting, want)
				}
				cancel()
				for range 2000 {
					answered[<-codes]++
				}
				if answered[503]+answered[429] != 2000-waiting {
					t.Errorf("answers %v", answered)
				}
			})
		})
	}
}

// Bodies that come slowly take no place, and end.
func TestPlaces_SlowBodiesTakeNone(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		body := string(command1(t, 'd'))
		var slow []net.Conn
		for i := range classCommand.all + 10 {
			c := w.pipes.dial(i)
			text := post("/v1/commands", "application/cbor", body)
			if _, err := io.WriteString(c, text[:len(text)-1]); err != nil {
				t.Fatal(err)
			}
			slow = append(slow, c)
		}
		synctest.Wait()
		r, err := w.send(w.pipes.dial(999), post("/v1/commands", "application/cbor", body))
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("%v %v", r, err)
		}
		start := time.Now()
		for _, c := range slow {
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || answer.StatusCode != 400 {
				t.Fatalf("%v %v", answer, err)
			}
			_ = c.Close()
		}
		if d := time.Since(start); d > readTimeout {
			t.Errorf("held for %s", d)
		}
	})
}

// Connections that say nothing, or say it slowly, end soon; and one client has
// only so many.
func TestListener_SilentConnections(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		var silent []net.Conn
		for range maxConnsEach {
			silent = append(silent, w.pipes.dial(1))
		}
		if _, err := io.WriteString(silent[0], "GET / HTTP/1.1\r\nHost: local"); err != nil {
			t.Fatal(err)
		}
		over := w.pipes.dial(1)
		if _, err := over.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("one connection too many: %v", err)
		}
		if r, err := w.send(w.pipes.dial(2), get("/v1/status")); err != nil || r.StatusCode != 200 {
			t.Errorf("another client: %v %v", r, err)
		}
		start := time.Now()
		for _, c := range silent {
			if _, err := io.ReadAll(c); err != nil {
				t.Error(err)
			}
		}
		if d := time.Since(start); d > headerTimeout {
			t.Errorf("held for %s", d)
		}
		synctest.Wait()
		if r, err := w.send(w.pipes.dial(1), get("/v1/status")); err != nil || r.StatusCode != 200 {
			t.Errorf("afterwards: %v %v", r, err)
		}
	})
}

// Who is over the rate loses the connection too, and is told when to come back.
func TestServer_RateEndsTheConnection(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		c := w.pipes.dial(1)
		for i := range phoneBurst {
			if r, err := w.send(c, get("/v1/status")); err != nil || r.StatusCode != 200 || r.Close {
				t.Fatalf("request %d: %v %v", i, r, err)
			}
		}
		r, err := w.send(c, get("/v1/status"))
		if err != nil || r.StatusCode != 429 || !r.Close || r.Header.Get("Retry-After") != "1" {
			t.Errorf("%v %v", r, err)
		}
		if _, err := io.ReadAll(c); err != nil {
			t.Error(err)
		}
	})
}

// A command and a long poll may take longer than a request may take to arrive.
func TestClass_Deadlines(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		w.devices.gate = make(chan struct{})
		c := w.pipes.dial(1)
		got := make(chan string, 1)
		go func() {
			r, err := w.send(c, post("/v1/commands", "application/cbor", string(command1(t, 'd'))))
			if err != nil {
				got <- err.Error()
				return
			}
			body, err := io.ReadAll(r.Body)
			got <- fmt.Sprint(r.StatusCode, string(body), err)
		}()
		<-time.After(commandTimeout - time.Second)
		close(w.devices.gate)
		if s := <-got; s != "200receipt<nil>" {
			t.Errorf("a slow device: %s", s)
		}
		w.devices.gate = make(chan struct{})
		start := time.Now()
		r, err := w.send(c, post("/v1/commands", "application/cbor", string(command1(t, 'd'))))
		if err != nil || r.StatusCode != 504 || time.Since(start) != commandTimeout {
			t.Errorf("a silent device: %v %v after %s", r, err, time.Since(start))
		}
		start = time.Now()
		r, err = w.send(w.pipes.dial(1), get("/v1/boxes/"+strings.Repeat("00", 16)+"/key?wait=25"))
		if err != nil || r.StatusCode != 404 || time.Since(start) != maxWait*time.Second {
			t.Errorf("a long poll: %v %v after %s", r, err, time.Since(start))
		}
	})
}

// A transaction may wait for its block longer than its bytes may take.
func TestClass_SubmitDeadline(t *testing.T) {
	f := &fake{block: make(chan struct{}), entered: make(chan struct{}, 1)}
	synctest.Test(t, func(t *testing.T) {
		f.block = make(chan struct{})
		l := newPipes()
		s := newPhone(t, f, &devices{}, &lists{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx, l) }()
		w := &world{t: t}
		time.AfterFunc(submitTimeout-time.Second, func() { close(f.block) })
		r, err := w.send(l.dial(1), post("/v1/tx", "application/cbor", "x"))
		if err != nil || r.StatusCode != 200 {
			t.Errorf("%v %v", r, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// What two programs could read in two ways is refused, and the connection ends.
func TestServer_AmbiguousRequests(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		for name, text := range map[string]string{
			"two hosts":           "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
			"no host":             "GET /v1/status HTTP/1.1\r\n\r\n",
			"two lengths":         "POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
			"list of lengths":     "POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1, 2\r\n\r\nxx",
			"signed length":       "POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Length: +1\r\n\r\nx",
			"odd encoding":        "POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
			"space before colon":  "GET /v1/status HTTP/1.1\r\nHost : localhost\r\n\r\n",
			"folded":              "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n evil.example\r\n\r\n",
			"line in the path":    "GET /v1/status\rX: y HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"another's address":   "GET http://evil.example/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"newer version":       "GET /v1/status HTTP/3.0\r\nHost: localhost\r\n\r\n",
			"HTTP/2 in the clear": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
			"long header":         "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 2*maxHeader) + "\r\n\r\n",
		} {
			c := w.pipes.dial(1)
			r, err := w.send(c, text)
			if err == nil && r.StatusCode < 400 {
				t.Errorf("%s: %s", name, r.Status)
			}
			_ = c.Close()
			synctest.Wait()
		}
		// With both, the length is dropped (RFC 9112, 6.3); what follows the chunks
		// is not a second request.
		c := w.pipes.dial(1)
		both := "POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cbor\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
		go func() { _, _ = io.WriteString(c, both+get("/v1/status")) }()
		in := bufio.NewReader(c)
		r, err := http.ReadResponse(in, nil)
		if err != nil || r.StatusCode != 400 {
			t.Errorf("both: %v %v", r, err)
		}
		_ = c.Close()
	})
}
