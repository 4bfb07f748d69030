//go:build !windows && !solaris && !illumos && !aix

package bolt

import (
	"os"
	"syscall"
)

// drop closes a file that bbolt can no longer close. Its memory map stays until the process ends and holds on to the
// lock, so the lock is given back by name.
func drop(f *os.File) error {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	return f.Close()
}
