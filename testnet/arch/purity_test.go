package arch

import (
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pure is what a package of floor 0 must not import.
var pure = []string{
	"os", "net", "log", "math/rand", "crypto/rand", "syscall", "unsafe",
	"github.com/cometbft", "github.com/libp2p", "github.com/cockroachdb", "github.com/mochi-mqtt", "github.com/cosmos/iavl",
}

// clock is what a package of floor 0 must not call of package time; durations
// and the form of a time that it is given are fine.
var clock = []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "Sleep", "NewTimer", "NewTicker"}

// impure gives the calls of a clock and the goroutines in a file of floor 0.
func impure(s source) (bad []string) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			bad = append(bad, "is pure and starts a goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
				bad = append(bad, "is pure and calls time."+n.Sel.Name)
			}
		}
		return true
	})
	return bad
}

func TestPurity_Floor0(t *testing.T) {
	checked := 0
	for _, path := range tracked(t, ".go") {
		if f, ok := floorOf(filepath.ToSlash(filepath.Dir(path))); !ok || f != 0 || strings.HasSuffix(path, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(root(t), path))
		if err != nil {
			t.Fatal(err)
		}
		checked++
		for _, b := range impure(parse(t, path, string(raw))) {
			t.Errorf("%s %s", path, b)
		}
	}
	if checked < 30 {
		t.Fatalf("only %d files were checked", checked)
	}
}

func TestPurity_CanFail(t *testing.T) {
	for _, body := range []string{"_ = time.Now()", "go f()", "time.Sleep(time.Second)", "var now = time.Now; _ = now"} {
		if impure(parse(t, "a/a.go", "package a\n\nimport \"time\"\n\nfunc f() { "+body+" }\n")) == nil {
			t.Errorf("%q is accepted", body)
		}
	}
	if bad := impure(parse(t, "a/a.go", "package a\n\nimport \"time\"\n\nfunc f(t time.Time) time.Time { return t.Add(time.Second) }\n")); bad != nil {
		t.Errorf("a good file is refused: %v", bad)
	}
}
