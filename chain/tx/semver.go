package tx

import (
	"cmp"
	"fmt"
	"strings"
)

// Semver is the version of a release: major.minor.patch and, if it is not final,
// a pre-release after a hyphen, as Semantic Versioning 2.0.0 has it. There is no
// build metadata, since two versions that compare as equal must be one.
type Semver struct {
	Major, Minor, Patch uint32
	Pre                 string // empty: final
}

// ParseSemver reads the one text form of a version; kind Malformed otherwise.
func ParseSemver(s string) (v Semver, err error) {
	bad := malformed(fmt.Sprintf("version %q is not like 1.2.3 or 1.2.3-rc.1", s))
	if len(s) > MaxName {
		return v, malformed("a version of more than 64 characters")
	}
	core, pre, hasPre := strings.Cut(s, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return v, bad
	}
	for i, into := range []*uint32{&v.Major, &v.Minor, &v.Patch} {
		n, ok := decimal(parts[i])
		if !ok {
			return Semver{}, bad
		}
		*into = n
	}
	if !hasPre {
		return v, nil
	}
	for id := range strings.SplitSeq(pre, ".") {
		if !validIdentifier(id) {
			return Semver{}, bad
		}
	}
	v.Pre = pre
	return v, nil
}

// Compare is negative if v is older than o, 0 if they are the same.
func (v Semver) Compare(o Semver) int {
	if c := cmp.Or(cmp.Compare(v.Major, o.Major), cmp.Compare(v.Minor, o.Minor), cmp.Compare(v.Patch, o.Patch)); c != 0 {
		return c
	}
	if v.Pre == "" || o.Pre == "" { // a final version is newer than its pre-releases
		return cmp.Compare(len(o.Pre), len(v.Pre))
	}
	a, b := strings.Split(v.Pre, "."), strings.Split(o.Pre, ".")
	for i := range min(len(a), len(b)) {
		if c := compareIdentifiers(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// compareIdentifiers puts numbers before names, numbers by value.
func compareIdentifiers(a, b string) int {
	x, y := digits(a), digits(b)
	switch {
	case x && y:
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) // neither has leading zeros
	case x:
		return -1
	case y:
		return 1
	default:
		return cmp.Compare(a, b)
	}
}

// decimal reads 0 to 4294967295 without leading zeros.
func decimal(s string) (uint32, bool) {
	if len(s) > 10 || !digits(s) || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n := uint64(0)
	for i := range len(s) {
		n = n*10 + uint64(s[i]-'0')
	}
	return uint32(n), n <= 1<<32-1
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func validIdentifier(s string) bool {
	if s == "" || digits(s) && len(s) > 1 && s[0] == '0' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return true
}
