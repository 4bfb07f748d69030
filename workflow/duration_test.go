package workflow_test

import (
	"strings"
	"testing"
	"time"

	"countersign/workflow"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"1s": time.Second, "90m": 90 * time.Minute, "24h": day, "7d": 7 * day, "1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute,
		"0.5d": 12 * time.Hour, "1d1h1m1s": day + time.Hour + time.Minute + time.Second, "0.000000015s": 15, "2.3s": 2300 * time.Millisecond,
		"36500d": 36500 * day, ".5s": 500 * time.Millisecond, "0h1s": time.Second,
	} {
		if got, err := workflow.ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "0s", "0", "5", "-1h", "+1h", "1w", "1 h", " 1h", "h", "1.h.", "1..5h", ".", "1e3s", "0.0000000001s", "99999999999d",
		"53375d53375d", "1h2", "１h", "1ｈ", "1H", "NaNs", "1h-", strings.Repeat("9", 400) + "s",
	} {
		if got, err := workflow.ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		30 * day: "30d", 36 * time.Hour: "1d12h", 90 * time.Minute: "1h30m", 1500 * time.Millisecond: "1.5s", 0: "0s", time.Minute: "1m",
	} {
		if got := workflow.FormatDuration(d); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"1d12h", "0.000000003s", "53375d", "106751.99116d", "2.675s", "1h1h1h", "9223372036854775807s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := workflow.ParseDuration(s)
		if err != nil {
			return
		}
		if d <= 0 {
			t.Fatalf("%q is %v", s, d)
		}
		text := workflow.FormatDuration(d)
		if again, err := workflow.ParseDuration(text); err != nil || again != d {
			t.Fatalf("%q is %d, written as %q, which is %d, %v", s, d, text, again, err)
		}
	})
}
