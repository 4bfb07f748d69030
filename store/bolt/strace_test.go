package bolt_test

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"countersign/workflow"
)

// trace is what a process did to a database and its sidecar, in the order of the lines of an strace log.
type trace struct {
	path     string
	db, seq  *file
	linked   op
	dirSyncs []op
	acks     []ack
}

// ack is a line that the process printed once a step was acknowledged to it.
type ack struct {
	Line   int
	State  workflow.State
	Number workflow.Number
}

// file is one inode, whatever its name.
type file struct{ ops []op }

type opKind int

const (
	opWrite opKind = iota
	opTruncate
	opSync
)

// op is one system call. It had an effect at some time between the lines begin and end.
type op struct {
	kind       opKind
	begin, end int
	off        int // of a truncation: the new size
	data       []byte
}

var (
	callLine    = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+)`)
	unfinished  = regexp.MustCompile(`^(\d+) +(\w+\(.*) <unfinished \.\.\.>$`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
)

// call is one system call of the log.
type call struct {
	name       string
	args       []string
	result     int
	begin, end int
}

// calls are the system calls of a log, those that ended later later.
func calls(log string) []call {
	var all []call
	type started struct {
		text  string
		begin int
	}
	pending := map[string]started{}
	for i, line := range strings.Split(log, "\n") {
		begin := i
		if m := unfinished.FindStringSubmatch(line); m != nil {
			pending[m[1]] = started{m[2], i}
			continue
		}
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			s := pending[m[1]]
			line, begin = m[1]+" "+s.text+m[3], s.begin
		}
		if m := callLine.FindStringSubmatch(line); m != nil {
			result, _ := strconv.Atoi(m[4])
			all = append(all, call{m[2], strings.Split(m[3], ", "), result, begin, i})
		}
	}
	return all
}

// parser follows names and descriptors through a log.
type parser struct {
	tr    *trace
	names map[string]*file
	open  map[string]*file
	dirs  map[string]bool // descriptors of the database's directory
	rest  string          // of the standard output: a line that has not ended
}

func parseTrace(log, db string) (*trace, error) {
	p := &parser{
		tr: &trace{path: db, seq: &file{}}, names: map[string]*file{}, open: map[string]*file{}, dirs: map[string]bool{},
	}
	p.names[db+".seq"] = p.tr.seq
	for _, c := range calls(log) {
		if c.result < 0 {
			continue
		}
		if err := p.take(c); err != nil {
			return nil, fmt.Errorf("line %d of the trace: %w", c.end+1, err)
		}
	}
	if p.tr.db = p.names[db]; p.tr.db == nil {
		return nil, fmt.Errorf("the trace never names %s", db)
	}
	for _, f := range []*file{p.tr.db, p.tr.seq} {
		slices.SortStableFunc(f.ops, func(a, b op) int { return a.begin - b.begin })
	}
	return p.tr, nil
}

func (p *parser) take(c call) error {
	switch c.name {
	case "openat":
		return p.opened(c)
	case "close":
		delete(p.open, c.args[0])
		delete(p.dirs, c.args[0])
	case "linkat", "renameat":
		return p.named(c)
	case "write":
		return p.wrote(c)
	case "pwrite64":
		f := p.open[c.args[0]]
		if f == nil {
			return nil
		}
		data, err := unquote(c.args[1])
		if err != nil {
			return err
		}
		off, err := strconv.Atoi(c.args[3])
		f.ops = append(f.ops, op{opWrite, c.begin, c.end, off, data[:c.result]})
		return err
	case "ftruncate":
		if f := p.open[c.args[0]]; f != nil {
			size, err := strconv.Atoi(c.args[1])
			f.ops = append(f.ops, op{kind: opTruncate, begin: c.begin, end: c.end, off: size})
			return err
		}
	case "fsync", "fdatasync":
		sync := op{kind: opSync, begin: c.begin, end: c.end}
		if f := p.open[c.args[0]]; f != nil {
			f.ops = append(f.ops, sync)
		}
		if p.dirs[c.args[0]] {
			p.tr.dirSyncs = append(p.tr.dirSyncs, sync)
		}
	}
	return nil
}

func (p *parser) opened(c call) error {
	name, err := unquote(c.args[1])
	if err != nil {
		return err
	}
	path, fd := string(name), strconv.Itoa(c.result)
	delete(p.open, fd)
	delete(p.dirs, fd)
	dir := filepath.Dir(p.tr.path)
	switch {
	case path == dir:
		p.dirs[fd] = true
	case filepath.Dir(path) == dir:
		if p.names[path] == nil {
			p.names[path] = &file{}
		}
		p.open[fd] = p.names[path]
	}
	return nil
}

// named follows a second or a new name for a file.
func (p *parser) named(c call) error {
	from, err := unquote(c.args[1])
	if err != nil {
		return err
	}
	to, err := unquote(c.args[3])
	if err != nil {
		return err
	}
	p.names[string(to)] = p.names[string(from)]
	if string(to) == p.tr.path {
		p.tr.linked = op{begin: c.begin, end: c.end}
	}
	return nil
}

// wrote reads acknowledgements from the standard output.
func (p *parser) wrote(c call) error {
	if c.args[0] != "1" {
		return nil
	}
	data, err := unquote(c.args[1])
	if err != nil {
		return err
	}
	lines := strings.Split(p.rest+string(data), "\n")
	p.rest = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		state, number, ok := strings.Cut(line, " ")
		n, err := strconv.ParseUint(number, 10, 64)
		if !ok || err != nil {
			return fmt.Errorf("%q is no acknowledgement", line)
		}
		p.tr.acks = append(p.tr.acks, ack{c.begin, workflow.State(state), workflow.Number(n)})
	}
	return nil
}

// unquote reads a string as strace -xx writes it.
func unquote(s string) ([]byte, error) {
	body, begins := strings.CutPrefix(s, `"`)
	body, ends := strings.CutSuffix(body, `"`)
	if !begins || !ends {
		return nil, fmt.Errorf("%.40s is no whole string", s)
	}
	return hex.DecodeString(strings.ReplaceAll(body, `\x`, ""))
}
