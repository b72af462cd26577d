//go:build !unix

package harness

import (
	"os"
	"os/exec"
)

func session(*exec.Cmd) {}

func leash(*exec.Cmd) {}

// signalGroup can only kill here.
func signalGroup(pid int, _ bool) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil
	}
	return p.Kill()
}

func birth(pid int) string {
	p, err := os.FindProcess(pid)
	if err != nil {
		return ""
	}
	defer p.Release()
	return "alive"
}
