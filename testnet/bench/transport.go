package bench

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/slim"
)

// transport carries one request to a door and its answer back.
type transport interface {
	call(ctx context.Context, request []byte) ([]byte, error)
	close() error
}

// handler is the door's end.
type handler func([]byte) []byte

// slimTransport is the command stream between two slim hosts.
type slimTransport struct {
	link   *link.Link
	hosts  [2]*slim.Host
	cancel context.CancelFunc
	ended  chan error
}

func openSlim(ctx context.Context, h handler) (transport, error) {
	return openPeers(ctx, func(_ context.Context, _ peer.ID, b []byte) []byte { return h(b) })
}

func openPeers(ctx context.Context, h link.Handler) (_ *slimTransport, err error) {
	t := &slimTransport{ended: make(chan error, 1)}
	for i := range t.hosts {
		if t.hosts[i], err = newSlim(); err != nil {
			return nil, err
		}
	}
	srv, err := link.New(link.Config{Host: t.hosts[0], Handler: h})
	if err != nil {
		return nil, err
	}
	serving, cancel := context.WithCancel(ctx)
	t.cancel = cancel
	go func() { t.ended <- srv.Run(serving) }()
	select {
	case <-srv.Ready():
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	t.link, err = link.Dial(ctx, t.hosts[1], t.hosts[0].Info())
	return t, err
}

func (t *slimTransport) call(ctx context.Context, b []byte) ([]byte, error) {
	return t.link.Send(ctx, b)
}

func (t *slimTransport) close() error {
	err := t.link.Close()
	t.cancel()
	return errors.Join(err, <-t.ended, t.hosts[1].Close(), t.hosts[0].Close())
}

// tlsTransport is the fastest thing one could reasonably do instead: frames
// with a length over TLS 1.3, one write each.
type tlsTransport struct {
	conn     *tls.Conn
	in       *bufio.Reader
	listener net.Listener
	ended    chan error
}

func openTLS(_ context.Context, h handler) (transport, error) {
	l, err := listenTLS(h)
	if err != nil {
		return nil, err
	}
	return l.dial()
}

// tlsListener is the door's end.
type tlsListener struct {
	net.Listener
	pool  *x509.CertPool
	ended chan error
}

func listenTLS(h handler) (*tlsListener, error) {
	cert, err := selfSigned()
	if err != nil {
		return nil, err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})
	if err != nil {
		return nil, err
	}
	t := &tlsListener{Listener: l, pool: x509.NewCertPool(), ended: make(chan error, 1)}
	t.pool.AddCert(cert.Leaf)
	go func() { t.ended <- serveTLS(l, h) }()
	return t, nil
}

func (l *tlsListener) dial() (*tlsTransport, error) {
	conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: l.pool, ServerName: "door", MinVersion: tls.VersionTLS13})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &tlsTransport{conn: conn, in: bufio.NewReader(conn), listener: l, ended: l.ended}, nil
}

func serveTLS(l net.Listener, h handler) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		b, err := readFrame(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := c.Write(frame(h(b))); err != nil {
			return err
		}
	}
}

func (t *tlsTransport) call(_ context.Context, b []byte) ([]byte, error) {
	if _, err := t.conn.Write(frame(b)); err != nil {
		return nil, err
	}
	return readFrame(t.in)
}

func (t *tlsTransport) close() error {
	err := t.conn.Close()
	return errors.Join(err, <-t.ended, t.listener.Close())
}

func frame(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func readFrame(r io.Reader) ([]byte, error) {
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(n[:])
	if size > 1<<16 {
		return nil, fmt.Errorf("frame of %d bytes", size)
	}
	b := make([]byte, size)
	_, err := io.ReadFull(r, b)
	return b, err
}

func selfSigned() (tls.Certificate, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	spec := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"door"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, spec, spec, k.Public(), k)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k, Leaf: leaf}, err
}
