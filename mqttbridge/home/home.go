// Package home keeps the bridge's two secrets in its own folder: the delegate
// key that signs commands, and the key behind the object ids in topics.
//
// It is not a wallet: the delegate key owns nothing, and it is kept without a
// passphrase so that the bridge starts unattended. What it may do is what owners
// grant to it, and they can revoke that.
//
// Entry points: Open, then Delegate and ObjectKey. What must never change: files
// are of mode 0600, a file that is damaged or open to others is an error, and a
// secret that is there is never overwritten.
package home

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/store/durable"
)

const (
	secretSize   = 32
	delegateFile = "delegate.key"
	objectFile   = "object.key"
)

// Home is the opened folder.
type Home struct {
	dir    string
	random io.Reader
}

// Open makes the folder, with mode 0700, if it is not there. Fresh secrets come
// from random.
func Open(dir string, random io.Reader) (*Home, error) {
	if dir == "" || random == nil {
		return nil, errors.New("home: needs a folder and a source of randomness")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make home folder: %w", err)
	}
	return &Home{dir: dir, random: random}, nil
}

// Delegate gives the delegate key, which it makes the first time.
func (h *Home) Delegate() (*key.Private, error) {
	raw, err := h.secret(delegateFile, func() ([]byte, error) {
		k, err := key.Generate(h.random)
		if err != nil {
			return nil, err
		}
		return k.Secret(), nil
	})
	if err != nil {
		return nil, fmt.Errorf("delegate key: %w", err)
	}
	k, err := key.FromBytes(raw)
	if err != nil {
		return nil, fmt.Errorf("delegate key: %w", err)
	}
	return k, nil
}

// ObjectKey gives the key behind the object ids, which it makes the first time.
func (h *Home) ObjectKey() ([]byte, error) {
	raw, err := h.secret(objectFile, func() ([]byte, error) {
		b := make([]byte, secretSize)
		_, err := io.ReadFull(h.random, b)
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("object key: %w", err)
	}
	return raw, nil
}

// secret reads the file called name, or makes it. Of two processes that make it
// at once, both end with the one that came first.
func (h *Home) secret(name string, fresh func() ([]byte, error)) ([]byte, error) {
	path := filepath.Join(h.dir, name)
	raw, err := read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return raw, err
	}
	if raw, err = fresh(); err != nil {
		return nil, fmt.Errorf("make secret: %w", err)
	}
	err = durable.Create(path, []byte(hex.EncodeToString(raw)+"\n"))
	if errors.Is(err, fs.ErrExist) {
		return read(path)
	}
	return raw, err
}

func read(path string) ([]byte, error) {
	text, err := durable.ReadPrivate(path, 2*secretSize+1)
	if err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(raw) != secretSize {
		return nil, fmt.Errorf("%s is damaged: not %d hex digits", path, 2*secretSize)
	}
	return raw, nil
}
