package account

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hybridos-net/hybridos/chain/store/durable"
)

// Load reads the accounts file at path. A file that is missing, open to others
// or not understood is an error: there is no login without a good file.
func Load(path string) (*Book, error) {
	data, err := durable.ReadPrivate(path, maxFile)
	if errors.Is(err, durable.ErrMode) {
		return nil, refuse(BadMode, "%v", err)
	}
	if err != nil {
		return nil, fmt.Errorf("accounts file: %w", err)
	}
	book, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return book, nil
}

// Add writes one more account to the file at path, which it creates if need be.
// The file is replaced atomically under a lock: a reader sees the old or the new
// file, and of two writers none is lost.
func Add(path string, a Account) error {
	unlock, err := lock(path + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	book, err := Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		book, err = newBook(nil)
	}
	if err != nil {
		return err
	}
	if _, there := book.Lookup(a.Name); there {
		return refuse(Exists, "account %q", a.Name)
	}
	book, err = newBook(append(book.Accounts(), a))
	if err != nil {
		return err
	}
	data, err := book.encode()
	if err != nil {
		return err
	}
	if err := durable.Write(path, data); err != nil {
		return fmt.Errorf("accounts file: %w", err)
	}
	return nil
}

func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of accounts file: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock accounts file: %w", err)
	}
	return func() { _ = f.Close() }, nil
}
