package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hybridos-net/hybridos/"

// floors is the floor plan of ARCHITECTURE.md: the longest prefix decides, and
// a package imports only from its own floor or below.
var floors = map[string]int{
	"chain/codec": 0, "chain/key": 0, "chain/tx": 0, "chain/command": 0, "chain/state": 0,
	"chain/genesis": 0, "chain/proof": 0, "chain/vectors": 0, "chain/did": 0,
	"chain/batch": 0, "chain/attest": 0,
	"hbus/msg": 0, "p2p/topic": 0, "p2p/frame": 0,
	"chain/store": 1, "chain/abci": 1, "chain/light": 1, "chain/audit": 1, "p2p": 1, "hbus": 1,
	"sdk":  2,
	"node": 3, "wallet": 3, "deviceos": 3, "mqttbridge": 3,
	"testnet": 4, "node/cmd": 4, "wallet/cmd": 4, "deviceos/cmd": 4, "hbus/cmd": 4, "mqttbridge/cmd": 4,
}

// rule says what the packages under a prefix must not import.
type rule struct {
	who    string   // prefix of the importing package; "" is every package
	except []string // prefixes that may
	never  []string // prefixes of imports: ours begin with "./"
	why    string
}

var rules = []rule{
	{who: "hbus", never: []string{"./chain", "./p2p", "./sdk", "./node", "./wallet", "./deviceos", "./mqttbridge", "./testnet"}, why: "the bus imports nothing else of ours"},
	{who: "chain", never: []string{"./p2p", "./hbus"}, why: "the ledger does not know the mesh"},
	{who: "node", never: []string{"./wallet", "./deviceos", "./mqttbridge"}, why: "floor 3 packages never import each other"},
	{who: "wallet", never: []string{"./node", "./deviceos", "./mqttbridge"}, why: "floor 3 packages never import each other"},
	{who: "deviceos", never: []string{"./node", "./wallet", "./mqttbridge"}, why: "floor 3 packages never import each other"},
	{who: "mqttbridge", never: []string{"./node", "./wallet", "./deviceos"}, why: "floor 3 packages never import each other"},
	{except: []string{"chain/codec"}, never: []string{"github.com/fxamacker/cbor"}, why: "there is one encoding"},
	{except: []string{"chain/store"}, never: []string{"github.com/cockroachdb/pebble"}, why: "one place opens pebble"},
	{except: []string{"mqttbridge"}, never: []string{"github.com/mochi-mqtt"}, why: "the MQTT engine belongs to the bridge"},
}

// upward lists the tests that may look one floor up: proofs are checked on
// those of the real tree.
var upward = map[string]string{"chain/proof": "chain/store", "chain/did": "chain/store"}

// agentNever is what the device's program must not link, for its size.
var agentNever = []string{
	"github.com/pion", "github.com/quic-go", "go.uber.org/fx", "github.com/cosmos/iavl", "github.com/cockroachdb/pebble",
	"github.com/cometbft/cometbft/node", "github.com/cometbft/cometbft/types", "google.golang.org/grpc",
}

// pkg is what go list tells.
type pkg struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
	Dir        string

	TestImports  []string
	XTestImports []string
}

func (p pkg) path() string { return strings.TrimPrefix(p.ImportPath, module) }

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,GoFiles,Dir,TestImports,XTestImports"}, args...)...)
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 10 {
		t.Fatalf("go list gave %d packages", len(pkgs))
	}
	return pkgs
}

// under reports whether path is prefix or lies below it.
func under(path, prefix string) bool {
	return prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/")
}

func floorOf(path string) (int, bool) {
	best, floor, ok := -1, 0, false
	for prefix, f := range floors {
		if under(path, prefix) && len(prefix) > best {
			best, floor, ok = len(prefix), f, true
		}
	}
	return floor, ok
}

