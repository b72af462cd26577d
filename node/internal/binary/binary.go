// Package binary tells which program this process is: the SHA-256 of its own
// executable file, by which the ledger's upgrades name programs.
//
// It tells nothing of other processes or files, and judges nothing (chain/abci
// does). Use Hash, early in the life of a process.
//
// What must never change: the hash is that of the whole file as sha256sum(1)
// gives it, so that operators can compare.
package binary

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// self is the file that runs even if another stands under its name by now.
const self = "/proc/self/exe"

// Hash reads the running executable.
func Hash() (sum [sha256.Size]byte, err error) {
	f, err := os.Open(self)
	if err != nil { // not Linux, or no /proc
		path, pathErr := os.Executable()
		if pathErr != nil {
			return sum, fmt.Errorf("find this program: %w", pathErr)
		}
		if f, err = os.Open(path); err != nil {
			return sum, fmt.Errorf("read this program: %w", err)
		}
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, fmt.Errorf("read this program: %w", err)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
