package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// Config of a Front. The zero value takes all defaults and logs nothing.
type Config struct {
	// ConnectTimeout, PacketTimeout, WriteTimeout: see the defaults.
	ConnectTimeout, PacketTimeout, WriteTimeout time.Duration
	// MaxPacket and MaxConnectPacket cap whole packets in bytes.
	MaxPacket, MaxConnectPacket int
	// MaxConns and MaxConnsPerAddress cap open connections.
	MaxConns, MaxConnsPerAddress int
	// Refused, when set, is told of every refusal. It must not block.
	Refused func(from net.Addr, why *Error)
	// Logger receives refusals and panics.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	setDuration(&c.ConnectTimeout, DefaultConnectTimeout)
	setDuration(&c.PacketTimeout, DefaultPacketTimeout)
	setDuration(&c.WriteTimeout, DefaultWriteTimeout)
	setInt(&c.MaxPacket, DefaultMaxPacket)
	setInt(&c.MaxConnectPacket, DefaultMaxConnectPacket)
	setInt(&c.MaxConns, DefaultMaxConns)
	setInt(&c.MaxConnsPerAddress, DefaultMaxConnsPerAddress)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDuration(v *time.Duration, fallback time.Duration) {
	if *v == 0 {
		*v = fallback
	}
}

func setInt(v *int, fallback int) {
	if *v == 0 {
		*v = fallback
	}
}

// Front accepts connections, bounds them and serves each behind a recover. It
// is safe for concurrent use.
type Front struct {
	cfg Config

	mu     sync.Mutex
	conns  map[*Conn]string // open connection -> remote host
	byHost map[string]int
}

// New makes a Front; it starts nothing. Negative limits are an error.
func New(cfg Config) (*Front, error) {
	if cfg.ConnectTimeout < 0 || cfg.PacketTimeout < 0 || cfg.WriteTimeout < 0 ||
		cfg.MaxPacket < 0 || cfg.MaxConnectPacket < 0 || cfg.MaxConns < 0 || cfg.MaxConnsPerAddress < 0 {
		return nil, errors.New("mqtt guard: negative limit")
	}
	return &Front{cfg: cfg.withDefaults(), conns: map[*Conn]string{}, byHost: map[string]int{}}, nil
}

// Run accepts from l and calls handle for each connection in a goroutine of its
// own. It owns l and every connection: when ctx ends it closes them all and
// returns nil after the last handle has returned. Any other failure of the
// listener is returned.
func (f *Front) Run(ctx context.Context, l net.Listener, handle func(*Conn) error) error {
	var serving sync.WaitGroup
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer func() {
		stop()
		_ = l.Close()
		f.closeAll()
		serving.Wait()
	}()
	for pause := time.Duration(0); ; {
		raw, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = raw.Close()
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("mqtt guard: accept: %w", err)
		}
		if err != nil {
			// Out of descriptors or the like: wait a little, serve on.
			f.cfg.Logger.Warn("accept failed", "cause", err.Error())
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			if !sleep(ctx, pause) {
				return nil
			}
			continue
		}
		pause = 0
		conn, refusal := f.admit(raw)
		if refusal != nil {
			_ = raw.Close()
			f.report(raw.RemoteAddr(), refusal)
			continue
		}
		serving.Go(func() { f.serve(conn, handle) })
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// admit counts a connection in, or says why not.
func (f *Front) admit(raw net.Conn) (*Conn, *Error) {
	host, _, err := net.SplitHostPort(raw.RemoteAddr().String())
	if err != nil {
		host = raw.RemoteAddr().String()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.conns) >= f.cfg.MaxConns {
		return nil, refuse(TooManyConnections, "connection cap reached")
	}
	if f.byHost[host] >= f.cfg.MaxConnsPerAddress {
		return nil, refuse(TooManyFromAddress, "connection cap of one address reached")
	}
	conn := newConn(f, raw)
	f.conns[conn] = host
	f.byHost[host]++
	return conn, nil
}

func (f *Front) release(conn *Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	host := f.conns[conn]
	delete(f.conns, conn)
	if f.byHost[host]--; f.byHost[host] <= 0 {
		delete(f.byHost, host)
	}
}

func (f *Front) closeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for conn := range f.conns {
		_ = conn.Close()
	}
}

// serve runs one client. Whatever happens in it stays in it.
func (f *Front) serve(conn *Conn, handle func(*Conn) error) {
	defer f.release(conn)
	defer func() { _ = conn.Close() }()
	defer func() {
		if cause := recover(); cause != nil {
			f.cfg.Logger.Error("client handler panicked", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			f.report(conn.RemoteAddr(), refuse(Panicked, "client handler panicked"))
		}
	}()
	if err := conn.Conn.SetReadDeadline(time.Now().Add(f.cfg.ConnectTimeout)); err != nil {
		return
	}
	if err := handle(conn); err != nil {
		f.cfg.Logger.Debug("client ended", "from", conn.RemoteAddr().String(), "cause", err.Error())
	}
}

func (f *Front) report(from net.Addr, why *Error) {
	f.cfg.Logger.Info("client refused", "from", from.String(), "kind", string(why.Kind), "detail", why.Detail)
	if f.cfg.Refused != nil {
		f.cfg.Refused(from, why)
	}
}
