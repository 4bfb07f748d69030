package dataarts

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"countersign/workflow"
)

const (
	pageSize = 100
	// maxPages ends a list that does not: fifty thousand rows.
	maxPages = 500
)

// page is the body of the vendor's lists.
type page[T any] struct {
	Count *int `json:"count"`
	Data  []T  `json:"data"`
}

// pager gathers a list page by page. The vendor's documents disagree on whether offset counts records or pages, so it
// begins with records, and turns to pages when a page brings nothing new although rows are missing.
type pager[T any] struct {
	key   func(T) string
	seen  map[string]bool
	rows  []T
	count int
	size  int // of the first page
}

// readAll returns each row once, however the pages overlap, or a fault if what was read cannot be the whole list.
func readAll[T any](key func(T) string, fetch func(offset int) (page[T], *workflow.Fault)) ([]T, *workflow.Fault) {
	p := &pager[T]{key: key, seen: map[string]bool{}, count: -1}
	offset, last, byPages := 0, 0, false
	for range maxPages {
		pg, f := fetch(offset)
		if f != nil {
			return nil, f
		}
		if p.size == 0 {
			p.size = len(pg.Data)
		}
		fresh, f := p.take(pg)
		if f != nil {
			return nil, f
		}
		// A full page may have another behind it even if the count is reached: the count could be the page's own.
		missing := len(p.rows) < p.count
		switch {
		case !missing && (fresh == 0 || len(pg.Data) < pageSize):
			return p.rows, nil
		case fresh > 0 && !byPages:
			offset += len(pg.Data)
		case !byPages && len(p.rows) > 0:
			// One page more than there are: where the first is 1, it repeats page 0.
			offset, last, byPages = 1, (p.count+p.size-1)/p.size+1, true
		case offset < last && len(pg.Data) > 0:
			offset++
		default:
			return nil, p.disagrees()
		}
	}
	return nil, unclearList("the list of members does not end")
}

// take adds the rows of a page that are new, and says how many they are.
func (p *pager[T]) take(pg page[T]) (int, *workflow.Fault) {
	if pg.Count == nil || *pg.Count < 0 {
		return 0, unclearList("the list has no count")
	}
	if p.count >= 0 && p.count != *pg.Count {
		return 0, unclearList("the list changed while it was read")
	}
	p.count = *pg.Count
	fresh := 0
	for _, row := range pg.Data {
		if k := p.key(row); !p.seen[k] {
			p.seen[k] = true
			p.rows = append(p.rows, row)
			fresh++
		}
	}
	if len(p.rows) > p.count {
		return 0, p.disagrees()
	}
	return fresh, nil
}

func (p *pager[T]) disagrees() *workflow.Fault {
	return unclearList(fmt.Sprintf("the list has %d rows and a count of %d", len(p.rows), p.count))
}

func unclearList(text string) *workflow.Fault {
	return &workflow.Fault{Class: workflow.ClassUnclear, Text: text}
}

// decode decodes one JSON value and nothing behind it.
func decode(text string, v any) error {
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("something follows the value")
	}
	return nil
}
