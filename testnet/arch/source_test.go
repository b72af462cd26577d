package arch

import (
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Limits of the conventions.
const (
	maxMain     = 60
	maxFunction = 100
	maxFile     = 800
)

func root(t *testing.T) string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(filepath.Dir(wd))
}

// tracked lists the project's files with an ending: what git tracks, and what it
// does not track yet but does not ignore either.
func tracked(t *testing.T, ext string) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*"+ext)
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var files []string
	for f := range strings.Lines(string(out)) {
		f = strings.TrimSpace(f)
		if _, err := os.Stat(filepath.Join(root(t), f)); err == nil { // not one that is about to go
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		t.Fatalf("no %s files", ext)
	}
	return files
}

// source is one parsed file.
type source struct {
	path string
	text string
	fset *token.FileSet
	file *ast.File
}

func parse(t *testing.T, path, text string) source {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return source{path: path, text: text, fset: fset, file: f}
}

func (s source) lines(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

// checks are the rules for one file; each gives what is wrong, or nothing.
var checks = map[string]func(source) []string{
	"formatted":     formatted,
	"length":        length,
	"functions":     functions,
	"exported":      exported,
	"imports":       imports,
	"no init":       noInit,
	"nothing open":  nothingOpen,
	"no sleep":      noSleep,
	"no dot import": noDotImport,
}

func formatted(s source) []string {
	out, err := format.Source([]byte(s.text))
	if err != nil || string(out) != s.text {
		return []string{"is not formatted"}
	}
	return nil
}

func length(s source) []string {
	n := strings.Count(s.text, "\n")
	if filepath.Base(s.path) == "main.go" && s.file.Name.Name == "main" && n > maxMain {
		return []string{"is a main.go of more than 60 lines"}
	}
	if n > maxFile {
		return []string{"has more than 800 lines"}
	}
	return nil
}

// functions bounds their length; one whose body is mostly one table counts
// without it.
func functions(s source) (bad []string) {
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		n := s.lines(f)
		ast.Inspect(f.Body, func(x ast.Node) bool {
			if lit, ok := x.(*ast.CompositeLit); ok {
				n -= s.lines(lit) - 1
				return false
			}
			return true
		})
		if n > maxFunction {
			bad = append(bad, "function "+f.Name.Name+" has more than 100 lines")
		}
	}
	return bad
}

func exported(s source) (bad []string) {
	if strings.HasSuffix(s.path, "_test.go") {
		return nil
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && receiverExported(d) {
				bad = append(bad, d.Name.Name+" has no comment")
			}
		case *ast.GenDecl:
			bad = append(bad, exportedSpecs(d)...)
		}
	}
	return bad
}

func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	name := ""
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return ast.IsExported(name)
}

func exportedSpecs(d *ast.GenDecl) (bad []string) {
	for _, sp := range d.Specs {
		switch sp := sp.(type) {
		case *ast.TypeSpec:
			if sp.Name.IsExported() && d.Doc == nil && sp.Doc == nil {
				bad = append(bad, sp.Name.Name+" has no comment")
			}
		case *ast.ValueSpec:
			for _, n := range sp.Names {
				if n.IsExported() && d.Doc == nil && sp.Doc == nil && sp.Comment == nil {
					bad = append(bad, n.Name+" has no comment")
				}
			}
		}
	}
	return bad
}

// imports wants two groups: the standard library, then others. Ours come last
// among these, in lines of their own since gofmt would sort them in.
func imports(s source) (bad []string) {
	const std, others, ours = 0, 1, 2
	kind := func(path string) int {
		switch first, _, _ := strings.Cut(path, "/"); {
		case strings.HasPrefix(path+"/", module):
			return ours
		case strings.Contains(first, "."):
			return others
		default:
			return std
		}
	}
	last, line := -1, 0
	for _, i := range s.file.Imports {
		k, at := kind(strings.Trim(i.Path.Value, `"`)), s.fset.Position(i.Pos()).Line
		switch apart := at > line+1; {
		case last < 0:
		case k < last:
			bad = append(bad, "imports "+i.Path.Value+" too late")
		case k > last && !apart:
			bad = append(bad, "imports "+i.Path.Value+" without a blank line before")
		case k == last && apart && i.Doc == nil:
			bad = append(bad, "has a blank line before "+i.Path.Value+" that parts what belongs together")
		}
		last, line = k, at
	}
	return bad
}

func noInit(s source) (bad []string) {
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			bad = append(bad, "has an init function")
		}
	}
	return bad
}

// open finds notes of unfinished work; split so that this file has none.
var open = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

func nothingOpen(s source) (bad []string) {
	for _, g := range s.file.Comments {
		if open.MatchString(g.Text()) {
			bad = append(bad, "has a note of unfinished work")
		}
	}
	return bad
}

