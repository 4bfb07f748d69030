package bolt_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// childEnv names the role that a child process of a test plays.
const childEnv = "COUNTERSIGN_TEST_CHILD"

var children = map[string]func(path string) error{
	"open":   childOpen,
	"full":   childFull,
	"submit": childSubmit,
	"deny":   childDenied,

	"look":         childLook,
	"power":        childPower,
	"power-nosync": childPowerNoSync,
}

func TestMain(m *testing.M) {
	if role := os.Getenv(childEnv); role != "" {
		if err := children[role](os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	code := m.Run()
	if code == 0 && leaked() {
		code = 1
	}
	os.Exit(code)
}

// leaked reports goroutines that outlive all tests.
func leaked() bool {
	const own = 2 // this one, and the one that watches signals or the runner's
	for range 1000 {
		if runtime.NumGoroutine() <= own {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	fmt.Fprintf(os.Stderr, "goroutines are left:\n%s\n", buf[:runtime.Stack(buf, true)])
	return true
}
