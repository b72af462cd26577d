package arch

import (
	"strings"
	"testing"
)

// planted are breaches, each in a body of its own; the lint must find each by
// its name.
var planted = []struct{ imports, body, want string }{
	{"time", "_ = time.Now()", "uses time.Now"},
	{"time", "_ = time.Since(time.Time{})", "uses time.Since"},
	{`t2 "time"`, "now := t2.Now; _ = now", "uses time.Now"},
	{"time", "_ = time.Second", "imports time"},
	{"math/rand", "_ = rand.Int()", "uses math/rand.Int"},
	{"math/rand/v2", "_ = rand.Int()", "uses math/rand/v2.Int"},
	{"crypto/rand", "_ = rand.Reader", "uses crypto/rand.Reader"},
	{"hash/maphash", "var h maphash.Hash; _ = h", "uses hash/maphash.Hash"},
	{"", "for k := range map[int]int{} { _ = k }", "ranges over a map"},
	{"", "type m map[int]int; for range (m{}) {}", "ranges over a map"},
	{"", "for k := range param { _ = k }", "ranges over a map"},
	{"maps", "for k := range maps.Keys(param) { _ = k }", "takes maps.Keys unsorted"},
	{"maps", "for k := range maps.Values(param) { _ = k }", "takes maps.Values unsorted"},
	{"maps slices", "_ = slices.Collect(maps.Keys(param))", "takes maps.Keys unsorted"},
	{"", "_ = 1.5", "uses a float"},
	{"", "var x float64; _ = x", "uses a float"},
	{"", "type money float32; _ = money(1)", "uses a float"},
	{"", "_ = float64(len(param)) * 2", "uses a float"},
	{"math", "_ = math.Sqrt(2)", "uses a float"},
	{"", "_ = complex(1, 2)", "uses a float"},
	{"", "go f(nil)", "starts a goroutine"},
	{"sync", "new(sync.WaitGroup).Go(nil)", "starts a goroutine"},
	{"", "select {}", "selects"},
	{"", "c := make(chan int); _ = c", "uses a channel"},
	{"", "<-wait", "uses a channel"},
	{"", "for range wait {}", "uses a channel"},
	{"unsafe", "_ = unsafe.Pointer(nil)", "uses unsafe.Pointer"},
	{"unsafe", "_ = unsafe.Sizeof(1)", "uses unsafe.Sizeof"},
	{"runtime", "_ = runtime.NumCPU()", "uses runtime.NumCPU"},
	{"os", `_ = os.Getenv("X")`, "uses os.Getenv"},
	{"sync", "var m sync.Mutex; m.Lock()", "imports sync"},
	{"fmt", `_ = fmt.Sprintf("%p", &param)`, "prints an address"},
	{"fmt", `_ = fmt.Sprint(new(int))`, "prints an address"},
	{"fmt", `_ = fmt.Sprintf("%v", struct{ next *int }{})`, "prints an address"},
	{"fmt", `_ = fmt.Errorf("%v", []*int{nil})`, "prints an address"},
	{"fmt", `_ = fmt.Sprint(f)`, "prints an address"},
}

// clean bodies must pass.
var clean = []struct{ imports, body string }{
	{"maps slices", "for _, k := range slices.Sorted(maps.Keys(param)) { _ = k }"},
	{"fmt errors", `_ = fmt.Errorf("%w %d %s", errors.New("x"), len(param), "y")`},
	{"", "for i := range 3 { _ = i }"},
	{"", "for i, b := range []byte{1} { _, _ = i, b }"},
	{"", "delete(param, 1); _ = param[2]; clear(param)"},
}

func snippet(imports, body string) map[string]string {
	var b strings.Builder
	b.WriteString("package a\n\n")
	for _, i := range strings.Fields(imports) {
		if !strings.Contains(imports, `"`) {
			b.WriteString("import \"" + i + "\"\n")
		}
	}
	if strings.Contains(imports, `"`) {
		b.WriteString("import " + imports + "\n")
	}
	if strings.Contains(body, "wait") {
		b.WriteString("var wait chan int\n")
	}
	b.WriteString("\nfunc f(param map[int]int) {\n" + body + "\n}\n")
	return map[string]string{"a/a.go": b.String()}
}

// bodyLine is the line before the body's.
func bodyLine(imports, body string) int {
	text := snippet(imports, body)["a/a.go"]
	return strings.Count(text[:strings.Index(text, "func f(")], "\n") + 1
}

func TestDeterminism_CanFail(t *testing.T) {
	decls := compile(t, "time", "math", "math/rand", "math/rand/v2", "crypto/rand", "hash/maphash", "maps", "slices", "unsafe", "runtime", "os", "sync", "fmt", "errors")
	for _, c := range planted {
		found := decls.check(t, "a", snippet(c.imports, c.body)).lint(true)
		ok := false
		for _, f := range found {
			ok = ok || f.what == c.want && (f.at.Line > bodyLine(c.imports, c.body) || strings.HasPrefix(f.what, "imports"))
		}
		if !ok {
			t.Errorf("%q: found %v, want %q", c.body, found, c.want)
		}
	}
	for _, c := range clean {
		for _, f := range decls.check(t, "a", snippet(c.imports, c.body)).lint(true) {
			t.Errorf("%q is refused: %s %s", c.body, f.at, f.what)
		}
	}
}
