package link_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
)

// Sizes of a signed command and of its receipt.
const (
	requestSize = 500
	answerSize  = 300
)

// measure times round trips and reports median and 99th percentile.
func measure(b *testing.B, trip func() error) {
	b.Helper()
	for range 200 { // warm up
		if err := trip(); err != nil {
			b.Fatal(err)
		}
	}
	times := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		if err := trip(); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	b.StopTimer()
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds()), "p99-ns")
}

// exchange is one bare round trip of fixed sizes.
func exchange(rw io.ReadWriter) func() error {
	request, answer := make([]byte, requestSize), make([]byte, answerSize)
	return func() error {
		if _, err := rw.Write(request); err != nil {
			return err
		}
		_, err := io.ReadFull(rw, answer)
		return err
	}
}

// answerAll is the other side of exchange.
func answerAll(rw io.ReadWriter) {
	request, answer := make([]byte, requestSize), make([]byte, answerSize)
	for {
		if _, err := io.ReadFull(rw, request); err != nil {
			return
		}
		if _, err := rw.Write(answer); err != nil {
			return
		}
	}
}

// BenchmarkTLS is the bar: the same bytes over raw TLS 1.3.
func BenchmarkTLS(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"device"}}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			answerAll(c)
			_ = c.Close()
		}
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	measure(b, exchange(c))
}

// BenchmarkStream is a bare stream between slim hosts.
func BenchmarkStream(b *testing.B) {
	x, y := p2ptest.Pair(b)
	y.SetStreamHandler("/bench/1", func(s network.Stream) { answerAll(s) })
	s, err := x.NewStream(context.Background(), y.ID(), "/bench/1")
	if err != nil {
		b.Fatal(err)
	}
	measure(b, exchange(s))
}

// BenchmarkSend is the whole command link between slim hosts.
func BenchmarkSend(b *testing.B) {
	x, y := p2ptest.Slim(b), p2ptest.Slim(b)
	receipt := make([]byte, answerSize)
	run(b, link.Config{Host: y, Handler: func(context.Context, peer.ID, []byte) []byte { return receipt }})
	l, err := link.Dial(context.Background(), x, y.Info())
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	command := make([]byte, requestSize)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	measure(b, func() error {
		_, err := l.Send(ctx, command)
		return err
	})
}
