package harness

import (
	"errors"
	"fmt"
)

var (
	// ErrNoNetwork: the directory holds no test network.
	ErrNoNetwork = errors.New("no test network here")
	// ErrRunning: processes of the network run.
	ErrRunning = errors.New("the test network is up already")
	// ErrExists: there is a test network in the directory.
	ErrExists = errors.New("there is a test network already")
	// ErrNotRunning: the process does not run.
	ErrNotRunning = errors.New("is not running")
	// ErrNoProcess: no process of the network has that name.
	ErrNoProcess = errors.New("no process of that name")
	// ErrNotEmpty: the directory holds something else.
	ErrNotEmpty = errors.New("the directory is not empty and holds no test network")
	// ErrIncomplete: the network was never complete; it cannot be resumed.
	ErrIncomplete = errors.New("the test network was never complete")
	// ErrNoProgram: a program is not where it should be.
	ErrNoProgram = errors.New("program not found")
	// ErrNewer: the state file is of a later version.
	ErrNewer = errors.New("the test network was made by a later version")
)

// CrashError says that a process ended which nobody had told to.
type CrashError struct {
	Name string
	Log  string // path of its log
	Tail string // the log's last lines
	Err  error  // how it ended
}

// Error names the process, how it ended and what it said last.
func (e *CrashError) Error() string {
	return fmt.Sprintf("%s ended: %v\nlast lines of %s:\n%s", e.Name, e.Err, e.Log, e.Tail)
}

// Unwrap gives how the process ended.
func (e *CrashError) Unwrap() error { return e.Err }
