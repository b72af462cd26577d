package arch

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// strictRoots are the packages whose code, with all that they import of ours,
// all validators and devices must agree on. They get the whole lint.
var strictRoots = []string{"./chain/state", "./chain/genesis", "./chain/command"}

// looseRoots carry out what the strict ones decide: they may hold locks and
// files, and what else they need stands in allowed.
var looseRoots = []string{"./chain/abci", "./chain/store"}

// neverImported brings a clock, randomness, goroutines or I/O into a strict
// package.
var neverImported = []string{
	"time", "math/rand", "math/rand/v2", "crypto/rand", "hash/maphash", "sync", "sync/atomic",
	"os", "net", "runtime", "context", "unsafe",
}

// allowed are findings that cannot reach a result, each with its reason. Strict
// packages may only have ranges over maps here, and a lock around what follows
// from the program alone. A row that fits nothing any more fails the test.
var allowed = []struct{ file, finding, why string }{
	{"chain/abci/abci.go", "uses time.Now", "admission to the mempool only; no block method asks it"},
	{"chain/abci/abci.go", "selects", "Err looks whether Failed is closed"},
	{"chain/abci/abci.go", "uses a channel", "Failed tells the owner; nothing waits for it here"},
	{"chain/abci/ahead.go", "starts a goroutine", "fills the cache of valid signatures, which changes no result"},
	{"chain/abci/ahead.go", "uses runtime.GOMAXPROCS", "how many fill that cache"},
	{"chain/codec/plan.go", "imports sync", "keeps a decoder for each type, which follows from the type alone"},
	{"chain/command/command.go", "ranges over a map", "any critical extension gives the same kind; the order picks only the number in the text"},
	{"chain/store/tree.go", "uses a channel", "Failed tells the owner; nothing waits for it here"},
}

// linted is a package with its types.
type linted struct {
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
}

// finding is one breach.
type finding struct {
	at   token.Position
	what string
}

// exports are the compiled declarations of packages, for the type checker.
type exports map[string]string

func (e exports) open(path string) (io.ReadCloser, error) {
	file, ok := e[path]
	if !ok {
		return nil, fmt.Errorf("no declarations of %s", path)
	}
	return os.Open(file)
}

// compile gives the declarations of everything that the roots import.
func compile(t *testing.T, roots ...string) exports {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, roots...)...)
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -export: %v", err)
	}
	found := exports{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export string }
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Export != "" {
			found[p.ImportPath] = p.Export
		}
	}
}

// check types one package.
func (e exports) check(t *testing.T, path string, sources map[string]string) linted {
	t.Helper()
	l := linted{fset: token.NewFileSet(), info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{},
	}}
	for name, text := range sources {
		f, err := parser.ParseFile(l.fset, name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		l.files = append(l.files, f)
	}
	conf := types.Config{Importer: importer.ForCompiler(l.fset, "gc", e.open)}
	if _, err := conf.Check(path, l.fset, l.files, l.info); err != nil {
		t.Fatal(err)
	}
	return l
}

// lint gives every construct of a package that can make two validators differ.
func (l linted) lint(strict bool) (out []finding) {
	for _, f := range l.files {
		say := func(n ast.Node, what string) {
			out = append(out, finding{at: l.fset.Position(n.Pos()), what: what})
		}
		for _, i := range f.Imports {
			if path := strings.Trim(i.Path.Value, `"`); strict && slices.Contains(neverImported, path) {
				say(i, "imports "+path)
			}
		}
		sorted := map[ast.Node]bool{}
		ast.Inspect(f, func(n ast.Node) bool {
			l.markSorted(n, sorted)
			if what := l.breach(n, sorted); what != "" {
				say(n, what)
			}
			if e, ok := n.(ast.Expr); ok && l.isFloat(e) {
				say(n, "uses a float")
			}
			return true
		})
	}
	return out
}

// sorters make an order of their own, so that the one they are given is free.
var sorters = []string{"slices.Sorted", "slices.SortedFunc", "slices.SortedStableFunc"}

// markSorted remembers calls whose results go straight into a sorter.
func (l linted) markSorted(n ast.Node, sorted map[ast.Node]bool) {
	if call, ok := n.(*ast.CallExpr); ok && len(call.Args) > 0 && slices.Contains(sorters, l.name(call.Fun)) {
		if arg, ok := call.Args[0].(*ast.CallExpr); ok {
			sorted[arg.Fun] = true
		}
	}
}

// banned are functions that give each process something else.
var banned = []string{
	"time.Now", "time.Since", "time.Until", "time.After", "time.AfterFunc", "time.Tick", "time.Sleep", "time.NewTimer", "time.NewTicker",
	"runtime.NumCPU", "runtime.GOMAXPROCS", "runtime.NumGoroutine", "os.Getenv", "os.LookupEnv", "os.Getpid", "os.Hostname",
}

// random are packages of which nothing may be used.
var random = []string{"math/rand", "math/rand/v2", "crypto/rand", "hash/maphash", "unsafe"}

// breach names what is wrong with a node, or nothing.
func (l linted) breach(n ast.Node, sorted map[ast.Node]bool) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "starts a goroutine"
	case *ast.SelectStmt:
		return "selects"
	case *ast.ChanType, *ast.SendStmt:
		return "uses a channel"
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			return "uses a channel"
		}
	case *ast.RangeStmt:
		switch l.info.Types[n.X].Type.Underlying().(type) {
		case *types.Map:
			return "ranges over a map"
		case *types.Chan:
			return "uses a channel"
		}
	case *ast.SelectorExpr:
		return l.use(n, sorted)
	case *ast.CallExpr:
		if l.startsGoroutine(n) {
			return "starts a goroutine"
		}
		return l.printsAddress(n)
	case *ast.BasicLit:
		if n.Kind == token.STRING && strings.Contains(n.Value, "%p") {
			return "prints an address"
		}
	}
	return ""
}

