package state_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// floor0 is every package that all validators and devices must agree on.
var floor0 = []string{"codec", "key", "tx", "command", "state", "genesis"}

// forbidden imports bring in a clock, randomness, goroutines or I/O.
var forbidden = []string{"time", "math/rand", "math/rand/v2", "crypto/rand", "sync", "sync/atomic", "os", "net", "runtime", "context", "unsafe"}

// TestPurity reads the sources: no forbidden import, no float, no goroutine or
// channel; in chain/state also no range over a map, since its order differs
// from validator to validator.
func TestPurity(t *testing.T) {
	for _, name := range floor0 {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("..", name)
			fset, files := parse(t, dir)
			for _, f := range files {
				for _, i := range f.Imports {
					path, err := strconv.Unquote(i.Path.Value)
					if err != nil {
						t.Fatal(err)
					}
					for _, bad := range forbidden {
						if path == bad {
							t.Errorf("%s imports %s", fset.Position(i.Pos()), path)
						}
					}
				}
				ast.Inspect(f, func(n ast.Node) bool {
					if what := impure(n); what != "" {
						t.Errorf("%s: %s", fset.Position(n.Pos()), what)
					}
					return true
				})
			}
			if name == "state" {
				noMapRange(t, dir, fset, files)
			}
		})
	}
}

func parse(t *testing.T, dir string) (*token.FileSet, []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, p, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) < 2 {
		t.Fatalf("found %d files in %s", len(files), dir)
	}
	return fset, files
}

func impure(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Ident:
		if n.Name == "float64" || n.Name == "float32" || n.Name == "complex128" || n.Name == "complex64" {
			return "float type"
		}
	case *ast.BasicLit:
		if n.Kind == token.FLOAT || n.Kind == token.IMAG {
			return "float literal"
		}
	case *ast.GoStmt:
		return "goroutine"
	case *ast.ChanType, *ast.SelectStmt, *ast.SendStmt:
		return "channel"
	}
	return ""
}

// noMapRange finds ranges over maps by their type.
func noMapRange(t *testing.T, dir string, fset *token.FileSet, files []*ast.File) {
	t.Helper()
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	if _, err := conf.Check(dir, fset, files, info); err != nil {
		t.Fatal(err)
	}
	ranges := 0
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			r, ok := n.(*ast.RangeStmt)
			if !ok {
				return true
			}
			ranges++
			if _, isMap := info.Types[r.X].Type.Underlying().(*types.Map); isMap {
				t.Errorf("%s: range over a map", fset.Position(r.Pos()))
			}
			return true
		})
	}
	if ranges == 0 {
		t.Fatal("found no range statement at all")
	}
}
