package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"countersign/cmd/internal/app"
)

// at walks a decoded document by keys and indexes.
func at(t *testing.T, doc any, path ...any) any {
	t.Helper()
	for i, p := range path {
		switch key := p.(type) {
		case string:
			m, _ := doc.(map[string]any)
			doc = m[key]
		case int:
			list, _ := doc.([]any)
			if key >= len(list) {
				t.Fatalf("nothing at %v", path[:i+1])
			}
			doc = list[key]
		}
	}
	return doc
}

func deployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// kubernetes reads a file of objects, by their kind, and the configuration in it.
func kubernetes(t *testing.T, file string) (map[string]any, *app.Config) {
	t.Helper()
	objects := map[string]any{}
	for doc := range strings.SplitSeq(deployed(t, file), "\n---\n") {
		var o any
		if err := yaml.UnmarshalWithOptions([]byte(doc), &o, yaml.Strict()); err != nil {
			t.Fatal(err)
		}
		if at(t, o, "metadata", "namespace") != "countersign" {
			t.Errorf("%v is in no namespace", at(t, o, "kind"))
		}
		objects[fmt.Sprint(at(t, o, "kind"))] = o
	}
	config := fmt.Sprint(at(t, objects["ConfigMap"], "data", "countersign.yaml"))
	cfg, err := app.ParseConfig("/etc/countersign/countersign.yaml", []byte(config))
	if err != nil {
		t.Fatalf("the configuration in it: %v", err)
	}
	harmless(t, cfg)
	if !strings.HasSuffix(cfg.Ops.Listen, ":9090") {
		t.Errorf("ops.listen: %s", cfg.Ops.Listen)
	}
	hardened(t, objects)
	return objects, cfg
}

// harmless demands of an example, which somebody will run as it is, that check has nothing to warn of.
func harmless(t *testing.T, cfg *app.Config) {
	t.Helper()
	if len(cfg.Warnings) > 0 || len(cfg.Rules) == 0 {
		t.Errorf("an example with %d rules, of which check warns:\n%s", len(cfg.Rules), strings.Join(cfg.Warnings, "\n"))
	}
}

// examples are the whole configurations in a page.
func examples(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(m[1], "\npolicy:") {
			found = append(found, m[1])
		}
	}
	return found
}

func TestReadme_Examples(t *testing.T) {
	all := examples(t, "../../README.md")
	if len(all) == 0 {
		t.Fatal("there are none")
	}
	for _, text := range all {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "people.csv"), []byte("slack,compshare,dataarts\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := app.ParseConfig(filepath.Join(dir, "countersign.yaml"), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		harmless(t, cfg)
	}
}

