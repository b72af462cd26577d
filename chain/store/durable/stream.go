package durable

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// streamBuffer is how much is gathered before it is written.
const streamBuffer = 1 << 20

// Stream writes a new file at path, of any size, from what f writes. The file
// appears under its name whole or not at all; if path exists, the error is
// fs.ErrExist and the file is left alone.
func Stream(path string, f func(io.Writer) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("write %s: %w", path, os.ErrExist)
	}
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(path)+tempMark+"*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(temp.Name())
	b := bufio.NewWriterSize(temp, streamBuffer)
	if err = f(b); err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = temp.Sync()
	}
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Link(temp.Name(), path) // unlike a rename, never over another
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// SyncDir makes what was created, renamed or removed in a folder survive a
// power cut.
func SyncDir(dir string) error { return syncDir(dir) }
