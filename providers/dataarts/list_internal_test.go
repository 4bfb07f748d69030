package dataarts

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"countersign/workflow"
)

// A list is read whole, or not at all: however long it is, however the server cuts it, and whatever offset counts.
func TestReadAll_WholeOrNotAtAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, 700).Draw(t, "total")
		size := rapid.IntRange(20, pageSize).Draw(t, "size")
		mode := rapid.SampledFrom([]string{"records", "pages", "pages from 1"}).Draw(t, "mode")
		overlap := rapid.IntRange(0, 2).Draw(t, "overlap")
		wrong := rapid.SampledFrom([]int{0, 0, 0, -1, 1}).Draw(t, "wrong")
		if wrong < 0 && (mode != "records" || size < pageSize) {
			wrong = 1 // a count that is too low is seen only by the rows that exceed it
		}
		fetches := 0
		rows, f := readAll(strconv.Itoa, func(offset int) (page[int], *workflow.Fault) {
			fetches++
			switch mode {
			case "pages":
				offset *= size
			case "pages from 1":
				offset = max(offset-1, 0) * size
			}
			from, to := min(max(offset-overlap, 0), total), min(offset+size, total)
			count := total + wrong
			return page[int]{Count: &count, Data: numbers(from, max(from, to))}, nil
		})
		if fetches > maxPages {
			t.Fatalf("%d fetches", fetches)
		}
		if wrong != 0 {
			if f == nil {
				t.Fatalf("a list of %d with a count of %d was believed", total, total+wrong)
			}
			return
		}
		if f != nil {
			t.Fatalf("not read: %v", f)
		}
		slices.Sort(rows)
		if !slices.Equal(rows, numbers(0, total)) {
			t.Fatalf("%d rows of %d", len(rows), total)
		}
	})
}

func numbers(from, to int) []int {
	var n []int
	for i := from; i < to; i++ {
		n = append(n, i)
	}
	return n
}

// A count that is only the page's own must not pass for the list's.
func TestReadAll_CountOfThePage(t *testing.T) {
	rows, f := readAll(strconv.Itoa, func(offset int) (page[int], *workflow.Fault) {
		data := numbers(min(offset, 150), min(offset+pageSize, 150))
		count := len(data)
		return page[int]{Count: &count, Data: data}, nil
	})
	if f == nil {
		t.Errorf("%d of 150 rows pass for all", len(rows))
	}
}

func TestReadAll_EndsWithAServerThatDoesNot(t *testing.T) {
	next := 0
	_, f := readAll(strconv.Itoa, func(int) (page[int], *workflow.Fault) {
		count := 1 << 30
		next += pageSize
		return page[int]{Count: &count, Data: numbers(next-pageSize, next)}, nil
	})
	if f == nil || f.Class != workflow.ClassUnclear {
		t.Errorf("fault %+v", f)
	}
}

// Somebody leaves from the first page while the second is fetched: the rows then agree with the last count, but one
// that moved up was never seen, and one that left was.
func TestReadAll_SomebodyLeavesMeanwhile(t *testing.T) {
	rows, f := readAll(strconv.Itoa, func(offset int) (page[int], *workflow.Fault) {
		members := numbers(0, 150)
		if offset > 0 {
			members = members[1:]
		}
		count := len(members)
		return page[int]{Count: &count, Data: members[min(offset, count):min(offset+pageSize, count)]}, nil
	})
	if f == nil {
		t.Errorf("%d rows are believed", len(rows))
	}
}
