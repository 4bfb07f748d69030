package bolt_test

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
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
	synced     int // behind which line it is certainly on disk; 0 is never
}

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
		pid, text, _ := strings.Cut(line, " ")
		text, begin := strings.TrimSpace(text), i
		if head, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
			pending[pid] = started{head, i}
			continue
		}
		if tail, ok := strings.CutPrefix(text, "<... "); ok {
			_, tail, _ = strings.Cut(tail, " resumed>")
			text, begin = pending[pid].text+tail, pending[pid].begin
		}
		at := strings.LastIndex(text, " = ")
		name, args, ok := strings.Cut(text[:max(at, 0)], "(")
		if !ok {
			continue // of a signal, or of the end of a thread
		}
		result, _, _ := strings.Cut(text[at+len(" = "):], " ")
		n, err := strconv.Atoi(result)
		if err != nil {
			continue
		}
		args = strings.TrimSuffix(strings.TrimSpace(args), ")")
		all = append(all, call{name, strings.Split(args, ", "), n, begin, i})
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
		f.findSyncs()
	}
	return p.tr, nil
}

// findSyncs finds for each write the sync that ends first of those that began when the write had ended.
func (f *file) findSyncs() {
	for i, o := range f.ops {
		for _, s := range f.ops[i:] {
			if s.kind == opSync && s.begin > o.end && (f.ops[i].synced == 0 || s.end < f.ops[i].synced) {
				f.ops[i].synced = s.end
			}
		}
	}
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
		f.ops = append(f.ops, op{kind: opWrite, begin: c.begin, end: c.end, off: off, data: data[:c.result]})
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