// depErrors gives every breach by one package.
func depErrors(p pkg) (bad []string) {
	own, ok := floorOf(p.path())
	if !ok {
		return []string{p.path() + " has no floor"}
	}
	for _, imp := range p.Imports {
		if ours, is := strings.CutPrefix(imp, module); is {
			if f, _ := floorOf(ours); f > own {
				bad = append(bad, p.path()+" (floor "+string(rune('0'+own))+") imports "+ours+" of a higher floor")
			}
			imp = "./" + ours
		}
		if own == 0 && slices.ContainsFunc(pure, func(n string) bool { return under(imp, n) }) {
			bad = append(bad, p.path()+" is pure and imports "+imp)
		}
		for _, r := range rules {
			if under(p.path(), r.who) && !slices.ContainsFunc(r.except, func(e string) bool { return under(p.path(), e) }) &&
				slices.ContainsFunc(r.never, func(n string) bool { return under(imp, n) }) {
				bad = append(bad, p.path()+" imports "+imp+": "+r.why)
			}
		}
	}
	return bad
}

func TestDeps_FloorsHold(t *testing.T) {
	used := map[string]bool{}
	for _, p := range list(t, "./...") {
		for _, b := range depErrors(p) {
			t.Error(b)
		}
		for prefix := range floors {
			used[prefix] = used[prefix] || under(p.path(), prefix)
		}
	}
	for prefix := range floors {
		if !used[prefix] {
			t.Errorf("the floor plan has %s, which is not there", prefix)
		}
	}
}

// TestDeps_TestsKeepTheFloors holds tests to the floors of our own packages;
// what else they import is theirs, as a real MQTT client or a disk that fails.
func TestDeps_TestsKeepTheFloors(t *testing.T) {
	for _, p := range list(t, "./...") {
		tests := append(slices.Clone(p.TestImports), p.XTestImports...)
		p.Imports = slices.DeleteFunc(tests, func(i string) bool {
			ours, is := strings.CutPrefix(i, module)
			return !is || upward[p.path()] != "" && under(ours, upward[p.path()])
		})
		for _, b := range depErrors(p) {
			t.Errorf("test of %s", b)
		}
	}
}

func TestDeps_CanFail(t *testing.T) {
	for _, c := range []struct{ who, imports string }{
		{"chain/tx", module + "chain/store"},
		{"chain/tx", "os"},
		{"chain/state", "math/rand/v2"},
		{"chain/abci", module + "sdk"},
		{"chain/light", module + "p2p/fetch"},
		{"hbus/client", module + "chain/key"},
		{"wallet/cli", module + "deviceos/gate"},
		{"sdk", "github.com/fxamacker/cbor/v2"},
		{"node/cometdb", "github.com/cockroachdb/pebble/v2"},
		{"testnet/demo", "github.com/mochi-mqtt/server/v2"},
		{"hbus/msg", "net/http"},
		{"p2p/topic", "github.com/libp2p/go-libp2p/core/protocol"},
		{"chain/genesis", "github.com/cometbft/cometbft/types"},
		{"node/api", module + "wallet/cli"},
		{"deviceos/agent", module + "mqttbridge/guard"},
		{"mqttbridge", module + "node/api"},
		{"hbus/broker", module + "sdk"},
		{"drawer", "fmt"},
	} {
		if depErrors(pkg{ImportPath: module + c.who, Imports: []string{c.imports}}) == nil {
			t.Errorf("%s may import %s", c.who, c.imports)
		}
	}
	if bad := depErrors(pkg{ImportPath: module + "chain/store/kv", Imports: []string{"github.com/cockroachdb/pebble/v2", "os"}}); bad != nil {
		t.Errorf("a good package is refused: %v", bad)
	}
}

func TestDeps_AgentStaysSmall(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./deviceos/cmd/hos-agent")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, module+"deviceos/gate") {
		t.Fatal("the list is not that of hos-agent")
	}
	for _, d := range deps {
		if d == "github.com/libp2p/go-libp2p" || slices.ContainsFunc(agentNever, func(n string) bool { return under(d, n) }) {
			t.Errorf("hos-agent links %s", d)
		}
	}
}
