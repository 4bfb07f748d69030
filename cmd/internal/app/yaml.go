package app

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"countersign/workflow"
)

// reader walks the YAML tree and collects every mistake with its line, so that one run names them all.
type reader struct {
	file  string
	wrong []string
}

func (r *reader) fail(n ast.Node, key, format string, args ...any) {
	line := 1
	if n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		line = n.GetToken().Position.Line
	}
	msg := fmt.Sprintf(format, args...)
	if key != "" {
		msg = key + ": " + msg
	}
	r.wrong = append(r.wrong, fmt.Sprintf("%s:%d: %s", r.file, line, msg))
}

// tree parses a file. A file that is no YAML has no more mistakes to tell than that one.
func (r *reader) tree(src []byte) ast.Node {
	f, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.wrong = append(r.wrong, fmt.Sprintf("%s: %v", r.file, err))
		return nil
	}
	switch {
	case len(f.Docs) > 1:
		r.fail(f.Docs[1].Body, "", "a second document; one file holds one configuration")
	case len(f.Docs) == 0 || f.Docs[0].Body == nil:
		r.fail(nil, "", "the file is empty")
	default:
		return f.Docs[0].Body
	}
	return nil
}

// fields are what a mapping may hold, by key.
type fields map[string]func(ast.Node)

// mapping reads a mapping and refuses unknown and doubled keys.
func (r *reader) mapping(n ast.Node, path string, fs fields) {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	case *ast.NullNode:
		return
	default:
		r.fail(n, path, "a mapping is needed here, not %s", kindOf(n))
		return
	}
	seen := map[string]bool{}
	for _, v := range values {
		key := strings.Trim(v.Key.String(), `"' `)
		full := strings.TrimPrefix(path+"."+key, ".")
		read, known := fs[key]
		switch {
		case !known:
			r.fail(v.Key, full, "there is no such key; known here: %s", strings.Join(sortedKeys(fs), ", "))
		case seen[key]:
			r.fail(v.Key, full, "the key is there twice")
		default:
			read(v.Value)
		}
		seen[key] = true
	}
}

func sortedKeys(fs fields) []string {
	keys := make([]string, 0, len(fs))
	for k := range fs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func kindOf(n ast.Node) string {
	if n == nil {
		return "nothing"
	}
	return strings.ToLower(n.Type().String())
}

// list reads a sequence.
func (r *reader) list(n ast.Node, path string, each func(ast.Node)) {
	switch s := n.(type) {
	case *ast.SequenceNode:
		for _, v := range s.Values {
			each(v)
		}
	case *ast.NullNode:
	default:
		r.fail(n, path, "a list is needed here, not %s", kindOf(n))
	}
}

// text reads a scalar as it is written: 1001 and "1001" are the same text.
func (r *reader) text(n ast.Node, path string) string {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value
	case *ast.IntegerNode:
		return s.Token.Value
	case *ast.LiteralNode:
		return strings.TrimSpace(s.Value.Value)
	case *ast.NullNode:
		return ""
	case *ast.BoolNode, *ast.FloatNode:
		return n.GetToken().Value
	default:
		r.fail(n, path, "a text is needed here, not %s", kindOf(n))
		return ""
	}
}

func (r *reader) string(dst *string, path string) func(ast.Node) {
	return func(n ast.Node) { *dst = r.text(n, path) }
}

func (r *reader) strings(dst *[]string, path string) func(ast.Node) {
	return func(n ast.Node) {
		*dst = []string{}
		r.list(n, path, func(v ast.Node) { *dst = append(*dst, r.text(v, path)) })
	}
}

func (r *reader) duration(dst *time.Duration, path string) func(ast.Node) {
	return func(n ast.Node) {
		d, err := workflow.ParseDuration(r.text(n, path))
		if err != nil {
			r.fail(n, path, "%v", err)
			return
		}
		*dst = d
	}
}

func (r *reader) int(dst *int, path string) func(ast.Node) {
	return func(n ast.Node) {
		v, err := strconv.Atoi(r.text(n, path))
		if err != nil {
			r.fail(n, path, "a whole number is needed here")
			return
		}
		*dst = v
	}
}
