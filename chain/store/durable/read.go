package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrTooLarge means that a file is longer than its reader's cap.
var ErrTooLarge = errors.New("file is too large")

// ErrMode means that a file is no regular file or that others may open it. The
// caller should have its owner run chmod 600 and not go on.
var ErrMode = errors.New("file must be a regular file of mode 0600")

// Read gives the file's content, refusing one longer than limit before it is
// read: a hostile or broken file must not eat memory.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, limit)
}

// ReadPrivate is Read for secrets: it follows no symbolic link, and refuses what
// is no regular file or may be opened by others.
func ReadPrivate(path string, limit int64) ([]byte, error) {
	f, err := openNoFollow(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || OthersCanRead(info) {
		return nil, fmt.Errorf("%s has mode %v: %w", path, info.Mode(), ErrMode)
	}
	return readAll(f, limit)
}

func readAll(f *os.File, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read %s: %w: more than %d bytes", f.Name(), ErrTooLarge, limit)
	}
	return b, nil
}
