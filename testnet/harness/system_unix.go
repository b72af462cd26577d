//go:build unix

package harness

import (
	"errors"
	"os/exec"
	"syscall"
)

// session makes the process the head of a session of its own, so that a
// terminal's ctrl-C reaches only who started it, and so that it can be ended
// together with whatever it starts.
func session(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// signalGroup sends to the process and all that it started.
func signalGroup(pid int, hard bool) error {
	s := syscall.SIGTERM
	if hard {
		s = syscall.SIGKILL
	}
	if err := syscall.Kill(-pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
