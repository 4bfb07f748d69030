//go:build linux || darwin

package app

import "syscall"

// writeAccess is access(2)'s W_OK.
const writeAccess = 2

// unwritable says why a file or directory may not be written by this process; nil if it may.
func unwritable(path string) error { return syscall.Access(path, writeAccess) }

// freeSpace is how many bytes an ordinary user may still write to the file system of a directory.
func freeSpace(dir string) (uint64, bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return st.Bavail * uint64(st.Bsize), true
}
