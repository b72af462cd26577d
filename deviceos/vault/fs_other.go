//go:build !linux

package vault

import (
	"errors"
	"os"
)

func syncData(f *os.File) error { return f.Sync() }

// lockFile: a device runs Linux; elsewhere nothing keeps two agents apart, so
// none starts.
func lockFile(*os.File) error { return errors.New("the device's store works on Linux only") }
