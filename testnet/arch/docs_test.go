package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	code     = regexp.MustCompile("`([^`\n]+)`")
	link     = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	pathForm = regexp.MustCompile(`^(chain|node|p2p|mqttbridge|deviceos|hbus|wallet|sdk|testnet|docs|\.ci)/[\w./-]+$`)
	goal     = regexp.MustCompile(`(?m)^([a-z]+):`)
	program  = regexp.MustCompile(`^(hosd|hos|hos-[a-z]+|hbusd|hbus)( |$)`)
)

// named gives what a document says there is: paths, make targets, programs.
func named(text string) (paths, goals, programs []string) {
	for _, m := range code.FindAllStringSubmatch(text, -1) {
		word := m[1]
		switch {
		case pathForm.MatchString(word):
			paths = append(paths, word)
		case strings.HasPrefix(word, "make "):
			goals = append(goals, strings.Fields(word)[1])
		case program.MatchString(word):
			programs = append(programs, strings.Fields(word)[0])
		}
	}
	return paths, goals, programs
}

func TestDocs_NameWhatIsThere(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root(t), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range goal.FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	checked := 0
	for _, doc := range tracked(t, ".md") {
		raw, err := os.ReadFile(filepath.Join(root(t), doc))
		if err != nil {
			t.Fatal(err)
		}
		paths, goals, programs := named(string(raw))
		for _, p := range paths {
			checked++
			if doc == "docs/spec/hbus.md" && strings.HasPrefix(p, "hbus/") {
				continue // the bus's own events are named so
			}
			if _, err := os.Stat(filepath.Join(root(t), p)); err != nil {
				t.Errorf("%s names %s, which is not there", doc, p)
			}
		}
		for _, g := range goals {
			if !targets[g] {
				t.Errorf("%s names make %s, which is no target", doc, g)
			}
		}
		for _, p := range programs {
			if found, err := filepath.Glob(filepath.Join(root(t), "*/cmd", p)); err != nil || len(found) != 1 {
				t.Errorf("%s names the program %s, which is not there", doc, p)
			}
		}
		for _, m := range link.FindAllStringSubmatch(string(raw), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root(t), filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", doc, m[1])
			}
		}
	}
	if checked < 50 {
		t.Fatalf("only %d paths were checked", checked)
	}
}

func TestDocs_ReadingCanFail(t *testing.T) {
	paths, goals, programs := named("see `chain/nowhere` and `make nothing`, `hos-none run`, but not `x.y` or `a/b`")
	if len(paths) != 1 || len(goals) != 1 || len(programs) != 1 {
		t.Fatalf("read %v %v %v", paths, goals, programs)
	}
}

// TestDocs_EveryFolderHasAPlace holds the floor plan to the tree: each folder
// with code is named in ARCHITECTURE.md, or lies below one that is.
func TestDocs_EveryFolderHasAPlace(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root(t), "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	paths, _, _ := named(string(raw))
	for _, p := range list(t, "./...") {
		ok := strings.Contains(string(raw), "`"+strings.SplitN(p.path(), "/", 2)[0]+"`")
		for _, n := range paths {
			ok = ok || under(p.path(), n)
		}
		if !ok {
			t.Errorf("ARCHITECTURE.md has no place for %s", p.path())
		}
	}
}
