package msg

import "strings"

// Reserved is the app name of the broker itself: its events are
// "hbus/joined", "hbus/left", "hbus/registered" and "hbus/unregistered".
const Reserved = "hbus"

// segment: [a-z0-9] then [a-z0-9_.-]*. Only lower case, so that no two names
// look alike, and no separator of any other face.
func segment(s string) bool {
	if s == "" || len(s) > MaxApp || !alnum(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; !alnum(c) && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func alnum(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// CheckApp refuses an app name outside [a-z0-9][a-z0-9_.-]*, at most MaxApp
// bytes.
func CheckApp(s string) error {
	if !segment(s) {
		return Refuse(BadName, "app %.80q", s)
	}
	return nil
}

// CheckEndpoint refuses an endpoint name outside [a-z0-9][a-z0-9_.-]*, at most
// MaxEndpoint bytes.
func CheckEndpoint(s string) error {
	if !segment(s) {
		return Refuse(BadName, "endpoint %.80q", s)
	}
	return nil
}

// CheckMethod refuses a method that is not "<app>/<method>".
func CheckMethod(s string) error {
	app, m, ok := strings.Cut(s, "/")
	if !ok || len(s) > MaxName || !segment(app) || !segment(m) {
		return Refuse(BadName, "method %.80q", s)
	}
	return nil
}

// CheckEvent refuses an event name that is not "<app>/<part>[/<part>…]" of at
// most MaxSegments parts.
func CheckEvent(s string) error {
	if !event(s) {
		return Refuse(BadName, "event %.80q", s)
	}
	return nil
}

func event(s string) bool {
	if len(s) > MaxName {
		return false
	}
	n := 0
	for rest, more := s, true; more; n++ {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		if !segment(part) {
			return false
		}
	}
	return n >= 2 && n <= MaxSegments
}

// CheckPattern refuses what is neither an event name, nor "*", nor one or more
// parts followed by "/*".
func CheckPattern(s string) error {
	if s == "*" || event(s) {
		return nil
	}
	if p, ok := strings.CutSuffix(s, "/*"); ok && (segment(p) || event(p)) {
		return nil
	}
	return Refuse(BadName, "pattern %.80q", s)
}

// App returns the app part of a method or event name.
func App(name string) string {
	app, _, _ := strings.Cut(name, "/")
	return app
}

// Match tells whether an event name falls under a pattern. Both must be sound.
func Match(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}
