// Package crash is the judge of the crash harness: History is what people, the cloud and Slack saw of a run in which the
// bot was killed again and again, and Check holds it against what was promised. It knows nothing of how the bot works:
// everything in a History can be seen from outside.
//
// The tests of this package run the real binary against the emulators, kill it and judge the outcome. How many kills is
// a flag:
//
//	go test ./cmd/internal/crash                                     the short run, of CI
//	go test ./cmd/internal/crash -run Acknowledged -kills 1000 -timeout 60m
package crash
