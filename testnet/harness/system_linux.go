package harness

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// leash lets the kernel kill the process when the thread that starts it ends.
func leash(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL }

// birth tells when a process began, in ticks since the machine started, which
// tells it from a later one of the same number; "" if there is none. A process
// that only waits to be collected has ended.
func birth(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name in brackets may hold spaces; fields are counted from behind it.
	_, rest, ok := strings.Cut(string(b), ") ")
	for ok && strings.Contains(rest, ") ") {
		_, rest, _ = strings.Cut(rest, ") ")
	}
	f := strings.Fields(rest)
	if len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return ""
	}
	return f[19]
}
