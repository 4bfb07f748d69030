//go:build windows || solaris || illumos || aix

package bolt

import "os"

// drop closes a file that bbolt can no longer close.
func drop(f *os.File) error { return f.Close() }