// TestReadme_KnowsEveryKeyAndFlag: its reference has each key that a configuration may have, and each flag of a subcommand.
func TestReadme_KnowsEveryKeyAndFlag(t *testing.T) {
	const odd = "{odd: 1}"
	_, err := app.ParseConfig("f", []byte("odd: 1\nslack: "+odd+"\nstore: {odd: 1, postgres: "+odd+"}\nops: "+odd+"\naudit: "+odd+
		"\nsystems: ["+odd+"]\npeople: ["+odd+"]\npolicy: [{odd: 1, approvers: ["+odd+"]}]"))
	known := regexp.MustCompile(`odd: there is no such key; known here: (.*)`).FindAllStringSubmatch(fmt.Sprint(err), -1)
	if len(known) != 10 {
		t.Fatalf("%d mappings are known: %v", len(known), err)
	}
	reference := strings.Join(examples(t, "../../README.md"), "")
	for _, m := range known {
		for key := range strings.SplitSeq(m[1], ", ") {
			if !regexp.MustCompile(`(?m)\b` + key + `:( |$)`).MatchString(reference) {
				t.Errorf("the reference lacks the key %s of %s", key, m[1])
			}
		}
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands() {
		line := regexp.MustCompile(`(?m)^countersign (?:\w+ \| )*` + c.name + `\b.*`).FindString(string(text))
		if line == "" {
			t.Errorf("no line on %s", c.name)
		}
		for _, f := range flagsOf(c) {
			if f.Name != "config" && !strings.Contains(line, "--"+f.Name+" ") && !strings.Contains(line, "--"+f.Name+"]") {
				t.Errorf("%q lacks --%s", line, f.Name)
			}
		}
	}
}

// wants holds what a file says against what it must say.
type wants []struct {
	got  any
	want string
}

func (list wants) check(t *testing.T) {
	t.Helper()
	for _, w := range list {
		if got := fmt.Sprint(w.got); got != w.want {
			t.Errorf("it says %s, want %s", got, w.want)
		}
	}
}

func TestDeploy_Kubernetes(t *testing.T) {
	objects, cfg := kubernetes(t, "kubernetes.yaml")
	d := objects["Deployment"]
	wants{
		{at(t, d, "spec", "replicas"), "1"},
		{at(t, d, "spec", "strategy", "type"), "Recreate"},
		{at(t, objects["PersistentVolumeClaim"], "spec", "accessModes"), "[ReadWriteOncePod]"},
	}.check(t)
	if !strings.HasPrefix(cfg.Store.Bolt, "/data/") || !strings.HasPrefix(cfg.Ops.Socket, "/data/") {
		t.Errorf("paths: %+v %+v", cfg.Store, cfg.Ops)
	}
}

func TestDeploy_KubernetesReplicas(t *testing.T) {
	objects, cfg := kubernetes(t, "kubernetes-replicas.yaml")
	d := objects["Deployment"]
	pod := at(t, d, "spec", "template", "spec")
	spread := at(t, pod, "topologySpreadConstraints", 0)
	budget := at(t, objects["PodDisruptionBudget"], "spec")
	wants{
		{at(t, d, "spec", "replicas"), "3"},
		{at(t, d, "spec", "strategy", "type"), "RollingUpdate"},
		{at(t, d, "spec", "strategy", "rollingUpdate", "maxUnavailable"), "1"},
		{at(t, budget, "maxUnavailable"), "1"},
		{at(t, budget, "selector", "matchLabels", "app"), "countersign"},
		{at(t, spread, "topologyKey"), "kubernetes.io/hostname"},
		{at(t, spread, "whenUnsatisfiable"), "DoNotSchedule"},
		{at(t, spread, "labelSelector", "matchLabels", "app"), "countersign"},
		{at(t, objects["NetworkPolicy"], "spec", "egress", 1, "ports", 0, "port"), "5432"},
	}.check(t)
	if objects["PersistentVolumeClaim"] != nil {
		t.Error("replicas share no volume")
	}
	if cfg.Store.DSNEnv != app.DatabaseEnv || cfg.Store.Bolt != "" || !strings.HasPrefix(cfg.Ops.Socket, "/run/countersign/") {
		t.Errorf("store and socket: %+v %+v", cfg.Store, cfg.Ops)
	}
	for _, v := range at(t, pod, "volumes").([]any) {
		if at(t, v, "name") == "run" && at(t, v, "emptyDir") == nil {
			t.Error("the socket is in no directory of its own")
		}
	}
	env := named(at(t, pod, "containers", 0, "env"))
	if !slices.Contains(env, app.DatabaseEnv+"_FILE") {
		t.Errorf("no connection string in %v", env)
	}
}

// hardened demands of either variant that it asks for no right that it does not need, and that its parts fit together.
func hardened(t *testing.T, objects map[string]any) {
	t.Helper()
	d := objects["Deployment"]
	pod := at(t, d, "spec", "template", "spec")
	box := at(t, pod, "containers", 0)
	wants{
		{at(t, pod, "automountServiceAccountToken"), "false"},
		{at(t, pod, "terminationGracePeriodSeconds"), "20"},
		{at(t, pod, "securityContext", "runAsNonRoot"), "true"},
		{at(t, pod, "securityContext", "runAsUser"), "65532"},
		{at(t, pod, "securityContext", "seccompProfile", "type"), "RuntimeDefault"},
		{at(t, box, "securityContext", "readOnlyRootFilesystem"), "true"},
		{at(t, box, "securityContext", "allowPrivilegeEscalation"), "false"},
		{at(t, box, "securityContext", "capabilities", "drop"), "[ALL]"},
		{at(t, box, "livenessProbe", "httpGet", "path"), "/healthz"},
		{at(t, box, "readinessProbe", "httpGet", "path"), "/readyz"},
		{at(t, objects["NetworkPolicy"], "spec", "policyTypes"), "[Ingress Egress]"},
		{at(t, objects["NetworkPolicy"], "spec", "podSelector", "matchLabels", "app"), "countersign"},
		{at(t, d, "spec", "selector", "matchLabels", "app"), "countersign"},
		{at(t, d, "spec", "template", "metadata", "labels", "app"), "countersign"},
	}.check(t)
	volumes, mounts := named(at(t, pod, "volumes")), named(at(t, box, "volumeMounts"))
	if !slices.Equal(volumes, mounts) {
		t.Errorf("volumes %v, mounts %v", volumes, mounts)
	}
	serves(t, at(t, box, "args"))
	for _, e := range at(t, box, "env").([]any) {
		secretFile(t, fmt.Sprint(at(t, e, "name")))
	}
}

func named(list any) []string {
	var names []string
	for _, v := range list.([]any) {
		names = append(names, fmt.Sprint(v.(map[string]any)["name"]))
	}
	slices.Sort(names)
	return names
}

// serves demands that a command line is one that this program takes.
func serves(t *testing.T, list any) {
	t.Helper()
	var args []string
	for _, a := range list.([]any) {
		args = append(args, fmt.Sprint(a))
	}
	known := flagsOf(commands()[0])
	for i, a := range args {
		if name, ok := strings.CutPrefix(a, "--"); ok && !slices.ContainsFunc(known, func(f *flag.Flag) bool { return f.Name == name }) || i == 0 && a != "serve" {
			t.Errorf("%v: serve has no %s", args, a)
		}
	}
}

// secretFile demands that an environment variable is one that the program reads.
func secretFile(t *testing.T, name string) {
	t.Helper()
	if !slices.Contains([]string{
		"SLACK_BOT_TOKEN_FILE", "SLACK_APP_TOKEN_FILE", "SLACK_SIGNING_SECRET_FILE", "COMPSHARE_PUBLIC_KEY_FILE",
		"COMPSHARE_PRIVATE_KEY_FILE", "CLOUD_SDK_AK_FILE", "CLOUD_SDK_SK_FILE", "COUNTERSIGN_DATABASE_URL_FILE",
	}, name) {
		t.Errorf("nobody reads %s", name)
	}
}

func TestDeploy_Compose(t *testing.T) {
	c := compose(t, "compose.yaml")
	if got := fmt.Sprint(at(t, c, "services", "countersign", "ports")); got != "[127.0.0.1:9090:9090]" {
		t.Errorf("it publishes %s", got)
	}
}

func TestDeploy_ComposeReplicas(t *testing.T) {
	c := compose(t, "compose-replicas.yaml")
	s := at(t, c, "services", "countersign")
	wants{
		{at(t, s, "deploy", "replicas"), "3"},
		{at(t, s, "depends_on", "postgres", "condition"), "service_healthy"},
		{at(t, s, "environment", "COUNTERSIGN_DATABASE_URL_FILE"), "/run/secrets/database_url"},
	}.check(t)
	if s.(map[string]any)["ports"] != nil {
		t.Error("three replicas cannot publish one port")
	}
	if at(t, c, "secrets", "postgres_password") == nil || at(t, c, "services", "postgres", "healthcheck") == nil {
		t.Error("the server has no password, or nobody waits for it")
	}
}

// compose reads a file for Docker Compose, and demands of it what every one must say.
func compose(t *testing.T, file string) any {
	t.Helper()
	var c any
	if err := yaml.UnmarshalWithOptions([]byte(deployed(t, file)), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	s := at(t, c, "services", "countersign")
	for path, want := range map[string]string{"read_only": "true", "cap_drop": "[ALL]", "user": "65532:65532", "stop_grace_period": "20s"} {
		if got := fmt.Sprint(at(t, s, path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	serves(t, at(t, s, "command"))
	build := filepath.Join("deploy", fmt.Sprint(at(t, s, "build")), "Dockerfile")
	if _, err := os.Stat(build); err != nil {
		t.Errorf("it builds from where there is no Dockerfile: %v", err)
	}
	given := at(t, c, "secrets").(map[string]any)
	for name, file := range at(t, s, "environment").(map[string]any) {
		secretFile(t, name)
		secret := strings.TrimPrefix(fmt.Sprint(file), "/run/secrets/")
		if given[secret] == nil || !slices.Contains(at(t, s, "secrets").([]any), any(secret)) {
			t.Errorf("%s names a secret that is not given: %s", name, secret)
		}
	}
	return c
}

func TestDeploy_Systemd(t *testing.T) {
	unit := deployed(t, "countersign.service")
	for _, want := range []string{
		"NoNewPrivileges=true", "ProtectSystem=strict", "CapabilityBoundingSet=\n", "SystemCallFilter=@system-service",
		"ExecReload=/bin/kill -HUP $MAINPID", "TimeoutStopSec=20", "RestartPreventExitStatus=2", "StateDirectory=countersign",
	} {
		if !strings.Contains(unit, want) {
			t.Errorf("the unit lacks %q", want)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^Environment=(\w+)=%d/(\w+)$`).FindAllStringSubmatch(unit, -1) {
		secretFile(t, m[1])
		if !strings.Contains(unit, "LoadCredential="+m[2]+":") {
			t.Errorf("%s is not loaded", m[2])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^Exec\w+=/usr/local/bin/countersign (.*)$`).FindAllStringSubmatch(unit, -1) {
		if !strings.HasPrefix(m[1], "serve --config ") && !strings.HasPrefix(m[1], "check --config ") {
			t.Errorf("there is no such command line: %s", m[1])
		}
	}
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not there: only the text was looked at")
	}
	// The program is not installed here, so that another stands in for it.
	copied := filepath.Join(t.TempDir(), "countersign.service")
	if err := os.WriteFile(copied, []byte(strings.ReplaceAll(unit, "/usr/local/bin/countersign", "/bin/true")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify", copied}, {"security", "--offline=true", "--threshold=15", copied}} {
		out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
		if err != nil {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}