// startsGoroutine finds sync.WaitGroup.Go.
func (l linted) startsGoroutine(c *ast.CallExpr) bool {
	s, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	f, ok := l.info.Uses[s.Sel].(*types.Func)
	return ok && f.FullName() == "(*sync.WaitGroup).Go"
}

// use judges a name of another package.
func (l linted) use(n *ast.SelectorExpr, sorted map[ast.Node]bool) string {
	obj := l.info.Uses[n.Sel]
	if obj == nil || obj.Pkg() == nil {
		if obj, ok := l.info.Uses[n.Sel].(*types.Builtin); ok && obj != nil {
			return "uses unsafe." + obj.Name()
		}
		return ""
	}
	name := obj.Pkg().Path() + "." + obj.Name()
	_, function := obj.(*types.Func)
	switch {
	case slices.Contains(random, obj.Pkg().Path()):
		return "uses " + name
	case slices.Contains(banned, name) && l.name(n) == name:
		return "uses " + name
	case function && (name == "maps.Keys" || name == "maps.Values" || name == "maps.All") && !sorted[n]:
		return "takes " + name + " unsorted"
	}
	return ""
}

// name is the qualified name of a function of another package, empty for
// methods and all else.
func (l linted) name(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	f, ok := l.info.Uses[s.Sel].(*types.Func)
	if !ok || f.Pkg() == nil || f.Signature().Recv() != nil {
		return ""
	}
	return f.Pkg().Path() + "." + f.Name()
}

func (l linted) isFloat(e ast.Expr) bool {
	tv, ok := l.info.Types[e]
	if !ok || tv.Type == nil {
		return false
	}
	b, ok := tv.Type.Underlying().(*types.Basic)
	return ok && b.Info()&(types.IsFloat|types.IsComplex) != 0
}

// printsAddress finds arguments of fmt's functions whose text would hold an
// address, which differs in each process.
func (l linted) printsAddress(c *ast.CallExpr) string {
	if !strings.HasPrefix(l.name(c.Fun), "fmt.") {
		return ""
	}
	for _, a := range c.Args {
		if t := l.info.Types[a].Type; t != nil && hasAddress(t, 0) {
			return "prints an address"
		}
	}
	return ""
}

// hasAddress tells whether fmt would show an address in a value of the type.
func hasAddress(t types.Type, depth int) bool {
	if depth > 4 || speaks(t) {
		return false
	}
	switch u := t.Underlying().(type) {
	case *types.Pointer, *types.Chan, *types.Signature:
		return true
	case *types.Basic:
		return u.Kind() == types.UnsafePointer || u.Kind() == types.Uintptr
	case *types.Slice:
		return hasAddress(u.Elem(), depth+1)
	case *types.Array:
		return hasAddress(u.Elem(), depth+1)
	case *types.Map:
		return hasAddress(u.Key(), depth+1) || hasAddress(u.Elem(), depth+1)
	case *types.Struct:
		for f := range u.Fields() {
			if hasAddress(f.Type(), depth+1) {
				return true
			}
		}
	}
	return false
}

// speaks tells whether a type says itself how it is printed.
func speaks(t types.Type) bool {
	set := types.NewMethodSet(t)
	for _, m := range []string{"Error", "String", "Format"} {
		if set.Lookup(nil, m) != nil {
			return true
		}
	}
	return false
}

// ours are the packages of this project among the roots and what they import.
func ours(t *testing.T, roots ...string) map[string]pkg {
	t.Helper()
	found := map[string]pkg{}
	for _, p := range list(t, append([]string{"-deps"}, roots...)...) {
		if strings.HasPrefix(p.ImportPath, module) {
			found[p.path()] = p
		}
	}
	return found
}

func (e exports) lintPackage(t *testing.T, p pkg, strict bool) []finding {
	t.Helper()
	sources := map[string]string{}
	for _, name := range p.GoFiles {
		raw, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sources[p.path()+"/"+name] = string(raw)
	}
	return e.check(t, p.ImportPath, sources).lint(strict)
}

// TestDeterminism_Ledger lints what validators must agree on: chain/state and
// everything of ours that it imports, without exception, and the packages that
// carry it out, but for the rows of allowed.
func TestDeterminism_Ledger(t *testing.T) {
	decls := compile(t, append(slices.Clone(strictRoots), looseRoots...)...)
	strict := ours(t, strictRoots...)
	for _, want := range []string{"chain/codec", "chain/key", "chain/tx", "chain/state", "chain/genesis", "chain/command"} {
		if _, ok := strict[want]; !ok {
			t.Errorf("%s is not linted", want)
		}
	}
	used := make([]bool, len(allowed))
	judge := func(p pkg, isStrict bool) {
		for _, f := range decls.lintPackage(t, p, isStrict) {
			i := slices.IndexFunc(allowed, func(a struct{ file, finding, why string }) bool {
				return a.file == f.at.Filename && a.finding == f.what
			})
			if i < 0 || isStrict && f.what != "ranges over a map" && f.what != "imports sync" {
				t.Errorf("%s: %s", f.at, f.what)
				continue
			}
			used[i] = true
		}
	}
	for _, p := range strict {
		judge(p, true)
	}
	for path, p := range ours(t, looseRoots...) {
		if slices.Contains(looseRoots, "./"+path) {
			judge(p, false)
		}
	}
	for i, a := range allowed {
		if !used[i] || a.why == "" {
			t.Errorf("the row %+v of allowed fits nothing, or gives no reason", a)
		}
	}
}
