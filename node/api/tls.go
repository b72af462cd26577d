package api

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// ErrCertificate: the certificate or its key cannot be used; the text names the
// file.
var ErrCertificate = errors.New("certificate for phones")

// LoadTLS reads a certificate (its chain behind it) and its key from PEM files,
// for Phone.TLS. Each host must be one of the certificate's names. One whose
// time is over is taken: that is for its readers to refuse, and no reason to
// stop a validator.
func LoadTLS(certFile, keyFile string, hosts []string) (*tls.Config, error) {
	certPEM, err := readPEM(certFile, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	keyPEM, err := readPEM(keyFile, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("%w: %s and %s: %w", ErrCertificate, certFile, keyFile, err)
	}
	if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCertificate, certFile, err)
	}
	for _, h := range hosts {
		if err := pair.Leaf.VerifyHostname(h); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrCertificate, certFile, err)
		}
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"},
	}, nil
}

// readPEM reads a small file that must hold a block whose type ends as given.
func readPEM(name, kind string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxPEM {
		return nil, fmt.Errorf("%w: %s: not a file of at most %d bytes", ErrCertificate, name, maxPEM)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	for rest := raw; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, fmt.Errorf("%w: %s: holds no PEM block %q", ErrCertificate, name, kind)
		}
		if block.Type == kind || kind == "PRIVATE KEY" && (block.Type == "EC PRIVATE KEY" || block.Type == "RSA PRIVATE KEY") {
			return raw, nil
		}
	}
}
