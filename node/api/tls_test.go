package api

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes one for a name, with its key, and gives its bytes too.
func certificate(t *testing.T, dir, host string, end time.Time) (certFile, keyFile string, cert []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Unix(0, 0), NotAfter: end, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, host+".crt"), filepath.Join(dir, host+".key")
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	err = errors.Join(os.WriteFile(certFile, cert, 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile, cert
}

func TestRunPhone_TLS(t *testing.T) {
	certFile, keyFile, cert := certificate(t, t.TempDir(), "door.example", time.Now().Add(time.Hour))
	cfg, err := LoadTLS(certFile, keyFile, []string{"door.example"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Ledger: &fake{}, Devices: &devices{}, Index: &lists{}, Phone: &Phone{
		TLS: cfg, Hosts: []string{"door.example"},
		Page: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }),
	}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.RunPhone(ctx, l) }()

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "door.example"}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
	}
	r, err := (&http.Client{Transport: transport}).Get("https://door.example/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != page || r.ProtoMajor != 1 {
		t.Errorf("%s %q, %v", r.Proto, body, err)
	}
	r.Body.Close()
	old, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots, ServerName: "door.example", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		t.Error("TLS 1.1 was spoken")
		old.Close()
	}
	plain, err := http.Get("http://" + addr + "/")
	if err == nil {
		if plain.StatusCode == 200 {
			t.Error("plain HTTP was answered")
		}
		plain.Body.Close()
	}
	transport.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestLoadTLS_Refuses(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, cert := certificate(t, dir, "door.example", time.Now().Add(time.Hour))
	_, otherKey, _ := certificate(t, dir, "other.example", time.Now().Add(time.Hour))
	expired, expiredKey, _ := certificate(t, dir, "old.example", time.Unix(1, 0))
	write := func(name string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	damaged := bytes.Replace(cert, []byte("MII"), []byte("MIA"), 1)
	for name, c := range map[string]struct {
		cert, key string
		host      string
		tells     string // the file that is at fault
	}{
		"no certificate":   {filepath.Join(dir, "none"), keyFile, "door.example", "none"},
		"no key":           {certFile, filepath.Join(dir, "none"), "door.example", "none"},
		"directory":        {dir, keyFile, "door.example", dir},
		"not PEM":          {write("text", []byte("hello")), keyFile, "door.example", "text"},
		"empty":            {write("empty", nil), keyFile, "door.example", "empty"},
		"too long":         {write("long", make([]byte, maxPEM+1)), keyFile, "door.example", "long"},
		"swapped":          {keyFile, certFile, "door.example", keyFile},
		"key is none":      {certFile, certFile, "door.example", certFile},
		"another's key":    {certFile, otherKey, "door.example", otherKey},
		"damaged":          {write("damaged", damaged), keyFile, "door.example", "damaged"},
		"for another name": {certFile, keyFile, "other.example", certFile},
		"for a name below": {certFile, keyFile, "a.door.example", certFile},
	} {
		_, err := LoadTLS(c.cert, c.key, []string{c.host})
		if !errors.Is(err, ErrCertificate) || !strings.Contains(err.Error(), c.tells) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadTLS(expired, expiredKey, nil); err != nil {
		t.Errorf("an expired certificate stops the node: %v", err)
	}
}
