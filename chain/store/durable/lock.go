package durable

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrLocked means that another process holds the lock and did not give it up
// in time; try again.
var ErrLocked = errors.New("another process is using it")

// lockPause is how long to wait between two tries.
const lockPause = 20 * time.Millisecond

// Lock takes the lock file at path, waiting for as long as ctx allows, and
// gives the function that releases it. The operating system releases it too
// when the process dies, so a kill leaves no stale lock; the file itself stays.
// Two callers in one process exclude each other as well.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, FileMode)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	tick := time.NewTicker(lockPause)
	defer tick.Stop()
	for {
		held, err := tryLock(f)
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if held {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, ErrLocked)
		case <-tick.C:
		}
	}
}
