package broker_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/hbus/broker"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

// fake is a peer whose queue the test looks into; full makes it a peer that
// does not read.
type fake struct {
	s    *broker.Session
	mu   sync.Mutex // a deadline queues from its own goroutine
	full bool
	got  []string
	lost int
}

func (f *fake) Queue(m msg.Message, class broker.Class) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full && class != broker.Control {
		if class == broker.Event {
			f.lost++
		}
		return false
	}
	frame, err := msg.Append(nil, m)
	if err != nil {
		return false
	}
	f.got = append(f.got, string(frame[msg.HeaderSize:]))
	return true
}

func (f *fake) Flush() {}

// take returns what came since the last take.
func (f *fake) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.got
	f.got = nil
	return got
}

func (f *fake) want(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, f.take()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func (f *fake) send(t *testing.T, m msg.Message) *msg.Error {
	t.Helper()
	var batch broker.Batch
	defer batch.Flush()
	return f.s.Handle(m, &batch)
}

func newBroker(t *testing.T, cfg broker.Config) *broker.Broker {
	t.Helper()
	b, err := broker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func join(t *testing.T, b *broker.Broker, app string) *fake {
	t.Helper()
	f := &fake{}
	var err error
	if f.s, err = b.Attach(f, msg.Identity{UID: 5, GID: 6, PID: 7}); err != nil {
		t.Fatal(err)
	}
	if e := f.send(t, &msg.Auth{Version: msg.Version, App: app}); e != nil {
		t.Fatal(e)
	}
	f.take()
	return f
}

// pair is a provider of lock/open at front and a caller.
func pair(t *testing.T, cfg broker.Config) (lock, caller *fake) {
	b := newBroker(t, cfg)
	lock, caller = join(t, b, "lock"), join(t, b, "app")
	lock.send(t, &msg.Register{ID: 1, Endpoint: "front", Method: "lock/open"})
	lock.want(t, `{"t":"ok","id":1}`)
	return lock, caller
}

func call(id uint64) *msg.Call {
	return &msg.Call{ID: id, Target: "front", Method: "lock/open", Deadline: time.Second}
}

func invoke(id int) string {
	return fmt.Sprintf(`{"t":"invoke","id":%d,"caller":{"app":"app","uid":5,"gid":6,"pid":7},"target":"front","method":"lock/open","deadline_ms":1000}`, id)
}

const timedOut = `{"t":"error","id":7,"code":"timeout","detail":"no answer within the deadline"}`

// The provider hangs: the caller is told on time, the provider is told that
// nobody waits, and its late answer goes nowhere.
func TestCall_DeadlineEnforced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lock, caller := pair(t, broker.Config{})
		caller.send(t, call(7))
		lock.want(t, invoke(1))
		time.Sleep(time.Second - 1)
		synctest.Wait()
		caller.want(t)
		time.Sleep(1)
		synctest.Wait()
		caller.want(t, timedOut)
		lock.want(t, `{"t":"cancel","id":1}`)
		if e := lock.send(t, &msg.Result{ID: 1}); e != nil {
			t.Errorf("late answer: %v", e)
		}
		caller.want(t)
		// The caller's id is free again, and the old answer cannot hit it.
		caller.send(t, call(7))
		lock.want(t, invoke(2))
		lock.send(t, &msg.Result{ID: 1, Result: json.RawMessage("1")})
		lock.send(t, &msg.Result{ID: 2, Result: json.RawMessage("2")})
		caller.want(t, `{"t":"result","id":7,"result":2}`)
		time.Sleep(time.Minute)
		synctest.Wait()
		caller.want(t)
		lock.want(t)
	})
}

// A call without a deadline gets the default one.
func TestCall_DefaultDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, caller := pair(t, broker.Config{})
		caller.send(t, &msg.Call{ID: 7, Target: "front", Method: "lock/open"})
		time.Sleep(msg.DefaultDeadline)
		synctest.Wait()
		caller.want(t, timedOut)
	})
}

