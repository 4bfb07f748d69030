package workflow

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// day is 24 hours, whatever the calendar says.
const day = 24 * time.Hour

// maxDuration is more than a century; the sum of two does not overflow.
const maxDuration = math.MaxInt64 / 2

// ParseDuration reads a duration as people type it: whole or decimal numbers with the units s, m, h and d, as in 90m,
// 24h, 7d or 1d12h. It must be above zero.
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no duration: write a number and s, m, h or d, as in 90m, 24h or 7d", s)
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': day}
	var total time.Duration
	for rest := s; rest != ""; {
		i := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if i <= 0 || units[rest[i]] == 0 {
			return 0, bad
		}
		n, err := strconv.ParseFloat(rest[:i], 64)
		part := math.Round(n * float64(units[rest[i]]))
		if err != nil || part > maxDuration || total+time.Duration(part) > maxDuration {
			return 0, bad
		}
		total += time.Duration(part)
		rest = rest[i+1:]
	}
	if total <= 0 {
		return 0, bad
	}
	return total, nil
}

// FormatDuration writes a duration as ParseDuration reads it, largest unit first.
func FormatDuration(d time.Duration) string {
	var b strings.Builder
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.unit
		}
	}
	if d > 0 || b.Len() == 0 {
		b.WriteString(strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s")
	}
	return b.String()
}
