//go:build linux

package native

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

var (
	// ErrInUse: another process serves this path. Use another, or stop it.
	ErrInUse = errors.New("socket is in use")
	// ErrNotSocket: the path is something else than a socket and is left
	// alone.
	ErrNotSocket = errors.New("path is there and is not a socket")
	// ErrUnsafeDir: others may write in the directory, so they could put
	// their own socket there.
	ErrUnsafeDir = errors.New("directory is writable by others")
	// ErrPathTooLong: the kernel holds at most maxPath bytes.
	ErrPathTooLong = errors.New("socket path is too long")
	// ErrMode: a bus is for the owner (0600) or for owner and group (0660).
	ErrMode = errors.New("socket mode must be 0600 or 0660")
)

const (
	// maxPath is sun_path without its zero byte and the suffix of a socket
	// that is not in place yet.
	maxPath   = 107 - len(newSuffix)
	newSuffix = ".new"
	backlog   = 1024
)

// Listener owns a socket path until Close.
type Listener struct {
	*net.UnixListener
	path string
	lock *os.File
	info fs.FileInfo
}

// Listen makes the socket at path with mode 0600 or 0660. The directory is made
// with 0700 if it is not there. A socket that nobody serves is replaced; who
// serves one holds a lock beside it (path.lock), and a foreign live socket is
// found by connecting to it.
func Listen(path string, mode fs.FileMode) (*Listener, error) {
	l, err := listen(path, mode)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

func listen(path string, mode fs.FileMode) (*Listener, error) {
	if mode != 0o600 && mode != 0o660 {
		return nil, ErrMode
	}
	if len(path) > maxPath {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrPathTooLong, len(path), maxPath)
	}
	if err := checkDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	l := &Listener{path: path, lock: lock}
	if err := checkStale(path); err != nil {
		lock.Close()
		return nil, err
	}
	if err := l.bind(mode); err != nil {
		lock.Close()
		return nil, err
	}
	return l, nil
}

func checkDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return err
	}
	if st.Mode&0o022 != 0 || int(st.Uid) != os.Geteuid() && st.Uid != 0 {
		return fmt.Errorf("%w: %s", ErrUnsafeDir, dir)
	}
	return nil
}

// lockFile takes the lock that makes everything after it free of races with
// other brokers. The file stays: to remove it would be a race of its own.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}

// checkStale refuses a path that is anything but free or a dead socket. Only
// the kernel's "nobody listens" counts as dead.
func checkStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return ErrNotSocket
	}
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err == nil {
		c.Close()
		return ErrInUse
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("%w: %w", ErrInUse, err)
	}
	return nil
}

// bind makes the socket under another name, gives it its mode while nobody can
// connect (it does not listen yet), and moves it into place.
func (l *Listener) bind(mode fs.FileMode) error {
	tmp := l.path + newSuffix
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), tmp)
	defer f.Close() // FileListener has its own copy
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: tmp}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := l.place(f, tmp, mode); err != nil {
		os.Remove(tmp)
		return err
	}
	return nil
}

func (l *Listener) place(f *os.File, tmp string, mode fs.FileMode) error {
	if err := os.Chmod(tmp, mode); err != nil {
		return err
	}
	if err := unix.Listen(int(f.Fd()), backlog); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	info, err := os.Lstat(tmp)
	if err != nil {
		return err
	}
	ln, err := net.FileListener(f)
	if err != nil {
		return err
	}
	l.UnixListener, l.info = ln.(*net.UnixListener), info
	l.SetUnlinkOnClose(false)
	if err := os.Rename(tmp, l.path); err != nil {
		ln.Close()
		return err
	}
	return nil
}

// Path is where the socket is.
func (l *Listener) Path() string { return l.path }

// Close stops listening and takes the socket away if it is still this one.
func (l *Listener) Close() error {
	err := l.UnixListener.Close()
	if now, e := os.Lstat(l.path); e == nil && os.SameFile(now, l.info) {
		os.Remove(l.path)
	}
	if e := l.lock.Close(); err == nil {
		err = e
	}
	return err
}
