package bot

import (
	"testing"

	"countersign/workflow"
)

// FuzzPages: whatever comes back with a Home is pages that go down, few enough to be kept, and read back as they are.
func FuzzPages(f *testing.F) {
	f.Add(`{"mine":[40,31],"waiting":[7]}`)
	f.Add(`{"mine":[1,2,3],"else":[4],"decided":null}`)
	f.Add(`{"mine":[18446744073709551615,-1]}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, metadata string) {
		ps := pagesOf(metadata)
		for part, at := range ps {
			last := workflow.Number(0)
			for _, n := range at {
				if n == 0 || last > 0 && n >= last {
					t.Errorf("%s: %v does not go down", part, at)
				}
				last = n
			}
			if len(at) > maxTurns {
				t.Errorf("%s: %d pages are kept", part, len(at))
			}
		}
		kept := ps.String()
		if len(kept) > maxMetadata {
			t.Errorf("%d characters are kept", len(kept))
		}
		if again := pagesOf(kept).String(); again != kept {
			t.Errorf("%s was read back as %s", kept, again)
		}
	})
}

// FuzzSeries: a block_id names a series that was written so, or none.
func FuzzSeries(f *testing.F) {
	for _, id := range []string{"request:42:made:42+1", "request:42:made:40+10", "request:42:made:40+11", "request:42:made:0+1", "request:42:made:+1+1", "made:1+1", ""} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		s, ok := seriesOf(id)
		if ok && (s.first == 0 || s.count < 1 || s.count > maxSpelled) {
			t.Errorf("%q names %+v", id, s)
		}
		if again, ok2 := seriesOf(blockPrefix + "1:" + s.String()); ok && (!ok2 || again != s) {
			t.Errorf("%q: %+v was read back as %+v", id, s, again)
		}
	})
}
