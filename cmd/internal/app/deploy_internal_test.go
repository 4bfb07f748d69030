package app

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
)

const deploy = "../../countersign/deploy"

// metricNames are all metrics that an app has of its own.
func metricNames(t *testing.T) []string {
	t.Helper()
	m := newMetrics()
	var names []string
	name := regexp.MustCompile(`fqName: "(countersign_[a-z_]+)"`)
	for _, c := range append(m.own, &state{}, buildInfo()) {
		ch := make(chan *prometheus.Desc, 100)
		c.Describe(ch)
		close(ch)
		for d := range ch {
			if found := name.FindStringSubmatch(d.String()); found != nil {
				names = append(names, found[1])
			}
		}
	}
	if len(names) < 20 {
		t.Fatalf("only %d metrics: %v", len(names), names)
	}
	return names
}

// known demands that an expression names only metrics that there are.
func known(t *testing.T, names []string, where, expr string) {
	t.Helper()
	for _, used := range regexp.MustCompile(`countersign_[a-z_]+`).FindAllString(expr, -1) {
		base := used
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
		if !slices.Contains(names, base) {
			t.Errorf("%s: there is no metric %s", where, used)
		}
	}
	if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
		t.Errorf("%s: brackets do not match in %s", where, expr)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestDeploy_Alerts(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For string
				Labels           map[string]string
				Annotations      map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(read(t, "alerts.yaml"), &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	names := metricNames(t)
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) != 5 {
		t.Fatalf("want one group of five rules: %+v", file)
	}
	for _, r := range file.Groups[0].Rules {
		known(t, names, r.Alert, r.Expr)
		if r.Alert == "" || r.For == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("incomplete: %+v", r)
		}
	}
	if tool, err := exec.LookPath("promtool"); err == nil {
		if out, err := exec.CommandContext(t.Context(), tool, "check", "rules", filepath.Join(deploy, "alerts.yaml")).CombinedOutput(); err != nil {
			t.Errorf("promtool: %v\n%s", err, out)
		}
	}
}

func TestDeploy_Dashboard(t *testing.T) {
	var d struct {
		UID, Title string
		Panels     []struct {
			ID      int
			Title   string
			GridPos struct{ H, W, X, Y int }
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(read(t, "grafana.json"), &d); err != nil {
		t.Fatal(err)
	}
	names := metricNames(t)
	shown := ""
	for i, p := range d.Panels {
		if p.ID != i+1 || p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d: %+v", i, p)
		}
		for _, target := range p.Targets {
			known(t, names, p.Title, target.Expr)
			shown += target.Expr + " "
		}
	}
	for _, n := range names {
		if !strings.Contains(shown, n) && !slices.Contains([]string{"countersign_slack_connected", "countersign_store_failed"}, n) {
			t.Errorf("no panel shows %s", n)
		}
	}
}
