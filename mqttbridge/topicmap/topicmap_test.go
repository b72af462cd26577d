package topicmap

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

var testKey = []byte("0123456789abcdef")

func bind(t *testing.T, device string) Entity {
	t.Helper()
	e, err := Bind(testKey, KindLock, device, "Front door")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Each row of the table must be whole: this is the completeness test of
// "where does a topic mapping go".
func TestMappings_Complete(t *testing.T) {
	kinds := map[string]bool{}
	for _, m := range Mappings() {
		if m.Kind == "" || kinds[m.Kind] || m.Endpoint == "" || m.StateMethod == "" || m.State == nil || m.Discovery == nil {
			t.Errorf("mapping %q is incomplete or stands twice", m.Kind)
		}
		kinds[m.Kind] = true
		payloads := map[string]bool{}
		for _, c := range m.Commands {
			if c.Payload == "" || c.Method == "" || payloads[c.Payload] || c.Method == m.StateMethod {
				t.Errorf("mapping %q: command %+v", m.Kind, c)
			}
			payloads[c.Payload] = true
		}
		if found, ok := Find(m.Kind); !ok || found.Kind != m.Kind {
			t.Errorf("mapping %q is not found", m.Kind)
		}
	}
	if len(kinds) == 0 {
		t.Error("the table is empty")
	}
}

func TestBind(t *testing.T) {
	e := bind(t, "hosdev1example")
	want := map[string]string{
		"discovery": "homeassistant/lock/" + e.Object + "/config",
		"state":     "hybridos/lock/" + e.Object + "/state",
		"available": "hybridos/lock/" + e.Object + "/availability",
		"command":   "hybridos/lock/" + e.Object + "/set",
		"result":    "hybridos/lock/" + e.Object + "/result",
	}
	got := map[string]string{
		"discovery": e.Discovery, "state": e.State, "available": e.Availability, "command": e.Command, "result": e.Result,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(e.Object) != 2*objectBytes {
		t.Errorf("object id %q", e.Object)
	}
	for name, try := range map[string]func() (Entity, error){
		"unknown kind": func() (Entity, error) { return Bind(testKey, "toaster", "d", "n") },
		"short key":    func() (Entity, error) { return Bind(testKey[:15], KindLock, "d", "n") },
		"no device":    func() (Entity, error) { return Bind(testKey, KindLock, "", "n") },
		"no name":      func() (Entity, error) { return Bind(testKey, KindLock, "d", "") },
		"long name":    func() (Entity, error) { return Bind(testKey, KindLock, "d", strings.Repeat("n", maxName+1)) },
	} {
		if _, err := try(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestObjectID(t *testing.T) {
	base := ObjectID(testKey, "lock", "a")
	if base != "aa8fc239c97fb1bb5f9b" {
		t.Errorf("object id changed to %s: all topics of all bridges would change", base)
	}
	for name, other := range map[string]string{
		"device": ObjectID(testKey, "lock", "b"),
		"kind":   ObjectID(testKey, "switch", "a"),
		"key":    ObjectID([]byte("another key of 16"), "lock", "a"),
		"split":  ObjectID(testKey, "loc", "ka"),
	} {
		if other == base {
			t.Errorf("another %s gives the same object id", name)
		}
	}
}

func TestLock_Discovery(t *testing.T) {
	payload, err := lockDiscovery(bind(t, "hosdev1example"))
	if err != nil {
		t.Fatal(err)
	}
	var indented strings.Builder
	enc := json.NewEncoder(&indented)
	enc.SetIndent("", "  ")
	if err := enc.Encode(json.RawMessage(payload)); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/lock_discovery.json"
	if *update {
		if err := os.WriteFile(golden, []byte(indented.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), indented.String()); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(string(payload), "hosdev1") {
		t.Error("device id in clear")
	}
}

func TestLock_State(t *testing.T) {
	for in, want := range map[string]string{
		`{"state":"locked"}`:                   "LOCKED",
		`{"state":"unlocked","battery":80}`:    "UNLOCKED",
		`{"state":"locking"}`:                  "LOCKING",
		`{"state":"unlocking"}`:                "UNLOCKING",
		`{"state":"jammed"}`:                   "JAMMED",
		`{"state":"LOCKED"}`:                   "",
		`{"state":"open sesame"}`:              "",
		`{}`:                                   "",
		``:                                     "",
		`"locked"`:                             "",
		`{"state":"locked"}{"state":"jammed"}`: "",
		`{"state":"locked","x":"` + strings.Repeat("x", maxState) + `"}`: "",
	} {
		got, err := lockState([]byte(in))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.40s: got %q, %v", in, got, err)
		}
	}
}

func FuzzLockState(f *testing.F) {
	f.Add([]byte(`{"state":"locked"}`))
	f.Add([]byte(`{"state":1}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := lockState(in)
		known := false
		for _, payload := range lockStates {
			known = known || got == payload
		}
		if (err == nil) != known {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	})
}

func TestMethod(t *testing.T) {
	m := lock()
	for payload, want := range map[string]string{
		"LOCK": "lock", "UNLOCK": "unlock", "OPEN": "open",
		"open": "", "OPEN ": "", "": "", "STATE": "", "state": "",
	} {
		got, ok := m.Method([]byte(payload))
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", payload, got, ok)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a", "a/b", false}, {"a/b", "a", false},
		{"+/b", "a/b", true}, {"a/+", "a/b", true}, {"a/+", "a", false}, {"a/+", "a/b/c", false},
		{"#", "a/b/c", true}, {"a/#", "a", true}, {"a/#", "a/b/c", true}, {"a/#", "b", false},
		{"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true}, {"", "a", false},
		{"a/", "a", false}, {"a//b", "a//b", true}, {"a/+/b", "a//b", true}, {"/a", "a", false},
	} {
		if got := Match(c.filter, c.topic); got != c.want {
			t.Errorf("%s over %s: %v", c.filter, c.topic, got)
		}
	}
}

func TestAccess_DefaultDeny(t *testing.T) {
	mine, foreign := bind(t, "a"), bind(t, "b")
	none := (*Access)(nil)
	empty := NewAccess()
	a := NewAccess(mine)
	for _, topic := range []string{foreign.State, foreign.Command, foreign.Result, "x", "", "#", "$SYS/#", mine.Command + "/x"} {
		if a.CanPublish(topic) || a.CanRead(topic) || a.CanWill(topic) {
			t.Errorf("access to %q", topic)
		}
	}
	for _, topic := range []string{mine.State, mine.Result, mine.Discovery, mine.Availability} {
		if !a.CanRead(topic) || !a.CanSubscribe(topic) || a.CanPublish(topic) || a.CanWill(topic) {
			t.Errorf("wrong access to %s", topic)
		}
		if none.CanRead(topic) || empty.CanRead(topic) || none.CanSubscribe("#") || empty.CanSubscribe("#") {
			t.Errorf("access to %s out of nothing", topic)
		}
	}
	if !a.CanPublish(mine.Command) || a.CanRead(mine.Command) || a.CanWill(mine.Command) {
		t.Error("wrong access to the command topic")
	}
	if !a.CanWill(BirthTopic) || !a.CanPublish(BirthTopic) || none.CanWill(BirthTopic) || none.CanPublish(BirthTopic) {
		t.Error("wrong access to the birth topic")
	}
}

func TestResult_Encode(t *testing.T) {
	got, err := Result{Method: "open", Status: "executed", Code: "ok", Command: CommandText([]byte{1, 0xAB}), Receipt: []byte{0xFF, 0xEE}}.Encode()
	want := `{"method":"open","status":"executed","code":"ok","command":"01ab","receipt":"/+4="}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	codes := map[Code]bool{}
	for _, c := range Codes() {
		if codes[c] || !strings.HasPrefix(string(c), "bridge-") {
			t.Errorf("code %q", c)
		}
		codes[c] = true
		if r := Refusal("open", c); r.Status != StatusRefused || r.Code != string(c) || r.Command != "" || r.Receipt != nil {
			t.Errorf("refusal %+v", r)
		}
	}
}
