package draft

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// Terms is what narrows a grant beyond methods and times. The zero value does
// not.
type Terms struct {
	Windows []tx.Window
	Zone    string
	Uses    uint64
	Rate    *tx.Rate
	Depth   uint8
}

var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// ParseWindow reads windows as people write them: days, hours, and the time zone
// if it is said: "mon-fri,sun 08:00-18:00 Europe/Berlin", "daily 22:00-06:00".
// Hours over midnight become two windows, the second on the next day.
func ParseWindow(s string) (windows []tx.Window, zone string, err error) {
	fields := strings.Fields(s)
	if len(fields) != 2 && len(fields) != 3 {
		return nil, "", badWindow(s, "want days, hours and a time zone")
	}
	days, ok := parseDays(strings.ToLower(fields[0]))
	if !ok {
		return nil, "", badWindow(s, "the days are mon to sun, as in mon-wed,sat, or daily")
	}
	from, to, _ := strings.Cut(fields[1], "-")
	f, okFrom := parseClock(from)
	t, okTo := parseClock(to)
	if !okFrom || !okTo || f == t || f == 24*60 {
		return nil, "", badWindow(s, "the hours are as in 08:00-18:00")
	}
	if len(fields) == 3 {
		if zone = fields[2]; !tx.ValidZone(zone) {
			return nil, "", badWindow(s, "the time zone is as in Europe/Berlin")
		}
	}
	for _, d := range days {
		if f < t {
			windows = append(windows, tx.Window{Day: d, From: f, To: t})
			continue
		}
		windows = append(windows, tx.Window{Day: d, From: f, To: 24 * 60})
		if t > 0 {
			windows = append(windows, tx.Window{Day: d%7 + 1, From: 0, To: t})
		}
	}
	return windows, zone, nil
}

func badWindow(s, why string) error {
	return fmt.Errorf("%.80q is no window of the week: %s, for instance \"mon-fri 08:00-18:00 Europe/Berlin\"", s, why)
}

func parseDays(s string) (days []uint8, ok bool) {
	if s == "daily" {
		return []uint8{1, 2, 3, 4, 5, 6, 7}, true
	}
	for part := range strings.SplitSeq(s, ",") {
		first, last, span := strings.Cut(part, "-")
		if !span {
			last = first
		}
		a, b := slices.Index(weekdays, first), slices.Index(weekdays, last)
		if a < 0 || b < 0 {
			return nil, false
		}
		for d := a; ; d = (d + 1) % 7 { // sat-mon goes over the end of the week
			days = append(days, uint8(d+1))
			if d == b {
				break
			}
		}
	}
	return days, true
}

// parseClock reads a time of day in minutes, up to 24:00.
func parseClock(s string) (uint16, bool) {
	if s == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", s)
	return uint16(t.Hour()*60 + t.Minute()), err == nil
}

// ParseRate reads a rate as people write it: "5/1h".
func ParseRate(s string) (*tx.Rate, error) {
	count, span, ok := strings.Cut(s, "/")
	n, err := strconv.ParseUint(count, 10, 16)
	d, spanErr := time.ParseDuration(span)
	if !ok || err != nil || spanErr != nil || n == 0 || n > tx.MaxRate || d < time.Second || d%time.Second != 0 || d > tx.MaxPeriod*time.Second {
		return nil, fmt.Errorf("%.40q is no rate: want a count of 1 to %d in a time of 1s to %dh, for instance 5/1h", s, tx.MaxRate, tx.MaxPeriod/3600)
	}
	return &tx.Rate{Count: uint16(n), Period: uint32(d / time.Second)}, nil
}
