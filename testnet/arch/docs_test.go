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
	fence    = regexp.MustCompile("(?ms)^```\\w*\n(.*?)^```")
	call     = regexp.MustCompile(`(?m)(?:^|[\s/:$])((?:hosd|hos|hos-[a-z]+|hbusd|hbus)(?: [^\s#]+)+)`)
	goalCall = regexp.MustCompile(`(?m)(?:^|\$ )make ([a-z]+)`)
	verb     = regexp.MustCompile(`^[a-z][a-z-]*$`)
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
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		for _, m := range goalCall.FindAllStringSubmatch(block[1], -1) {
			goals = append(goals, m[1])
		}
	}
	return paths, goals, programs
}

// calls gives the command lines of our programs that a document shows.
func calls(text string) (lines []string) {
	for _, m := range code.FindAllStringSubmatch(text, -1) {
		if strings.Contains(m[1], " ") && program.MatchString(m[1]) {
			lines = append(lines, m[1])
		}
	}
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		for _, m := range call.FindAllStringSubmatch(block[1], -1) {
			lines = append(lines, m[1])
		}
	}
	return lines
}

// unknown gives the verbs and flags of a command line that the sources of its
// program do not have as a string.
func unknown(line, sources string) (bad []string) {
	words := strings.Fields(line)[1:]
	verbs := true
	for _, w := range words {
		flag, is := strings.CutPrefix(w, "--")
		flag, _, _ = strings.Cut(flag, "=")
		verbs = verbs && verb.MatchString(w)
		if is && !strings.Contains(sources, `"`+flag+`"`) || verbs && !regexp.MustCompile(`"`+w+`[ "]`).MatchString(sources) {
			bad = append(bad, w)
		}
	}
	return bad
}

func TestDocs_ShowCommandsThatAreThere(t *testing.T) {
	sources := map[string]string{} // of each top folder
	for _, f := range tracked(t, ".go") {
		raw, err := os.ReadFile(filepath.Join(root(t), f))
		if err != nil {
			t.Fatal(err)
		}
		if top, _, _ := strings.Cut(f, "/"); !strings.HasSuffix(f, "_test.go") {
			sources[top] += string(raw)
		}
	}
	checked := 0
	for _, doc := range tracked(t, ".md") {
		raw, err := os.ReadFile(filepath.Join(root(t), doc))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range calls(string(raw)) {
			found, err := filepath.Glob(filepath.Join(root(t), "*/cmd", strings.Fields(line)[0]))
			if err != nil || len(found) != 1 {
				t.Errorf("%s shows %q, and there is no such program", doc, line)
				continue
			}
			checked++
			top := filepath.Base(filepath.Dir(filepath.Dir(found[0])))
			for _, w := range unknown(line, sources[top]) {
				t.Errorf("%s shows %q, and nothing in %s is called %s", doc, line, top, w)
			}
		}
	}
	if checked < 40 {
		t.Fatalf("only %d command lines were checked", checked)
	}
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
	shown := calls("run `hos key new` or\n```\n$ bin/hos-testnet up --none   # text\nowner$ hos door open dev1\nhos-lock    the bolt\n```\n")
	if len(shown) != 3 || shown[1] != "hos-testnet up --none" {
		t.Fatalf("read %q", shown)
	}
	sources := `Use: "up", "key FILE", StringVar(&f, "home", "")`
	for line, bad := range map[string]int{"x up --home d": 0, "x key NAME": 0, "x down": 1, "x up --nome=d": 1, "x key none": 1} {
		if got := unknown(line, sources); len(got) != bad {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// TestDocs_SpecsAreInTheIndex wants each specification in the list of all, and
// each file of docs in a document that people start from.
func TestDocs_SpecsAreInTheIndex(t *testing.T) {
	read := func(path string) string {
		raw, err := os.ReadFile(filepath.Join(root(t), path))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	index, start := read("docs/spec/README.md"), read("README.md")+read("ARCHITECTURE.md")
	for _, doc := range tracked(t, ".md") {
		dir, name := filepath.Split(doc)
		switch {
		case dir == "docs/spec/" && name != "README.md" && !strings.Contains(index, "("+name+")"):
			t.Errorf("%s is not in docs/spec/README.md", doc)
		case dir == "docs/" && !strings.Contains(start, doc):
			t.Errorf("%s is named neither in README.md nor in ARCHITECTURE.md", doc)
		}
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