// Ids are per provider connection: a third party that guesses one hits nothing.
func TestCall_OnlyProviderAnswers(t *testing.T) {
	b := newBroker(t, broker.Config{})
	lock, caller, forger := join(t, b, "lock"), join(t, b, "app"), join(t, b, "forger")
	lock.send(t, &msg.Register{ID: 1, Endpoint: "front", Method: "lock/open"})
	lock.take()
	caller.send(t, call(7))
	lock.want(t, invoke(1))
	for _, f := range []*fake{forger, caller} {
		for id := uint64(1); id < 9; id++ {
			f.send(t, &msg.Result{ID: id, Result: json.RawMessage(`"forged"`)})
			f.send(t, &msg.Error{ID: id, Code: msg.Denied})
		}
	}
	caller.want(t)
	lock.send(t, &msg.Result{ID: 1, Result: json.RawMessage("true")})
	caller.want(t, `{"t":"result","id":7,"result":true}`)
}

func TestCall_BusyAndLimit(t *testing.T) {
	lock, caller := pair(t, broker.Config{Limits: broker.Limits{Outstanding: 2, Serving: 3}})
	lock.full = true
	caller.send(t, call(1))
	caller.want(t, `{"t":"error","id":1,"code":"busy","detail":"front does not read its calls"}`)
	lock.full = false
	for id := uint64(1); id <= 3; id++ {
		caller.send(t, call(id))
	}
	caller.want(t, `{"t":"error","id":3,"code":"limit","detail":"2 calls outstanding"}`)
	lock.send(t, &msg.Call{ID: 1, Target: "front", Method: "lock/open", Deadline: time.Second})
	lock.take()
	lock.send(t, &msg.Call{ID: 2, Target: "front", Method: "lock/open", Deadline: time.Second})
	lock.want(t, `{"t":"error","id":2,"code":"busy","detail":"3 calls wait for front"}`)
	// An answer that finds no room becomes a refusal: never silence.
	caller.full = true
	lock.send(t, &msg.Result{ID: 1})
	caller.want(t, `{"t":"error","id":1,"code":"busy","detail":"the answer found no room in the caller's queue"}`)
}

func TestCall_CancelAndDetach(t *testing.T) {
	lock, caller := pair(t, broker.Config{})
	caller.send(t, call(7))
	caller.send(t, &msg.Cancel{ID: 7})
	caller.send(t, &msg.Cancel{ID: 7})
	caller.want(t, `{"t":"error","id":7,"code":"canceled","detail":"the caller took the call back"}`)
	lock.want(t, invoke(1), `{"t":"cancel","id":1}`)
	caller.send(t, call(8))
	lock.take()
	var batch broker.Batch
	caller.s.Detach(&batch)
	caller.s.Detach(&batch)
	lock.want(t, `{"t":"cancel","id":2}`)
	lock.send(t, &msg.Result{ID: 2})
	caller.want(t)
}

func TestCall_ProviderGone(t *testing.T) {
	lock, caller := pair(t, broker.Config{})
	caller.send(t, call(7))
	var batch broker.Batch
	lock.s.Detach(&batch)
	caller.want(t, `{"t":"error","id":7,"code":"provider_gone","detail":"the provider's connection ended"}`)
	caller.send(t, call(7))
	caller.want(t, `{"t":"error","id":7,"code":"not_found","detail":"no lock/open at front"}`)
}

