package arch

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
	"github.com/hybridos-net/hybridos/p2p/topic"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// place is where one sort of new thing goes.
type place struct {
	thing   string
	lists   []string
	missing func(*tree)
}

// places is the ten-minute map of ARCHITECTURE.md: the thing that is new, the
// lists that must know it, and what of the things there are is not everywhere
// that it must be.
var places = []place{
	{"transaction kind", []string{"chain/tx/kind.go", "chain/state/rules.go"}, txKinds},
	{"refusal code of devices", []string{"chain/command/code.go"}, codes},
	{"record", []string{"chain/state/layout.go"}, records},
	{"peripheral", []string{"deviceos/peripheral/list.go"}, peripherals},
	{"topic mapping", []string{"mqttbridge/topicmap/list.go"}, mappings},
	{"face of the bus", []string{"hbus/internal/daemon"}, faces},
	{"mesh protocol or topic", []string{"p2p/topic/topic.go"}, protocols},
	{"signature algorithm", []string{"chain/key/key.go"}, algorithms},
	{"wallet verb", []string{"wallet/cli"}, verbs},
	{"shape of test network", []string{"testnet/manifest/shape.go"}, shapes},
	{"path of the HTTP interface", []string{"node/api/route.go"}, routes},
	{"dependency", []string{"go.mod", "docs/adr/0005-dependencies.md"}, dependencies},
}

// tree is the project's files, and what was found missing in them.
type tree struct {
	fs.FS
	bad []string
}

func (t *tree) add(format string, args ...any) { t.bad = append(t.bad, fmt.Sprintf(format, args...)) }

// text is a file, or all Go files of a folder that are no tests.
func (t *tree) text(path string) string {
	if raw, err := fs.ReadFile(t.FS, path); err == nil {
		return string(raw)
	}
	names, err := fs.Glob(t.FS, path+"/*.go")
	if err != nil || len(names) == 0 {
		t.add("%s is missing", path)
	}
	var all strings.Builder
	for _, n := range names {
		if raw, err := fs.ReadFile(t.FS, n); err == nil && !strings.HasSuffix(n, "_test.go") {
			all.Write(raw)
		}
	}
	return all.String()
}

// want notes that path does not hold a text.
func (t *tree) want(path, text string) {
	if !strings.Contains(t.text(path), text) {
		t.add("%s does not have %s", path, text)
	}
}

func (t *tree) exists(path string) {
	if _, err := fs.Stat(t.FS, path); err != nil {
		t.add("%s is missing", path)
	}
}