func noSleep(s source) (bad []string) {
	if !strings.HasSuffix(s.path, "_test.go") {
		return nil
	}
	if usesSynctest(s) { // time there is not real
		return nil
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if x, is := sel0(sel, ok); is && x == "time" && sel.Sel.Name == "Sleep" {
			bad = append(bad, "sleeps in a test")
		}
		return true
	})
	return bad
}

func sel0(s *ast.SelectorExpr, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	id, is := s.X.(*ast.Ident)
	if !is {
		return "", false
	}
	return id.Name, true
}

func usesSynctest(s source) bool {
	for _, i := range s.file.Imports {
		if i.Path.Value == `"testing/synctest"` {
			return true
		}
	}
	return false
}

func noDotImport(s source) (bad []string) {
	for _, i := range s.file.Imports {
		if i.Name != nil && i.Name.Name == "." {
			bad = append(bad, "has a dot import")
		}
	}
	return bad
}

func TestSource_Conventions(t *testing.T) {
	for _, path := range tracked(t, ".go") {
		raw, err := os.ReadFile(filepath.Join(root(t), path))
		if err != nil {
			t.Fatal(err)
		}
		s := parse(t, path, string(raw))
		for name, check := range checks {
			for _, b := range check(s) {
				t.Errorf("%s: %s (%s)", path, b, name)
			}
		}
	}
}

func TestSource_ChecksCanFail(t *testing.T) {
	long := strings.Repeat("\t_ = 1\n", maxFunction)
	for name, text := range map[string]string{
		"formatted":     "package a\nvar  x = 1\n",
		"length":        "package a\n" + strings.Repeat("\n", maxFile),
		"functions":     "package a\n\nfunc f() {\n" + long + "}\n",
		"exported":      "package a\n\ntype T int\n\nfunc (T) M() {}\n",
		"imports":       "package a\n\nimport (\n\t_ \"x.org/y\"\n\n\t_ \"fmt\"\n)\n",
		"no init":       "package a\n\nfunc init() {}\n",
		"nothing open":  "package a\n\n// TO" + "DO: later\nvar x = 1\n",
		"no sleep":      "package a\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n",
		"no dot import": "package a\n\nimport . \"fmt\"\n",
	} {
		path := "a/a.go"
		if name == "no sleep" {
			path = "a/a_test.go"
		}
		if checks[name] == nil {
			t.Fatalf("there is no check %q", name)
		}
		if checks[name](parse(t, path, text)) == nil {
			t.Errorf("%s accepts a bad file", name)
		}
	}
	for _, text := range []string{
		"package a\n\nimport (\n\t\"fmt\"\n\t\"x.org/y\"\n)\n",
		"package a\n\nimport (\n\t\"fmt\"\n\n\t\"os\"\n)\n",
		"package a\n\nimport (\n\t\"" + module + "sdk\"\n\n\t\"x.org/y\"\n)\n",
	} {
		if imports(parse(t, "a/a.go", text)) == nil {
			t.Errorf("the imports of %q are accepted", text)
		}
	}
	if bad := imports(parse(t, "a/a.go", "package a\n\nimport (\n\t\"fmt\"\n\n\t\"x.org/y\"\n\n\t\""+module+"sdk\"\n)\n")); bad != nil {
		t.Errorf("good imports are refused: %v", bad)
	}
	if length(parse(t, "a/main.go", "package main\n"+strings.Repeat("\n", maxMain))) == nil {
		t.Error("a long main.go is accepted")
	}
}

func TestSource_OnePackageComment(t *testing.T) {
	for _, p := range list(t, "./...") {
		n := 0
		for _, name := range p.GoFiles {
			raw, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if parse(t, name, string(raw)).file.Doc != nil {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s has %d package comments", p.path(), n)
		}
	}
}

// topLevel is what may stand at the top of the tree.
var topLevel = map[string]bool{
	"chain": true, "node": true, "p2p": true, "mqttbridge": true, "deviceos": true, "hbus": true, "wallet": true,
	"sdk": true, "testnet": true, "docs": true, ".ci": true,
	"go.mod": true, "go.sum": true, "Makefile": true, "README.md": true, "ARCHITECTURE.md": true, ".gitignore": true,
}

func TestSource_TopLevel(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range tracked(t, "") {
		seen[strings.SplitN(f, "/", 2)[0]] = true
	}
	for name := range seen {
		if !topLevel[name] {
			t.Errorf("%s does not belong at the top", name)
		}
	}
	for name := range topLevel {
		if !seen[name] {
			t.Errorf("%s is missing at the top", name)
		}
	}
}