func TestHandle_EndsSession(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(nil)
	cfg := broker.Config{AgentKey: pub, AgentUID: 5}
	sign := func(app string, challenge []byte) []byte { return ed25519.Sign(key, msg.ProofMessage(challenge, app)) }
	b := newBroker(t, cfg)
	for _, tc := range []struct {
		name string
		m    func(challenge []byte) msg.Message
		want msg.Code
	}{
		{"call first", func([]byte) msg.Message { return call(1) }, msg.NotAuthenticated},
		{"version", func([]byte) msg.Message { return &msg.Auth{Version: 2, App: "a"} }, msg.BadVersion},
		{"old challenge", func([]byte) msg.Message {
			return &msg.Auth{Version: 1, App: "a", Key: pub, Proof: sign("a", make([]byte, msg.ChallengeSize))}
		}, msg.BadProof},
		{"proof for another name", func(c []byte) msg.Message {
			return &msg.Auth{Version: 1, App: "a", Key: pub, Proof: sign("b", c)}
		}, msg.BadProof},
		{"right", func(c []byte) msg.Message {
			return &msg.Auth{Version: 1, App: "a", Key: pub, Proof: sign("a", c)}
		}, ""},
	} {
		f := &fake{}
		var err error
		if f.s, err = b.Attach(f, msg.Identity{UID: 5}); err != nil {
			t.Fatal(err)
		}
		hello, err := msg.Decode([]byte(f.take()[0]))
		if err != nil {
			t.Fatal(err)
		}
		e := f.send(t, tc.m(hello.(*msg.Hello).Challenge))
		if tc.want == "" && e != nil || tc.want != "" && (e == nil || e.Code != tc.want) {
			t.Errorf("%s: got %v", tc.name, e)
		}
	}
	lock, caller := pair(t, broker.Config{})
	caller.send(t, call(1))
	for _, m := range []msg.Message{call(1)} {
		if e := caller.send(t, m); e == nil || e.Code != msg.DuplicateID {
			t.Errorf("duplicate id: %v", e)
		}
	}
	for _, m := range []msg.Message{&msg.Auth{Version: 1, App: "x"}, &msg.Event{}, &msg.Invoke{}, &msg.Hello{}, &msg.Lost{N: 1}, &msg.OK{ID: 1}} {
		if e := lock.send(t, m); e == nil || e.Code != msg.Unexpected {
			t.Errorf("%s: %v", m.Type(), e)
		}
	}
}

func TestEvents_System(t *testing.T) {
	b := newBroker(t, broker.Config{Limits: broker.Limits{Subscriptions: 2}})
	f := join(t, b, "app")
	f.send(t, &msg.Subscribe{ID: 1, Pattern: "hbus/*"})
	f.send(t, &msg.Subscribe{ID: 2, Pattern: "hbus/*"})
	f.send(t, &msg.Subscribe{ID: 3, Pattern: "*"})
	f.send(t, &msg.Subscribe{ID: 4, Pattern: "x/*"})
	f.send(t, &msg.Unsubscribe{ID: 5, Pattern: "x/*"})
	f.want(t, `{"t":"ok","id":1}`, `{"t":"error","id":2,"code":"exists","detail":"you are subscribed to hbus/*"}`,
		`{"t":"ok","id":3}`, `{"t":"error","id":4,"code":"limit","detail":"2 subscriptions"}`,
		`{"t":"error","id":5,"code":"not_found","detail":"you are not subscribed to x/*"}`)
	lock := join(t, b, "lock")
	lock.send(t, &msg.Register{ID: 1, Endpoint: "front", Method: "lock/open"})
	var batch broker.Batch
	lock.s.Detach(&batch)
	var names []string
	for _, body := range f.take() {
		m, err := msg.Decode([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		e := m.(*msg.Event)
		if e.From.App != msg.Reserved || !json.Valid(e.Data) {
			t.Errorf("%s", body)
		}
		names = append(names, e.Name)
	}
	if diff := cmp.Diff([]string{"hbus/joined", "hbus/registered", "hbus/unregistered", "hbus/left"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestConfig_Validate(t *testing.T) {
	key := make(ed25519.PublicKey, ed25519.PublicKeySize)
	for name, cfg := range map[string]broker.Config{
		"agent key":    {AgentKey: key[:5]},
		"app name":     {Apps: []broker.App{{Name: "A", Key: key}}},
		"reserved":     {Apps: []broker.App{{Name: "hbus", Key: key}}},
		"app key":      {Apps: []broker.App{{Name: "a", Key: key[:5]}}},
		"unbound":      {Apps: []broker.App{{Name: "a"}}},
		"twice":        {Apps: []broker.App{{Name: "a", Key: key}, {Name: "b", Key: key, Endpoints: []string{"a"}}}},
		"endpoint":     {Apps: []broker.App{{Name: "a", Key: key, Endpoints: []string{"/"}}}},
		"negative":     {Limits: broker.Limits{Peers: -1}},
		"bad endpoint": {Apps: []broker.App{{Name: "a", UIDs: []uint32{1}, Endpoints: []string{""}}}},
	} {
		if _, err := broker.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	b := newBroker(t, broker.Config{Rand: errReader{}})
	if _, err := b.Attach(&fake{}, msg.Identity{}); err == nil {
		t.Error("attached without a challenge")
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("no entropy") }
