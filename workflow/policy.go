package workflow

// Rule placeholder; replaced below.
type Rule struct{}

// Verb names a command.
type Verb string