// folders are the ones in a folder.
func (t *tree) folders(path string) (names []string) {
	entries, err := fs.ReadDir(t.FS, path)
	if err != nil {
		t.add("%s is missing", path)
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// declared gives what a pattern's group finds in path; there are n of them in
// the list that the program uses, or something was declared and not listed.
func (t *tree) declared(path, pattern string, n int) (found []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(t.text(path), -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 || n >= 0 && len(found) != n {
		t.add("%s declares %d and lists %d: %v", path, len(found), n, found)
	}
	return found
}

func txKinds(t *tree) {
	t.declared("chain/tx/kind.go", `(?m)^\tKind(\w+)\s+Kind = \d+$`, len(tx.Kinds()))
	for _, k := range tx.Kinds() {
		snake, camel := strings.ReplaceAll(k.String(), "-", "_"), ""
		for word := range strings.SplitSeq(k.String(), "-") {
			camel += strings.ToUpper(word[:1]) + word[1:]
		}
		t.exists("chain/tx/" + snake + ".go")
		t.exists("chain/state/" + snake + ".go")
		t.want("chain/state/rules.go", "{tx.Kind"+camel+", ")
		t.want("wallet/explain/explain.go", "case tx.Kind"+camel+":")
		t.want("docs/spec/tx.md", fmt.Sprintf("| %d | `%s` |", k, k))
		t.want("docs/spec/state.md", fmt.Sprintf("| `%s` |", k))
		t.want("chain/vectors/tx.json", `"valid/`+k.String()+`"`)
	}
}

func codes(t *tree) {
	t.declared("chain/command/code.go", `(?m)^\t(\w+)\s+Code = \d+$`, len(command.Codes()))
	for _, c := range command.Codes() {
		t.want("docs/spec/command.md", fmt.Sprintf("| %d | `%s` |", c, c))
		t.want("docs/spec/gate.md", c.String())
		t.want("chain/vectors/codes.json", `"code/`+c.String()+`"`)
	}
}

func records(t *tree) {
	for _, letter := range t.declared("chain/state/layout.go", `(?m)^\tprefix\w+\s+= '(.)'$`, -1) {
		t.want("docs/spec/state.md", "| `"+letter+"`")
	}
}

func peripherals(t *tree) {
	var apps []string
	for _, e := range peripheral.Endpoints() {
		if e.Name != peripheral.Self { // the agent's own
			apps = append(apps, e.App)
		}
		for _, m := range e.Methods {
			t.want("docs/spec/gate.md", m.Name)
		}
	}
	have := t.folders("deviceos/peripheral")
	for _, name := range have {
		if !slices.Contains(apps, name) {
			t.add("deviceos/peripheral/%s is in no row of the list", name)
		}
	}
	for _, app := range apps {
		if !slices.Contains(have, app) {
			t.add("the list has %s, which has no folder", app)
		}
	}
}

func mappings(t *tree) {
	t.declared("mqttbridge/topicmap", `(?m)^func (\w+)\(\) Mapping \{$`, len(topicmap.Mappings()))
	for _, m := range topicmap.Mappings() {
		t.exists("mqttbridge/topicmap/" + m.Kind + ".go")
		t.want("docs/spec/mqtt.md", "`"+topicmap.Root+"/"+m.Kind+"/")
		for _, c := range m.Commands {
			t.want("docs/spec/mqtt.md", "`"+c.Payload+"`")
			if _, _, ok := peripheral.Find(m.Endpoint, c.Method); !ok {
				t.add("the mapping %s calls %s.%s, which no peripheral has", m.Kind, m.Endpoint, c.Method)
			}
		}
	}
}

func faces(t *tree) {
	for _, name := range t.folders("hbus/face") {
		t.want("hbus/internal/daemon", `"`+module+"hbus/face/"+name+`"`)
		t.want("docs/spec/hbus.md", "the "+name+" face")
	}
}

func protocols(t *tree) {
	t.declared("p2p/topic/topic.go", `(?m)^\t\w+ = "(/hybridos/[^"]+)"$`, len(topic.Protocols()))
	for _, id := range topic.Protocols() {
		t.want("docs/spec/p2p.md", "`"+id+"`")
	}
	for _, name := range t.declared("p2p/topic/topic.go", `Sprintf\("hybridos/%s/(\w+)/`, -1) {
		t.want("docs/spec/p2p.md", "/"+name+"/")
	}
}

func algorithms(t *tree) {
	for _, number := range t.declared("chain/key/key.go", `(?m)^\t\w+ Alg = (\d+)$`, -1) {
		t.want("docs/spec/keys.md", "\n| "+number+" |")
	}
}

// verbs wants each verb of the wallet in a story or a test of the wallet.
func verbs(t *tree) {
	var told strings.Builder
	for _, pattern := range []string{"wallet/cli/*_test.go", "wallet/cli/testdata/script/*"} {
		names, err := fs.Glob(t.FS, pattern)
		if err != nil || len(names) == 0 {
			t.add("%s is missing", pattern)
		}
		for _, n := range names {
			raw, err := fs.ReadFile(t.FS, n)
			if err != nil {
				t.add("%s: %v", n, err)
			}
			told.Write(raw)
		}
	}
	for _, verb := range t.declared("wallet/cli", `\bUse:\s+"([\w-]+)`, -1) {
		if !regexp.MustCompile(`(?m)["\s]` + verb + `["\s]`).MatchString(told.String()) {
			t.add("hos ... %s stands in no story and no test", verb)
		}
	}
}

func shapes(t *tree) {
	names, what := manifest.Shapes()
	t.declared("testnet/manifest/shape.go", `(?m)^\t\{"(\w+)", `, len(names))
	for i, name := range names {
		m, ok := manifest.Shape(name)
		if err := m.Validate(); !ok || err != nil || what[i] == "" {
			t.add("the shape %s is not usable: %v", name, err)
		}
		if slices.Index(names, name) != i {
			t.add("there are two shapes %s", name)
		}
	}
}

func routes(t *tree) {
	described := t.text("node/api/openapi.json")
	for _, r := range t.declared("node/api/route.go", `(?m)^\t\t\{"[A-Z]+ (/\S+)", `, -1) {
		if !strings.Contains(described, `"`+r+`": {`) {
			t.add("node/api/openapi.json lacks the path %s", r)
		}
	}
}

func dependencies(t *tree) {
	reasons := t.text("docs/adr/0005-dependencies.md")
	direct := t.declared("go.mod", `(?m)^(?:require |\t)([\w./-]+) v\S+$`, -1)
	for _, d := range direct {
		if !strings.Contains(reasons, "| `"+d+"` |") {
			t.add("the dependency %s has no reason in docs/adr/0005-dependencies.md", d)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(reasons, -1) {
		if !slices.Contains(direct, m[1]) {
			t.add("docs/adr/0005-dependencies.md has %s, which go.mod does not", m[1])
		}
	}
}

func TestMap_NothingIsForgotten(t *testing.T) {
	for _, p := range places {
		project := &tree{FS: os.DirFS(root(t))}
		for _, l := range p.lists {
			project.exists(l)
		}
		p.missing(project)
		for _, b := range project.bad {
			t.Errorf("%s: %s", p.thing, b)
		}
	}
}

// edited is a tree in which one text of one file is another.
type edited struct {
	fs.FS
	file, from, to string
}

// ReadFile gives a file as it would be with the edit.
func (e edited) ReadFile(name string) ([]byte, error) {
	raw, err := fs.ReadFile(e.FS, name)
	if name == e.file {
		raw = []byte(strings.ReplaceAll(string(raw), e.from, e.to))
	}
	return raw, err
}

func TestMap_CanFail(t *testing.T) {
	for _, p := range places {
		empty := &tree{FS: fstest.MapFS{}}
		if p.missing(empty); empty.bad == nil {
			t.Errorf("%s: an empty tree is accepted", p.thing)
		}
	}
	for _, c := range []struct{ thing, file, from, to string }{
		{"transaction kind", "chain/tx/kind.go", "Claim          Kind = 2\n", "Claim Kind = 2\n\tKindNew Kind = 7\n"},
		{"transaction kind", "chain/state/rules.go", "{tx.KindTransfer, ", "{0, "},
		{"transaction kind", "wallet/explain/explain.go", "case tx.KindRotateKeys:", ""},
		{"transaction kind", "docs/spec/tx.md", "`claim`", ""},
		{"transaction kind", "chain/vectors/tx.json", `"valid/revoke-grant"`, ""},
		{"refusal code of devices", "chain/command/code.go", "Stale Code = 60\n", "Stale Code = 60\n\tNew Code = 62\n"},
		{"refusal code of devices", "docs/spec/command.md", "| 32 | `replayed` |", ""},
		{"refusal code of devices", "docs/spec/gate.md", "jump_too_far", ""},
		{"record", "docs/spec/state.md", "| `g` grant id |", ""},
		{"record", "chain/state/layout.go", "= 'g'\n", "= 'g'\n\tprefixNew = '+'\n"},
		{"peripheral", "docs/spec/gate.md", "unlock", ""},
		{"topic mapping", "mqttbridge/topicmap/lock.go", "func lock() Mapping {\n", "func bell() Mapping {\n}\n\nfunc lock() Mapping {\n"},
		{"topic mapping", "docs/spec/mqtt.md", "`OPEN`", ""},
		{"face of the bus", "hbus/internal/daemon/daemon.go", "hbus/face/native", ""},
		{"mesh protocol or topic", "p2p/topic/topic.go", "\tPair = ", "\tNew = \"/hybridos/new/1\"\n\tPair = "},
		{"mesh protocol or topic", "docs/spec/p2p.md", "/hybridos/pair/1", ""},
		{"signature algorithm", "docs/spec/keys.md", "\n| 1 |", ""},
		{"wallet verb", "wallet/cli/watch.go", `Use: "watch"`, `Use: "untold"`},
		{"shape of test network", "testnet/manifest/shape.go", "\t{\"single\", ", "\t{\"new\", \"\"},\n\t{\"single\", "},
		{"path of the HTTP interface", "node/api/route.go", "\t\t{\"GET /healthz\", ", "\t\t{\"GET /v1/new\", here, &classRead, nil, s.health},\n\t\t{\"GET /healthz\", "},
		{"path of the HTTP interface", "node/api/openapi.json", `"/v1/commands": {`, ""},
		{"dependency", "docs/adr/0005-dependencies.md", "| `rsc.io/qr` |", ""},
		{"dependency", "go.mod", "rsc.io/qr", "rsc.io/other"},
	} {
		i := slices.IndexFunc(places, func(p place) bool { return p.thing == c.thing })
		real := os.DirFS(root(t))
		if raw, err := fs.ReadFile(real, c.file); err != nil || !strings.Contains(string(raw), c.from) {
			t.Errorf("%s does not have %q any more: %v", c.file, c.from, err)
		}
		project := &tree{FS: edited{FS: real, file: c.file, from: c.from, to: c.to}}
		if places[i].missing(project); project.bad == nil {
			t.Errorf("%s: nobody misses %q in %s", c.thing, c.from, c.file)
		}
	}
}

// TestMap_IsTheOneOfTheDocument compares places with the table that people read.
func TestMap_IsTheOneOfTheDocument(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root(t), "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(raw), "\n## Where a new thing goes\n")
	text, _, _ = strings.Cut(text, "\n## ")
	rows := map[string]string{}
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, "|"); len(cells) > 2 && !strings.HasPrefix(cells[1], "---") && strings.TrimSpace(cells[1]) != "new" {
			rows[strings.TrimSpace(cells[1])] = line
		}
	}
	for _, p := range places {
		for _, l := range p.lists {
			if !strings.Contains(rows[p.thing], "`"+l+"`") {
				t.Errorf("the row %q of ARCHITECTURE.md does not name %s", p.thing, l)
			}
		}
		delete(rows, p.thing)
	}
	for thing := range rows {
		t.Errorf("the row %q of ARCHITECTURE.md has no check here", thing)
	}
}
