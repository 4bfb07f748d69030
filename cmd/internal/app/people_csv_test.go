package app_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countersign/bot"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
	"countersign/providers/dataarts/dataartsfake"
)

const peopleConfig = `
systems:
  - {name: gpu-lab, provider: compshare}
people:
  - {slack: U0ALICE, compshare: 50002}
people_csv: sub/people.csv
`

func loadPeople(t *testing.T, csv string) (*app.Config, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "countersign.yaml")
	for path, text := range map[string]string{file: peopleConfig, filepath.Join(dir, "sub", "people.csv"): csv} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return app.LoadConfig(file)
}

func TestPeopleCSV(t *testing.T) {
	t.Parallel()
	const iam = "2d032145d82546b5b83cd7a6fd7d0afc"
	c, err := loadPeople(t, "\ufeffslack,compshare,dataarts\r\nU0BOB,50003,"+iam+"\r\nW0CAROL,,"+iam+"\r\nU0DAVE,50005,\r\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []bot.Person{
		{Slack: "U0ALICE", IDs: map[string]string{"compshare": "50002"}, From: "people"},
		{Slack: "U0BOB", IDs: map[string]string{"compshare": "50003", "dataarts": iam}, From: "people_csv"},
		{Slack: "W0CAROL", IDs: map[string]string{"dataarts": iam}, From: "people_csv"},
		{Slack: "U0DAVE", IDs: map[string]string{"compshare": "50005"}, From: "people_csv"},
	}
	if diff := cmp.Diff(want, c.People); diff != "" {
		t.Error(diff)
	}
}

func TestPeopleCSV_EachMistakeWithItsLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		csv  string
		want []string
	}{
		"empty":         {"", []string{"people.csv:1: the file is empty"}},
		"other columns": {"slack,compshare\n", []string{"people.csv:1: wrong number of fields"}},
		"other names":   {"slack,dataarts,compshare\n", []string{"people.csv:1: the columns must be slack,compshare,dataarts"}},
		"an open quote": {"slack,compshare,dataarts\n\"U0BOB,1,\n", []string{"people.csv:2:"}},
		"all at once": {
			"slack,compshare,dataarts\nbob,1,\nU0BOB,0,\nU0BOB,1\nU0BOB,5,x\n\nU0ALICE,1,\nU0ERIN,4294967296,\n",
			[]string{
				`people.csv:2: slack: "bob" is not a user ID`, `people.csv:3: compshare: "0" is no company ID`,
				"people.csv:4: wrong number of fields", "people.csv:5: slack: U0BOB is there twice",
				`people.csv:5: dataarts: "x" is no IAM user ID`, "people.csv:7: slack: U0ALICE is there twice",
				`people.csv:8: compshare: "4294967296" is no company ID`,
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadPeople(t, tt.csv)
			bad, ok := errors.AsType[*app.ConfigError](err)
			if !ok {
				t.Fatalf("LoadConfig = %v, want a *ConfigError", err)
			}
			if len(bad.Mistakes) != len(tt.want) {
				t.Fatalf("mistakes:\n%s\nwant %d", err, len(tt.want))
			}
			for i, want := range tt.want {
				if !strings.Contains(bad.Mistakes[i], want) {
					t.Errorf("mistake %q, want %q in it", bad.Mistakes[i], want)
				}
			}
		})
	}
}

func TestPeopleCSV_MissingFile(t *testing.T) {
	t.Parallel()
	_, err := app.ParseConfig(filepath.Join(t.TempDir(), "countersign.yaml"), []byte(peopleConfig))
	if err == nil || !strings.Contains(err.Error(), ":6: people_csv: ") {
		t.Errorf("ParseConfig = %v, want the line of people_csv", err)
	}
}

func TestReload_PeopleFileChanged(t *testing.T) {
	t.Parallel()
	w := newRig(t, rig.Options{})
	writes := func(name, user string) {
		t.Helper()
		text := "slack,compshare,dataarts\nU0LEAD,," + user + "\n"
		if err := os.WriteFile(filepath.Join(filepath.Dir(w.ConfigFile), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lenaIs := func(role, want string) {
		t.Helper()
		n := numberIn(w.types("U0REQ", "add @lena to warehouse/"+space+" as "+role))
		if got := w.request(n).Change.Subject.ID; got != want {
			t.Errorf("@lena is %s, want %s, as the file of people says", got, want)
		}
	}
	writes("people.csv", dataartsfake.UserCarol)
	w.edit("policy:\n", "people_csv: people.csv\npolicy:\n")
	w.startWith(app.Options{Watch: true})
	lenaIs("viewer", dataartsfake.UserCarol)
	writes("people.csv", dataartsfake.UserBob)
	w.said("a new policy is in force", 1)
	lenaIs("developer", dataartsfake.UserBob)

	// A file that is named before it is there is taken when it is.
	w.edit("people_csv: people.csv", "people_csv: others.csv")
	w.said("the new configuration is refused", 1)
	writes("others.csv", dataartsfake.UserCarol)
	w.said("a new policy is in force", 2)
	lenaIs("operator", dataartsfake.UserCarol)
}
