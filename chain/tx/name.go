package tx

// ValidName reports whether s can name an endpoint or a method: 1 to MaxName
// bytes of a-z, 0-9, '_', '-' and '.', so that names look the same in every
// log, topic and terminal.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// validModel allows printable ASCII, since a model is shown but never matched.
func validModel(s string) bool {
	if s == "" || len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
