//go:build !linux && !darwin

package app

// unwritable cannot be told here without writing.
func unwritable(string) error { return nil }

// freeSpace cannot be told here.
func freeSpace(string) (uint64, bool) { return 0, false }
