package msg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	key32   = bytes.Repeat([]byte{0xab}, 32)
	plain   = Identity{App: "lock", UID: 1000, GID: 100, PID: 7}
	proven  = Identity{App: "agent", UID: 0, GID: 0, PID: 1, Key: key32, Agent: true}
	hexKey  = strings.Repeat("ab", 32)
	idJSON  = `{"app":"lock","uid":1000,"gid":100,"pid":7}`
	id2JSON = `{"app":"agent","uid":0,"gid":0,"pid":1,"key":"` + hexKey + `","agent":true}`
)

// vectors are the exact bytes of every message; docs/spec/hbus.md shows the
// same ones. Old lines never change.
var vectors = []struct {
	m    Message
	body string
}{
	{&Hello{Version: 1, Challenge: key32}, `{"t":"hello","version":1,"challenge":"` + hexKey + `"}`},
	{&Auth{Version: 1, App: "lock"}, `{"t":"auth","version":1,"app":"lock"}`},
	{&Auth{Version: 1, App: "lock", Key: key32, Proof: append(key32[:32:32], key32...)},
		`{"t":"auth","version":1,"app":"lock","key":"` + hexKey + `","proof":"` + hexKey + hexKey + `"}`},
	{&Welcome{You: plain}, `{"t":"welcome","you":` + idJSON + `}`},
	{&Register{ID: 1, Endpoint: "front", Method: "lock/open"}, `{"t":"register","id":1,"endpoint":"front","method":"lock/open"}`},
	{&Register{ID: 1, Endpoint: "front", Method: "lock/open", RequireVerified: true},
		`{"t":"register","id":1,"endpoint":"front","method":"lock/open","require_verified":true}`},
	{&Unregister{ID: 2, Endpoint: "front", Method: "lock/open"}, `{"t":"unregister","id":2,"endpoint":"front","method":"lock/open"}`},
	{&Call{ID: 3, Target: "front", Method: "lock/open"}, `{"t":"call","id":3,"target":"front","method":"lock/open"}`},
	{&Call{ID: 3, Target: "front", Method: "lock/open", Params: json.RawMessage(`{ "a":1 }`), Deadline: 2 * time.Second, Verified: json.RawMessage(`{"command":"00"}`)},
		`{"t":"call","id":3,"target":"front","method":"lock/open","deadline_ms":2000,"verified":{"command":"00"},"params":{ "a":1 }}`},
	{&Invoke{ID: 9, Target: "front", Method: "lock/open", Params: json.RawMessage(`[]`), Deadline: time.Second, Verified: json.RawMessage(`{}`), Caller: &proven},
		`{"t":"invoke","id":9,"caller":` + id2JSON + `,"target":"front","method":"lock/open","deadline_ms":1000,"verified":{},"params":[]}`},
	{&Cancel{ID: 3}, `{"t":"cancel","id":3}`},
	{&Result{ID: 3, Result: json.RawMessage(`true`)}, `{"t":"result","id":3,"result":true}`},
	{&Error{ID: 3, Code: Timeout, Detail: "a \"quote\"\n"}, `{"t":"error","id":3,"code":"timeout","detail":"a \"quote\"\u000a"}`},
	{&Error{Code: Malformed}, `{"t":"error","code":"malformed"}`},
	{&OK{ID: 3}, `{"t":"ok","id":3}`},
	{&Publish{Name: "lock/state", Data: json.RawMessage(`1`)}, `{"t":"publish","name":"lock/state","data":1}`},
	{&Publish{ID: 4, Name: "lock/front/state"}, `{"t":"publish","id":4,"name":"lock/front/state"}`},
	{&Event{Seq: 5, Name: "lock/state", Data: json.RawMessage(`1`), From: &plain}, `{"t":"event","seq":5,"name":"lock/state","from":` + idJSON + `,"data":1}`},
	{&Subscribe{ID: 6, Pattern: "lock/*"}, `{"t":"subscribe","id":6,"pattern":"lock/*"}`},
	{&Unsubscribe{ID: 7, Pattern: "*"}, `{"t":"unsubscribe","id":7,"pattern":"*"}`},
	{&Lost{N: 12}, `{"t":"lost","n":12}`},
	{&List{ID: 8}, `{"t":"list","id":8}`},
	{&List{ID: 8, Endpoint: "front", AfterEndpoint: "front", AfterMethod: "lock/open"},
		`{"t":"list","id":8,"endpoint":"front","after_endpoint":"front","after_method":"lock/open"}`},
	{&Listing{ID: 8, Methods: []Entry{}}, `{"t":"listing","id":8,"methods":[]}`},
	{&Listing{ID: 8, More: true, Methods: []Entry{{"front", "lock/open", true, plain}, {"front", "lock/shut", false, proven}}},
		`{"t":"listing","id":8,"more":true,"methods":[{"endpoint":"front","method":"lock/open","require_verified":true,"provider":` + idJSON +
			`},{"endpoint":"front","method":"lock/shut","provider":` + id2JSON + `}]}`},
	{&Ping{ID: 9}, `{"t":"ping","id":9}`},
	{&Pong{ID: 9}, `{"t":"pong","id":9}`},
}

