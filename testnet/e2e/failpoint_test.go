package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The hosd of the crash tests is the real one with places at which it can be
// told to kill itself. They exist only in an overlay that this test hands to the
// compiler: no source file and no other build has them.

// graft puts a call before or after a line of a source file.
type graft struct {
	file, line string
	before     string
	after      string
}

// grafts are the places. A line that is not found once ends the test: the
// places must move with the code.
var grafts = []graft{
	{file: "chain/abci/block.go", line: "\tif want := a.tree.Version() + 1; r.Height != want {\n", before: "\tfailpoint(\"finalize\")\n"},
	{file: "chain/abci/block.go", line: "\ta.lastTime = r.Time.Unix()\n", after: "\tfailpoint(\"finalized\")\n"},
	{file: "chain/abci/block.go", line: "\tchanged := a.tree.Pending()\n", before: "\tfailpoint(\"commit\")\n"},
	{file: "chain/abci/block.go", line: "\ta.told(a.last)\n", before: "\tfailpoint(\"committed\")\n"},
	{file: "chain/store/tree.go", line: "\tclear(t.dirty)\n\tif err := t.prune(version); err != nil {\n", before: "\tkv.Failpoint(\"unpruned\")\n"},
	{
		file: "chain/store/kv/batch.go", line: "\t\tif err := b.db.pebble.Apply(inner, &pebble.WriteOptions{Sync: bool(durability)}); err != nil {\n\t\t\treturn err\n\t\t}\n",
		before: "\t\tFailpoint(\"before \" + failDir(b.db.dir))\n", after: "\t\tFailpoint(\"after \" + failDir(b.db.dir))\n",
	},
}

// failpointFile is where the places read whether they are meant: the end of a
// place's name (empty: any) and how often it is passed before it kills.
const failpointFile = "HOS_FAILPOINT_FILE"

const failpointSource = `package kv

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

var failing struct {
	sync.Mutex
	order string
	count int
}

// failDir names a store by the end of its directory.
func failDir(dir string) string {
	return filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
}

// Failpoint kills the process where the file of the test says so.
func Failpoint(name string) {
	file := os.Getenv("HOS_FAILPOINT_FILE")
	raw, err := os.ReadFile(file)
	if err != nil || len(raw) == 0 {
		return
	}
	failing.Lock()
	defer failing.Unlock()
	if failing.order != string(raw) {
		failing.order, failing.count = string(raw), 0
	}
	number, suffix, _ := strings.Cut(string(raw), " ")
	var n int
	if _, err := fmt.Sscan(number, &n); err != nil || !strings.HasSuffix(name, suffix) {
		return
	}
	if failing.count++; failing.count < n {
		return
	}
	_ = os.WriteFile(file+".told", []byte(name), 0o600)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
`

const failpointBridge = `package abci

import "github.com/hybridos-net/hybridos/chain/store/kv"

func failpoint(name string) { kv.Failpoint(name) }
`

// mortalPrograms is a directory of the programs in which hosd has the places.
func mortalPrograms(t *testing.T) string {
	t.Helper()
	root := must(filepath.Abs("../.."))(t)
	work := t.TempDir()
	replace := make(map[string]string)
	add := func(file, text string) {
		path := filepath.Join(work, strings.ReplaceAll(file, "/", "_"))
		check(t, os.WriteFile(path, []byte(text), 0o600))
		replace[filepath.Join(root, file)] = path
	}
	texts := make(map[string]string)
	for _, g := range grafts {
		if texts[g.file] == "" {
			texts[g.file] = string(must(os.ReadFile(filepath.Join(root, g.file)))(t))
		}
		if n := strings.Count(texts[g.file], g.line); n != 1 {
			t.Fatalf("%s: %d places for a failpoint at %q, want 1", g.file, n, g.line)
		}
		texts[g.file] = strings.Replace(texts[g.file], g.line, g.before+g.line+g.after, 1)
	}
	for file, text := range texts {
		add(file, text)
	}
	add("chain/store/kv/failpoint.go", failpointSource)
	add("chain/abci/failpoint.go", failpointBridge)
	overlay := filepath.Join(work, "overlay.json")
	check(t, os.WriteFile(overlay, must(json.Marshal(map[string]any{"Replace": replace}))(t), 0o600))
	dir := filepath.Join(work, "bin")
	check(t, os.Mkdir(dir, 0o700))
	for _, c := range commands {
		if name := filepath.Base(c); name != "hosd" {
			check(t, os.Symlink(filepath.Join(programs, name), filepath.Join(dir, name)))
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", filepath.Join(dir, "hosd"), "./node/cmd/hosd")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build hosd with failpoints: %v\n%s", err, out)
	}
	return dir
}

// rounds gives how often a test repeats: few by default, more in make soak.
func rounds(usual, soak int) int {
	if os.Getenv("HOS_SOAK") != "" {
		return soak
	}
	return usual
}

// order tells the places that one of them is meant.
func order(t *testing.T, file string, n int, name string) {
	t.Helper()
	check(t, os.WriteFile(file+".new", fmt.Appendf(nil, "%d %s", n, name), 0o600))
	check(t, os.Rename(file+".new", file))
}
