package state

import (
	"os"
	"regexp"
	"testing"
)

// Every kind of key has its row, so that nothing in a ledger is left out of its
// export.
func TestDescribe_KnowsEveryKey(t *testing.T) {
	src, err := os.ReadFile("layout.go")
	if err != nil {
		t.Fatal(err)
	}
	prefixes := regexp.MustCompile(`(?m)^\s+prefix\w+\s+= '(.)'$`).FindAllSubmatch(src, -1)
	if len(prefixes) < 11 {
		t.Fatalf("%d prefixes in layout.go", len(prefixes))
	}
	known := make(map[byte]bool)
	names := make(map[string]bool)
	for _, r := range records {
		if names[r.name] {
			t.Errorf("two rows are named %s", r.name)
		}
		known[r.prefix], names[r.name] = true, true
	}
	for _, p := range prefixes {
		if !known[p[1][0]] {
			t.Errorf("keys with %q have no row in the list of describe.go", p[1])
		}
	}
}

func TestDescribe_Refuses(t *testing.T) {
	for name, c := range map[string]struct{ key, value []byte }{
		"no key":         {nil, []byte{0xa0}},
		"unknown key":    {[]byte("?x"), []byte{0xa0}},
		"member alone":   {[]byte{prefixDevice}, []byte{0xa0}},
		"no record":      {append([]byte{prefixDevice}, make([]byte, 20)...), []byte{0xff}},
		"no transaction": {append([]byte{prefixRecovery}, make([]byte, 28)...), []byte{0xa0}},
	} {
		if n, r, err := Describe(c.key, c.value); err == nil {
			t.Errorf("%s: %s, %v", name, n, r)
		}
	}
}
