package compshare

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status is how a company stands to a team, in lower case: docs.ucloud.cn writes Joined, compshare.cn joined. A text
// that the vendor does not document is kept as it is.
type Status string

// The documented states of a relation, and that of having none.
const (
	Absent   Status = "absent"
	Pending  Status = "pending"
	Joined   Status = "joined"
	Rejected Status = "rejected"
	Canceled Status = "canceled"
)

// Member is one relation of a team: a row of TeamRelation in GetCompShareTeamInfo, of JoinedTeams or of Invites.
type Member struct {
	Team    uint32    `json:"team"`
	Company uint32    `json:"company"`
	Virtual uint32    `json:"virtual,omitempty"` // the account made for a member that has joined
	Status  Status    `json:"status"`
	Remark  string    `json:"remark,omitempty"`
	Created time.Time `json:"created,omitzero"` // when the invitation was made
	// TeamName is the vendor's name of the team, untrusted.
	TeamName string `json:"team_name,omitempty"`
}

// row is a relation as the vendor writes it, alike in its three lists.
type row struct {
	Team    number `json:"TeamId"`
	Company number `json:"UserCompanyId"`
	Virtual number `json:"VirtualCompanyId"`
	Status  string `json:"Status"`
	Remark  string `json:"RemarkName"`
	Created number `json:"CreateTime"`
	Name    string `json:"TeamName"`
}

func (p *Provider) member(r row) Member {
	m := Member{
		Team: r.Team.id(), Company: r.Company.id(), Virtual: r.Virtual.id(),
		Status: Status(strings.ToLower(p.keys.text(r.Status))), Remark: r.Remark, TeamName: r.Name,
	}
	if m.Status == "" || m.Status == Absent {
		m.Status = "unknown" // a row without a status is still a row
	}
	if r.Created > 0 {
		m.Created = time.Unix(int64(r.Created), 0).UTC()
	}
	return m
}

// state is the canonical text of a membership: its status, when the invitation was made (which tells a new one from an
// old one), and its remark.
func (m Member) state() string {
	parts := []string{string(m.Status)}
	if !m.Created.IsZero() {
		parts = append(parts, "since "+m.Created.Format(time.RFC3339))
	}
	if m.Remark != "" {
		parts = append(parts, fmt.Sprintf("remark %q", m.Remark))
	}
	return strings.Join(parts, ", ")
}

func (m Member) json() json.RawMessage {
	text, err := json.Marshal(m)
	if err != nil {
		return nil // numbers, texts and a time of this era always encode
	}
	return text
}

// present is the one row that counts, of all that a company may have in a team: whether a second invitation replaces
// the first row is not documented. A live one counts before one of the past, then the newest.
func present(rows []Member) Member {
	if len(rows) == 0 {
		return Member{Status: Absent}
	}
	return slices.MaxFunc(rows, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Status.rank(), b.Status.rank()), a.Created.Compare(b.Created))
	})
}

func (s Status) rank() int {
	switch s {
	case Joined:
		return 3
	case Pending:
		return 2
	case Rejected, Canceled:
		return 0
	default:
		return 1
	}
}
