package workflow_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"countersign/workflow"
)

// FuzzApply drives a request by commands that the input names, whole ones and ones that lack what they need: Apply must
// not panic, must leave what it was given alone, and must never lead out of the diagram.
func FuzzApply(f *testing.F) {
	f.Add([]byte{1, 0, 0, 14, 0, 0, 15, 0, 0})
	f.Add([]byte{8, 1, 3, 1, 0, 9, 13, 2, 1, 17, 0, 4, 18, 0, 0, 4, 0, 0})
	f.Add([]byte{2, 0, 0, 10, 0, 0})
	f.Add([]byte{1, 0, 0, 14, 0, 0, 16, 0, 0, 4, 0, 0, 14, 0, 0, 17, 0, 0, 18, 0, 0, 5, 0, 0, 6, 0, 0, 9, 0, 0})
	f.Fuzz(func(t *testing.T, course []byte) {
		p := policy(rule(anyOf(2, lead.User, "U0B", "S0TEAM")))
		r := submitted(t, p, grant(), asker)
		now := epoch
		for len(course) >= 3 && len(course) < 600 {
			verb, flavour, wait := course[0], course[1], course[2]
			course = course[3:]
			now = now.Add(time.Duration(wait) * time.Minute)
			c := command(r, workflow.Verbs()[int(verb)%len(workflow.Verbs())])
			bend(&c, flavour)
			before := text(t, r)
			tr, err := workflow.Apply(r, c, p, now)
			if after := text(t, r); after != before {
				t.Fatalf("%s changed what it was given:\n%s\n%s", c.Verb, before, after)
			}
			if err != nil {
				continue
			}
			if !legal(r.State, tr.Request.State) {
				t.Fatalf("%s led from %q to %q", c.Verb, r.State, tr.Request.State)
			}
			if tr.Request.State != r.State && (tr.Entry == nil || tr.Entry.From != r.State || tr.Entry.To != tr.Request.State) {
				t.Fatalf("%s led from %q to %q, with the entry %+v", c.Verb, r.State, tr.Request.State, tr.Entry)
			}
			assertOwes(t, tr.Request)
			r = tr.Request
		}
	})
}

func legal(from, to workflow.State) bool {
	return from == to || slices.Contains(follows[from], to)
}

// bend takes from a command what it needs, or gives it what it should not have.
func bend(c *workflow.Command, flavour byte) {
	switch flavour % 12 {
	case 1:
		c.Actor = workflow.Actor{}
	case 2:
		c.Actor = asker
	case 3:
		c.Actor = actor("U0B")
	case 4:
		c.Actor = actor("U0C", "S0TEAM")
	case 5:
		c.Outcome = workflow.Outcome{}
	case 6:
		c.Outcome = unclear()
	case 7:
		c.Membership = workflow.Membership{}
	case 8:
		c.Membership = workflow.Membership{State: "r00004", Fit: workflow.Impossible, Roles: []string{"r00004"}}
	case 9:
		c.Effect = uint64(flavour)
	case 10:
		c.Spare = 0
	case 11:
		c.Already, c.ReadBack = true, true
	default:
	}
}

func text(t *testing.T, r workflow.Request) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