func TestVectors(t *testing.T) {
	if len(vectors) != 27 {
		t.Fatalf("%d vectors", len(vectors))
	}
	seen := map[string]bool{}
	for _, v := range vectors {
		seen[v.m.Type()] = true
		frame, err := Append(nil, v.m)
		if err != nil {
			t.Fatal(err)
		}
		n, err := BodySize(frame)
		if err != nil || n != len(frame)-HeaderSize || string(frame[HeaderSize:]) != v.body {
			t.Errorf("%s encodes to\n%s, want\n%s (%v)", v.m.Type(), frame[HeaderSize:], v.body, err)
		}
		got, err := Decode([]byte(v.body))
		if err != nil {
			t.Errorf("%s: %v", v.body, err)
			continue
		}
		if diff := cmp.Diff(v.m, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", v.body, diff)
		}
	}
	for _, name := range Types() {
		if !seen[name] {
			t.Errorf("no vector for %s", name)
		}
		if reader(name) == nil {
			t.Errorf("no reader for %s", name)
		}
	}
}

func nest(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestDecode_Refusals(t *testing.T) {
	call := func(params string) string {
		return `{"t":"call","id":1,"target":"a","method":"a/b","params":` + params + `}`
	}
	var many strings.Builder
	for i := range 40 {
		fmt.Fprintf(&many, `"k%d":0,`, i)
	}
	for _, tc := range []struct {
		body string
		want Code
	}{
		{``, Malformed}, {` `, Malformed}, {`[]`, Malformed}, {`"t"`, Malformed}, {`{`, Malformed}, {`{}`, MissingField},
		{"\xef\xbb\xbf{}", Malformed}, {`{"t":"ping","id":1}x`, Malformed}, {`{"t":"ping","id":1}{}`, Malformed},
		{`{"t":"ping","id":1,}`, Malformed}, {`{"t":"ping" "id":1}`, Malformed}, {`{t:"ping"}`, Malformed}, {`{"t"}`, Malformed},
		{`{"t":"ping","id":01}`, Malformed}, {`{"t":"ping","id":+1}`, Malformed}, {"{\"t\":\"pi\x01ng\"}", Malformed},
		{"{\"t\":\"\xff\"}", Malformed}, {`{"t":"\x"}`, Malformed}, {`{"t":"\u12"}`, Malformed}, {`{"t":"\`, Malformed}, {`{"t":"`, Malformed},
		{call(`"\ud800"`), Malformed}, {call(`"\udc00\ud800"`), Malformed}, {call(`nul`), Malformed}, {call(`1.`), Malformed},
		{call(`1e`), Malformed}, {call(`-`), Malformed}, {call(`.5`), Malformed}, {call(`[1 2]`), Malformed}, {call(`[1,]`), Malformed},
		{call(`NaN`), Malformed}, {call(`[`), Malformed}, {call(`{"a":1`), Malformed}, {call("[1,2"), Malformed},
		{call(nest(MaxDepth + 1)), TooDeep}, {call(strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17)), TooDeep},
		{`{"t":"ping","id":1,"id":1}`, DuplicateKey}, {`{"t":"ping","id":1,"\u0069d":1}`, DuplicateKey}, {call(`{"a":1,"a":1}`), DuplicateKey},
		{call(`[{"x":{"\/":1,"/":2}}]`), DuplicateKey}, {call(`{` + many.String() + `"k39":1}`), DuplicateKey},
		{`{"t":"nope"}`, UnknownType}, {`{"t":""}`, UnknownType}, {`{"t":1}`, BadValue},
		{`{"t":"ping","id":1,"x":0}`, UnknownField}, {`{"t":"ping","id":1,"ID":1}`, UnknownField},
		{`{"t":"call","id":1,"target":"a","method":"a/b","caller":{}}`, UnknownField},
		{`{"t":"ping",` + many.String() + `"id":1}`, UnknownField},
		{`{"t":"welcome","you":{"app":"a","uid":1,"gid":1,"pid":1,"x":1}}`, UnknownField},
		{`{"t":"ping"}`, MissingField}, {`{"t":"call","id":1,"target":"a"}`, MissingField}, {`{"t":"result","id":1}`, MissingField},
		{`{"t":"auth","version":1,"app":"a","key":"` + hexKey + `"}`, MissingField}, {`{"t":"welcome"}`, MissingField},
		{`{"t":"welcome","you":{"app":"a","uid":1,"gid":1}}`, MissingField}, {`{"t":"hello","version":1}`, BadValue},
		{`{"t":"ping","id":0}`, BadValue}, {`{"t":"ping","id":-1}`, BadValue}, {`{"t":"ping","id":1.0}`, BadValue}, {`{"t":"ping","id":"1"}`, BadValue},
		{`{"t":"ping","id":9007199254740992}`, BadValue}, {`{"t":"ping","id":18446744073709551617}`, BadValue}, {`{"t":"ping","id":null}`, BadValue},
		{`{"t":"lost","n":0}`, BadValue}, {`{"t":"error","code":"nope"}`, BadValue}, {`{"t":"error","code":"busy","detail":"` + strings.Repeat("x", MaxDetail+1) + `"}`, BadValue},
		{`{"t":"register","id":1,"endpoint":"a","method":"a/b","require_verified":1}`, BadValue},
		{`{"t":"call","id":1,"target":"a","method":"a/b","deadline_ms":600001}`, BadValue},
		{`{"t":"call","id":1,"target":"a","method":"a/b","verified":"x"}`, BadValue}, {`{"t":"call","id":1,"target":"a","method":"a/b","verified":null}`, BadValue},
		{`{"t":"auth","version":1,"app":"a","key":"","proof":""}`, BadValue}, {`{"t":"auth","version":1,"app":"a","key":"` + strings.ToUpper(hexKey) + `"}`, BadValue},
		{`{"t":"hello","version":1,"challenge":"ab"}`, BadValue}, {`{"t":"welcome","you":1}`, BadValue}, {`{"t":"listing","id":1,"methods":{}}`, BadValue},
		{`{"t":"listing","id":1,"methods":[1]}`, BadValue}, {`{"t":"welcome","you":{"app":"a","uid":4294967296,"gid":1,"pid":1}}`, BadValue},
		{`{"t":"call","id":1,"target":"A","method":"a/b"}`, BadName}, {`{"t":"call","id":1,"target":"a","method":"a"}`, BadName},
		{`{"t":"auth","version":1,"app":"a/b"}`, BadName}, {`{"t":"publish","name":"a"}`, BadName}, {`{"t":"subscribe","id":1,"pattern":"a*"}`, BadName},
		{`{"t":"list","id":1,"after_endpoint":"a"}`, BadName}, {`{"t":"list","id":1,"endpoint":"-"}`, BadName},
		{`{"t":"call","id":1,"target":"a","method":"a/b","verified":{"x":"` + strings.Repeat("x", MaxVerified) + `"}}`, TooLarge},
		{call(`"` + strings.Repeat("x", MaxPayload) + `"`), TooLarge}, {strings.Repeat(" ", MaxFrame+1), TooLarge},
	} {
		m, err := Decode([]byte(tc.body))
		if m != nil || !errors.Is(err, tc.want) {
			t.Errorf("%.120s: got %v, %v; want %s", tc.body, m, err, tc.want)
		}
	}
	if _, err := Decode([]byte(call(nest(MaxDepth)))); err != nil {
		t.Errorf("%d levels: %v", MaxDepth, err)
	}
}

func TestBodySize(t *testing.T) {
	for _, tc := range []struct {
		header string
		n      int
		want   error
	}{
		{"\x00\x00\x00\x01", 1, nil}, {"\x00\x04\x00\x00", MaxFrame, nil},
		{"\x00\x00\x00\x00", 0, Malformed}, {"\x00\x04\x00\x01", 0, TooLarge}, {"\xff\xff\xff\xff", 0, TooLarge},
	} {
		if n, err := BodySize([]byte(tc.header)); n != tc.n || !errors.Is(err, tc.want) {
			t.Errorf("%x: got %d, %v", tc.header, n, err)
		}
	}
	big := &Result{ID: 1, Result: bytes.Repeat([]byte{'1'}, MaxFrame)}
	if out, err := Append([]byte("x"), big); string(out) != "x" || !errors.Is(err, TooLarge) {
		t.Errorf("got %d bytes, %v", len(out), err)
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", MaxApp+1)
	for _, tc := range []struct {
		check func(string) error
		good  []string
		bad   []string
	}{
		{CheckApp, []string{"a", "0", "lock-2.x_y", long[:MaxApp]}, []string{"", "A", "-a", ".a", "a/b", "a b", "é", "a\x00", "*", long}},
		{CheckEndpoint, []string{"front"}, []string{"", "a/b", "@host", long}},
		{CheckMethod, []string{"a/b", "lock/open"}, []string{"", "a", "/", "a/", "/b", "a/b/c", "a//b", "a/*", long + "/a", "a/" + long}},
		{CheckEvent, []string{"a/b", "a/b/c", "a/b/c/d/e/f/g/h"}, []string{"", "a", "*", "a/*", "a//b", "a/b/", "a/b/c/d/e/f/g/h/i"}},
		{CheckPattern, []string{"*", "a/*", "a/b/*", "a/b"}, []string{"", "a", "a*", "a/b*", "*/a", "**", "a/*/b", "/*", "a/**"}},
	} {
		for _, s := range tc.good {
			if err := tc.check(s); err != nil {
				t.Errorf("%q: %v", s, err)
			}
		}
		for _, s := range tc.bad {
			if err := tc.check(s); !errors.Is(err, BadName) {
				t.Errorf("%q: got %v", s, err)
			}
		}
	}
	if !Match("*", "a/b") || !Match("a/*", "a/b/c") || !Match("a/b", "a/b") || Match("a/*", "ab/c") || Match("a/b", "a/b/c") {
		t.Error("Match")
	}
}

// Every code is known, stands in the spec, and only four may come from a
// provider.
func TestCodes(t *testing.T) {
	spec, err := os.ReadFile("../../docs/spec/hbus.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[Code]bool{}
	providers := 0
	for _, c := range Codes() {
		if seen[c] || !c.Known() || !regexp.MustCompile(`^[a-z_]+$`).MatchString(string(c)) {
			t.Errorf("code %q", c)
		}
		seen[c] = true
		if c.FromProvider() {
			providers++
		}
		if !bytes.Contains(spec, []byte("| `"+string(c)+"` |")) {
			t.Errorf("%s is not in the spec", c)
		}
		if !errors.Is(fmt.Errorf("x: %w", Refuse(c, "y")), c) {
			t.Errorf("errors.Is does not find %s", c)
		}
	}
	if len(seen) != 30 || providers != 4 || Code("x").Known() {
		t.Errorf("%d codes, %d of providers", len(seen), providers)
	}
	if !errors.Is(Refuse(Timeout, ""), context.DeadlineExceeded) || !errors.Is(Refuse(Canceled, ""), context.Canceled) {
		t.Error("context errors")
	}
	for _, name := range Types() {
		if !bytes.Contains(spec, []byte("| `"+name+"` |")) {
			t.Errorf("message %s is not in the spec", name)
		}
	}
}

func TestError_DetailIsCut(t *testing.T) {
	frame, _ := Append(nil, &Error{Code: Failed, Detail: strings.Repeat("\xffé", MaxDetail)})
	m, err := Decode(frame[HeaderSize:])
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m.(*Error).Detail); n > MaxDetail || n < MaxDetail-3 {
		t.Errorf("%d bytes", n)
	}
}

// The longest listing fits a frame.
func TestListing_Fits(t *testing.T) {
	l := &Listing{ID: MaxID, More: true}
	name := strings.Repeat("a", MaxApp)
	max := Identity{App: name, UID: 1<<32 - 1, GID: 1<<32 - 1, PID: 1<<32 - 1, Key: key32, Agent: true}
	for range MaxListing {
		l.Methods = append(l.Methods, Entry{name, name + "/" + name, true, max})
	}
	if _, err := Append(nil, l); err != nil {
		t.Error(err)
	}
	frame, err := Append(nil, &Invoke{ID: MaxID, Caller: &max, Target: name, Method: name + "/" + name, Deadline: MaxDeadline,
		Params: make([]byte, MaxPayload), Verified: make([]byte, MaxVerified)})
	if err != nil {
		t.Errorf("%d bytes: %v", len(frame), err)
	}
}

// What the scanner takes, encoding/json takes too, and text means the same.
func FuzzPayload(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e-3,null,true]}`, `"\u00e9\ud83d\ude00\n"`, ` [ ] `, nest(16), `{"a":1,"a":2}`, `-0`, `"x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if CheckPayload(raw, MaxPayload) != nil {
			return
		}
		if !json.Valid(raw) {
			t.Fatalf("%q is not JSON", raw)
		}
		if trimmed := bytes.TrimSpace(raw); trimmed[0] == '"' {
			var want string
			if err := json.Unmarshal(trimmed, &want); err != nil || want != string(unquote(trimmed)) {
				t.Fatalf("%q reads as %q, want %q", raw, unquote(trimmed), want)
			}
		}
	})
}

// What decodes encodes again to a frame that decodes to the same.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Decode(body)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok || m != nil {
				t.Fatalf("refused with %v, %v", m, err)
			}
			return
		}
		frame, err := Append(nil, m)
		if err != nil {
			return // grew over the cap by escaping
		}
		again, err := Decode(frame[HeaderSize:])
		if err != nil {
			t.Fatalf("%s became %s: %v", body, frame[HeaderSize:], err)
		}
		if diff := cmp.Diff(m, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Damage of every vector never panics and never passes as something longer.
func TestDecode_Damaged(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var d Decoder
	for _, v := range vectors {
		for i := range len(v.body) {
			if m, err := d.Decode([]byte(v.body[:i])); err == nil {
				t.Errorf("%s passed as %v", v.body[:i], m)
			}
			b := []byte(v.body)
			b[i] = byte(rnd.IntN(256))
			d.Decode(b)
		}
	}
}
