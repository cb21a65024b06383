//go:build unix

package speech

import (
	"os/exec"
	"syscall"
)

// endWhole lets the end of a command's context end all that the command has started.
func endWhole(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
