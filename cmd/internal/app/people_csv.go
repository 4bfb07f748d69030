package app

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"countersign/bot"
	"countersign/workflow"
)

// maxPeopleCSV bounds the file of people: a hundred thousand lines take a tenth of it.
const maxPeopleCSV = 64 << 20

// peopleColumns are the header of the file of people, and all that it may have.
var peopleColumns = []string{"slack", CompShare, DataArts}

// readPeopleCSV reads people from a file beside the configuration, and names every mistake in it with its line. They
// come after those of the configuration itself.
func (c *Config) readPeopleCSV(r *reader, n ast.Node) {
	path := r.text(n, "people_csv")
	if path == "" {
		r.fail(n, "people_csv", "a path is needed")
		return
	}
	path = under(filepath.Dir(c.File), path)
	c.PeopleCSV = path
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxPeopleCSV {
		err = fmt.Errorf("%s is larger than 64 MiB", path)
	}
	var src []byte
	if err == nil {
		src, err = os.ReadFile(path)
	}
	if err != nil {
		r.fail(n, "people_csv", "%v", err)
		return
	}
	rows := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(src, []byte("\ufeff")))) // as spreadsheets write it
	rows.FieldsPerRecord = len(peopleColumns)
	known := map[string]bool{}
	for _, p := range c.People {
		known[p.Slack] = true
	}
	for first := true; ; first = false {
		record, err := rows.Read()
		if errors.Is(err, io.EOF) {
			if first {
				r.wrong = append(r.wrong, fmt.Sprintf("%s:1: the file is empty; it begins with %s", path, strings.Join(peopleColumns, ",")))
			}
			return
		}
		if bad, ok := errors.AsType[*csv.ParseError](err); ok {
			r.wrong = append(r.wrong, fmt.Sprintf("%s:%d: %v", path, bad.Line, bad.Err))
			if errors.Is(err, csv.ErrFieldCount) && !first {
				continue
			}
			return // nothing that follows can be trusted
		}
		line, _ := rows.FieldPos(0)
		if first {
			if !slices.Equal(record, peopleColumns) {
				r.wrong = append(r.wrong, fmt.Sprintf("%s:%d: the columns must be %s", path, line, strings.Join(peopleColumns, ",")))
				return
			}
			continue
		}
		for _, text := range c.addPerson(record, known) {
			r.wrong = append(r.wrong, fmt.Sprintf("%s:%d: %s", path, line, text))
		}
	}
}

// addPerson takes one line of the file of people and says what is wrong with it.
func (c *Config) addPerson(record []string, known map[string]bool) (wrong []string) {
	p := bot.Person{Slack: record[0], IDs: map[string]string{}, From: workflow.FromCSV}
	switch {
	case !slackID.MatchString(p.Slack) || !strings.ContainsRune("UW", rune(p.Slack[0])):
		wrong = append(wrong, fmt.Sprintf("slack: %q is not a user ID, as in U0ALICE", p.Slack))
	case known[p.Slack]:
		wrong = append(wrong, fmt.Sprintf("slack: %s is there twice", p.Slack))
	}
	known[p.Slack] = true
	if id := record[1]; id != "" {
		if n, err := strconv.ParseUint(id, 10, 32); err != nil || n == 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %q is no company ID", CompShare, id))
		}
		p.IDs[CompShare] = id
	}
	if id := record[2]; id != "" {
		if !cloudID.MatchString(id) {
			wrong = append(wrong, fmt.Sprintf("%s: %q is no IAM user ID, 32 of a-z and 0-9", DataArts, id))
		}
		p.IDs[DataArts] = id
	}
	c.People = append(c.People, p)
	return wrong
}
