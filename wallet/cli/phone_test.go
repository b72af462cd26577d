package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/phone"
	"github.com/hybridos-net/hybridos/wallet/phone/phonetest"
)

var linkForm = regexp.MustCompile(`https?://[a-z0-9.:-]+/#phone=[A-Za-z0-9_-]+`)

// linkWatch is a standard output in which somebody waits for a link.
type linkWatch struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	found chan string
}

func (l *linkWatch) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(b)
	if link := linkForm.FindString(string(b)); link != "" {
		l.found <- link
	}
	return len(b), nil
}

// run is one command line that invites a phone.
type run struct {
	exit      int
	out, talk string
	phone     phonetest.Outcome
	phoneErr  error
	told      bool // the phone came to an end
}

// invite runs a command line and does with its link what somebody with a phone
// does, at the same time.
func (p *person) invite(ctx context.Context, open func(ctx context.Context, link string) (phonetest.Outcome, error), args ...string) run {
	p.t.Helper()
	out := &linkWatch{found: make(chan string, 1)}
	var talk bytes.Buffer
	a := New(Config{In: strings.NewReader(""), Out: out, Err: &talk, Random: rand.Reader, Console: p.console,
		Getenv: func(k string) string { return p.env[k] },
		Now:    func() time.Time { return p.w.now },
		Dial:   func(*genesis.Doc, []string, light.Store) (Network, error) { return p.w, nil }})
	var r run
	over, end := context.WithCancel(p.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case link := <-out.found:
			r.phone, r.phoneErr = open(over, link)
			r.told = true
		case <-over.Done():
		}
	})
	r.exit = a.Run(ctx, args)
	if !strings.Contains(out.buf.String(), "#phone=") {
		end() // nobody will ever open a link
	}
	wg.Wait()
	end()
	r.out, r.talk = out.buf.String(), talk.String()
	return r
}

// lines decodes what was printed with --json.
func (r run) lines(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(r.out) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("printed %q: %v", line, err)
		}
		out = append(out, m)
	}
	return out
}

// keys reads the keys of the person's account on the ledger.
func (p *person) keys() state.KeySet {
	p.t.Helper()
	id, err := key.ParseAccountID(p.json("hos.key", "key", "show")["account"].(string))
	if err != nil {
		p.t.Fatal(err)
	}
	a, err := state.GetAccount(p.w.tree, id)
	if err != nil {
		p.t.Fatal(err)
	}
	return a.KeySet
}

// press is what the page does when its button is pressed: a command signed with
// the passkey, judged by the device.
func (w *world) press(t *testing.T, o phonetest.Outcome, grant *tx.ID, method string, nonce uint64) *command.Receipt {
	t.Helper()
	d := o.Offer.Devices[0]
	caller := sdk.Caller{Chain: o.Offer.Chain, Key: o.Passkey, Principal: o.Offer.Account, Grant: grant, Salt: 7,
		Nonce: func() (uint64, error) { return nonce, nil }, Now: func() time.Time { return w.now }}
	c, err := caller.Sign(sdk.Call{Device: d.Key.DeviceID(), Epoch: d.Epoch, Endpoint: d.Endpoint, Method: method})
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Send(t.Context(), d.Key, nil, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestJourney_Phone: a phone is added, opens the door, is listed, and is ended.
func TestJourney_Phone(t *testing.T) {
	w := newWorld(t)
	p, dev := w.owner(t, "lock")
	_, origin := phonetest.NewBoxes(t)
	p.hos(exitOK, "init", "--phone-url", origin.String())

	r := p.invite(t.Context(), phonetest.Phone{Name: "ana", Label: "Anas Telefon"}.Add, "key", "add-phone", "--json", "--yes", "--label", "Ana")
	if r.exit != exitOK || r.phoneErr != nil {
		t.Fatalf("exit %d, phone %v\n%s", r.exit, r.phoneErr, r.talk)
	}
	id := r.phone.Passkey.Public().ID()
	lines := r.lines(t)
	if len(lines) != 3 || lines[0]["schema"] != "hos.phone.link" || lines[0]["purpose"] != "own" ||
		lines[1]["schema"] != "hos.phone.key" || lines[1]["id"] != id.String() || lines[1]["compare"] != r.phone.Compare || lines[1]["alg"] != float64(3) ||
		lines[1]["rp_id"] != "localhost" || lines[1]["label"] != "Anas Telefon" || lines[2]["schema"] != "hos.tx" || lines[2]["kind"] != "rotate-keys" {
		t.Errorf("printed %s", r.out)
	}
	if k, ok := p.keys().Find(id); !ok || k.Rights != tx.RightInvoke {
		t.Errorf("the account has %+v", p.keys())
	}
	if o := r.phone.Offer; o.Label != "Ana" || len(o.Devices) != 1 || o.Devices[0].Name != "front-door" || o.Devices[0].Epoch != 1 {
		t.Errorf("offered %+v", o)
	}
	if got := w.press(t, r.phone, nil, "open", 1); got.Body.Code != command.OK || dev.opened != 1 {
		t.Errorf("the door says %s", got.Body.Code)
	}

	list := p.json("hos.key.list", "key", "list")["keys"].([]any)
	if len(list) != 2 {
		t.Fatalf("list %v", list)
	}
	mine, phoneKey := list[0].(map[string]any), list[1].(map[string]any)
	if mine["mine"] != true || phoneKey["mine"] != false || phoneKey["id"] != id.String() || phoneKey["label"] != "Anas Telefon" || phoneKey["rp_id"] != "localhost" {
		t.Errorf("list %v", list)
	}
	if out, _ := p.hos(exitOK, "key", "list"); !strings.Contains(out, "this wallet         admin,invoke") || !strings.Contains(out, "phone Anas Telefon  invoke") {
		t.Errorf("list:\n%s", out)
	}
	if s := p.json("hos.status", "status"); s["phones"] != float64(1) {
		t.Errorf("status %v", s)
	}

	_, talk := p.hos(exitOK, "key", "revoke", id.String(), "--yes")
	if !strings.Contains(talk, "removes") || !strings.Contains(talk, "can command nothing") {
		t.Errorf("revoking says\n%s", talk)
	}
	if got := w.press(t, r.phone, nil, "open", 2); got.Body.Code != command.UnknownKey || dev.opened != 1 {
		t.Errorf("after revocation the door says %s", got.Body.Code)
	}
	p.hos(exitDenied, "key", "revoke", id.String(), "--yes") // no key of the account any more
	if s := p.json("hos.status", "status"); s["phones"] != float64(0) {
		t.Errorf("status %v", s)
	}
}

// TestPhone_Words: a person at a terminal sees link, picture, key and number,
// and is asked before anything is signed; a second phone leaves the first.
func TestPhone_Words(t *testing.T) {
	w := newWorld(t)
	p, _ := w.owner(t, "lock")
	_, origin := phonetest.NewBoxes(t)
	p.console = &answers{list: []string{"y", "no"}}
	r := p.invite(t.Context(), phonetest.Phone{Name: "one", Label: "One"}.Add, "key", "add-phone", "--url", origin.String())
	if r.exit != exitOK || r.phoneErr != nil {
		t.Fatalf("exit %d, phone %v\n%s", r.exit, r.phoneErr, r.talk)
	}
	id := r.phone.Passkey.Public().ID().String()
	for _, want := range []string{"▄", "show it to nobody else", `The phone "One" answers with the key ` + id, "It must show the number " + r.phone.Compare,
		"adds", "passkey for localhost", "cannot give rights away"} {
		if !strings.Contains(r.talk, want) {
			t.Errorf("%q is not said in\n%s", want, r.talk)
		}
	}
	if !strings.HasPrefix(r.out, "link  "+origin.String()+"/#phone=") || !strings.Contains(r.out, "done: the phone key "+id+" may command your devices\n") {
		t.Errorf("printed %s", r.out)
	}

	before := p.keys()
	r = p.invite(t.Context(), phonetest.Phone{Name: "two"}.Add, "key", "add-phone", "--url", origin.String())
	if r.exit != exitFailure || !errors.Is(r.phoneErr, phonetest.ErrNotAdded) || !strings.Contains(r.phoneErr.Error(), "The owner said no.") {
		t.Errorf("declined: exit %d, phone %v\n%s", r.exit, r.phoneErr, r.talk)
	}
	if p.keys().Version != before.Version {
		t.Error("a key was added that was declined")
	}
	p.console = nil
	r = p.invite(t.Context(), phonetest.Phone{Name: "two"}.Add, "key", "add-phone", "--url", origin.String(), "--yes", "--quiet")
	if r.exit != exitOK || r.phoneErr != nil || r.talk != "" || len(p.keys().Keys) != 3 {
		t.Errorf("second phone: exit %d, phone %v, keys %d\n%s", r.exit, r.phoneErr, len(p.keys().Keys), r.talk)
	}
	r = p.invite(t.Context(), phonetest.Phone{Name: "two"}.Add, "key", "add-phone", "--url", origin.String(), "--yes", "--json")
	if r.exit != exitFailure || !strings.Contains(r.talk, `"kind":"key_exists"`) {
		t.Errorf("the same again: exit %d\n%s", r.exit, r.talk)
	}
}

// TestJourney_GuestPhone: a guest's phone gets a grant over a link, and loses
// it.
func TestJourney_GuestPhone(t *testing.T) {
	w := newWorld(t)
	p, dev := w.owner(t, "lock")
	_, origin := phonetest.NewBoxes(t)
	add := []string{"grant", "add", "front-door", "lock.open", "lock.state", "--for", "24h", "--phone", "--url", origin.String(), "--name", "guest", "--yes"}
	r := p.invite(t.Context(), phonetest.Phone{Name: "guest", Label: "Gast"}.Add, append(add, "--json")...)
	if r.exit != exitOK || r.phoneErr != nil {
		t.Fatalf("exit %d, phone %v\n%s", r.exit, r.phoneErr, r.talk)
	}
	lines := r.lines(t)
	if len(lines) != 3 || lines[0]["purpose"] != "guest" || lines[2]["schema"] != "hos.grant" || lines[2]["invitation"] != "" {
		t.Errorf("printed %s", r.out)
	}
	done := r.phone.Done
	if len(done.Grants) != 1 || len(done.Devices) != 1 || strings.Join(done.Devices[0].Methods, " ") != "open state" {
		t.Fatalf("the phone got %+v", done)
	}
	g, err := tx.Decode(done.Grants[0])
	if err != nil {
		t.Fatal(err)
	}
	id := g.ID(w.doc.Chain())
	if id.String() != lines[2]["grant"] || len(p.keys().Keys) != 1 {
		t.Errorf("grant %s, and the account has %d keys", id, len(p.keys().Keys))
	}
	for n, c := range []struct {
		method string
		want   command.Code
	}{{"open", command.OK}, {"state", command.OK}, {"unlock", command.NotGranted}} {
		if got := w.press(t, r.phone, &id, c.method, uint64(n+1)); got.Body.Code != c.want {
			t.Errorf("%s: %s, want %s", c.method, got.Body.Code, c.want)
		}
	}
	if out, _ := p.hos(exitOK, "grant", "list"); !strings.Contains(out, "guest") {
		t.Errorf("list\n%s", out)
	}
	p.hos(exitOK, "grant", "revoke", id.String()[:12])
	if got := w.press(t, r.phone, &id, "open", 9); got.Body.Code != command.GrantRevoked || dev.opened != 1 {
		t.Errorf("after revocation: %s, opened %d times", got.Body.Code, dev.opened)
	}

	w.refuse = 1 // another wallet of the owner was first: the grant is built again, the phone need not sign
	r = p.invite(t.Context(), phonetest.Phone{Name: "second guest"}.Add, "grant", "add", "front-door", "lock.open", "--for", "1h", "--phone", "--url", origin.String(), "--yes")
	if r.exit != exitOK || r.phoneErr != nil || !strings.Contains(r.out, "done: the phone may use front-door") {
		t.Errorf("exit %d, phone %v\n%s%s", r.exit, r.phoneErr, r.out, r.talk)
	}
	if out, _ := p.hos(exitOK, "grant", "list"); !strings.Contains(out, "phone "+r.phone.Passkey.Public().ID().String()) {
		t.Errorf("list\n%s", out)
	}
}

// TestPhone_WrongKeyOrProof: what is not the passkey that was asked for, or not
// proven, is refused, and the phone is told.
func TestPhone_WrongKeyOrProof(t *testing.T) {
	w := newWorld(t)
	p, _ := w.owner(t, "lock")
	_, origin := phonetest.NewBoxes(t)
	public := func(k key.Public) func(phone.Offer) key.Public { return func(phone.Offer) key.Public { return k } }
	sign := func(change func(*keytest.Assertion)) func(*keytest.Passkey, [32]byte) key.Signature {
		return func(k *keytest.Passkey, d [32]byte) key.Signature { return k.With(change).Sign(d) }
	}
	type a = keytest.Assertion
	cases := map[string]struct {
		phone phonetest.Phone
		kind  string
	}{
		"a wallet's key":   {phonetest.Phone{Public: public(statetest.Key("x").Public())}, "wrong_phone_key"},
		"a browser's key":  {phonetest.Phone{Public: public(keytest.P256("x").Public())}, "wrong_phone_key"},
		"another name":     {phonetest.Phone{Public: public(keytest.NewPasskey("x", "home.example", "https://home.example").Public())}, "wrong_phone_key"},
		"another port":     {phonetest.Phone{Public: public(keytest.NewPasskey("x", "localhost", "http://localhost:1").Public())}, "wrong_phone_key"},
		"a further origin": {phonetest.Phone{Public: public(keytest.NewPasskey("x", "localhost", origin.String(), "https://localhost").Public())}, "wrong_phone_key"},
		"somebody else's":  {phonetest.Phone{Public: public(keytest.NewPasskey("x", "localhost", origin.String()).Public())}, "bad_signature"},
		"another digest":   {phonetest.Phone{Sign: sign(func(v *a) { v.Challenge = make([]byte, 32) })}, "wrong_challenge"},
		"another origin":   {phonetest.Phone{Sign: sign(func(v *a) { v.Origin = "https://evil.example" })}, "wrong_origin"},
		"another rp":       {phonetest.Phone{Sign: sign(func(v *a) { v.RPID = "evil.example" })}, "wrong_rp"},
		"not verified":     {phonetest.Phone{Sign: sign(func(v *a) { v.Flags = keytest.FlagUserPresent })}, "user_not_verified"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p.t = t
			c.phone.Name = name
			r := p.invite(t.Context(), c.phone.Add, "key", "add-phone", "--url", origin.String(), "--yes", "--json")
			if r.exit != exitInvalid || !strings.Contains(r.talk, `"kind":"`+c.kind+`"`) || !strings.Contains(r.talk, "nothing was sent") {
				t.Errorf("exit %d\n%s", r.exit, r.talk)
			}
			if !errors.Is(r.phoneErr, phonetest.ErrNotAdded) {
				t.Errorf("the phone says %v", r.phoneErr)
			}
			if k := p.keys(); k.Version != 0 {
				t.Errorf("the account has changed: %+v", k)
			}
		})
	}
}

// TestPhone_Interrupted: whenever it is stopped, the owner is told what is left
// behind.
func TestPhone_Interrupted(t *testing.T) {
	w := newWorld(t)
	p, _ := w.owner(t, "lock")
	_, origin := phonetest.NewBoxes(t)
	args := []string{"key", "add-phone", "--url", origin.String(), "--yes", "--json"}
	check := func(t *testing.T, r run, told bool) {
		t.Helper()
		if r.exit != exitFailure || !strings.Contains(r.talk, `"kind":"interrupted"`) || !strings.Contains(r.talk, "nothing was sent to the ledger") {
			t.Errorf("exit %d\n%s", r.exit, r.talk)
		}
		if told && (!errors.Is(r.phoneErr, phonetest.ErrNotAdded) || !strings.Contains(r.phoneErr.Error(), "The owner has stopped it.")) {
			t.Errorf("the phone says %v", r.phoneErr)
		}
		if k := p.keys(); k.Version != 0 {
			t.Errorf("the account has changed: %+v", k)
		}
	}
	t.Run("before the phone answers", func(t *testing.T) {
		p.t = t
		ctx, cancel := context.WithCancel(t.Context())
		check(t, p.invite(ctx, func(context.Context, string) (phonetest.Outcome, error) {
			cancel()
			return phonetest.Outcome{}, nil
		}, args...), false)
	})
	t.Run("when the transaction waits for the phone", func(t *testing.T) {
		p.t = t
		ctx, cancel := context.WithCancel(t.Context())
		ph := phonetest.Phone{Name: "x", BeforeProof: cancel}
		check(t, p.invite(ctx, ph.Add, args...), true)
	})
	t.Run("while it is asked", func(t *testing.T) {
		p.t = t
		ctx, cancel := context.WithCancel(t.Context())
		p.console = &interrupted{cancel}
		defer func() { p.console = nil }()
		check(t, p.invite(ctx, phonetest.Phone{Name: "x"}.Add, "key", "add-phone", "--url", origin.String(), "--json"), true)
	})
	t.Run("when it was sent", func(t *testing.T) {
		p.t = t
		ctx, cancel := context.WithCancel(t.Context())
		w.sending = func() error { cancel(); return ctx.Err() }
		defer func() { w.sending = nil }()
		r := p.invite(ctx, phonetest.Phone{Name: "x"}.Add, args...)
		if r.exit != exitFailure || !strings.Contains(r.talk, "the ledger may have it") || !strings.Contains(r.talk, "hos key list") {
			t.Errorf("exit %d\n%s", r.exit, r.talk)
		}
	})
}

// interrupted is a person who types Ctrl-C instead of an answer.
type interrupted struct{ cancel func() }

func (i *interrupted) Secret(context.Context, string) ([]byte, error) {
	return nil, errors.New("asked")
}

func (i *interrupted) Line(ctx context.Context, _ string) (string, error) {
	i.cancel()
	return "", ctx.Err()
}

// TestPhone_Trouble: what can go wrong around the two of them.
func TestPhone_Trouble(t *testing.T) {
	w := newWorld(t)
	p, _ := w.owner(t, "lock")
	b, origin := phonetest.NewBoxes(t)
	url := []string{"--url", origin.String(), "--yes", "--json"}
	invite := func(ph phonetest.Phone, more ...string) run {
		return p.invite(t.Context(), ph.Add, append(append([]string{"key", "add-phone"}, url...), more...)...)
	}
	want := func(r run, exit int, kind string) {
		t.Helper()
		if r.exit != exit || !strings.Contains(r.talk, `"kind":"`+kind+`"`) || strings.Contains(r.talk, `"try":""`) {
			t.Errorf("exit %d, want %d %s\n%s", r.exit, exit, kind, r.talk)
		}
		if k := p.keys(); k.Version != 0 {
			t.Fatalf("the account has changed: %+v", k)
		}
	}
	silent := func(context.Context, string) (phonetest.Outcome, error) { return phonetest.Outcome{}, nil }

	want(p.invite(t.Context(), silent, "key", "add-phone", "--yes", "--json"), exitUsage, "no_phone_page")
	want(p.invite(t.Context(), silent, "key", "add-phone", "--yes", "--json", "--url", "http://192.0.2.1"), exitUsage, "bad_origin")
	want(p.invite(t.Context(), silent, append([]string{"key", "add-phone", "--wait", "1ns"}, url...)...), exitFailure, "phone_silent")
	want(p.invite(t.Context(), silent, "key", "add-phone", "--yes", "--json", "--timeout", "200ms", "--url", "http://localhost:1"), exitUnreachable, "phone_page_unreachable")

	for code, kind := range map[string]string{"too_many_boxes": "too_many_boxes", "no_path": "not_a_node", "bad_host": "refused_by_node"} {
		b.Before = func(rw http.ResponseWriter, _ *http.Request) bool {
			phonetest.Refuse(rw, http.StatusServiceUnavailable, code)
			return true
		}
		want(p.invite(t.Context(), silent, append([]string{"key", "add-phone"}, url...)...), exitUnreachable, kind)
	}
	b.Before = nil

	// Somebody who has not the link writes into the box.
	r := p.invite(t.Context(), func(_ context.Context, link string) (phonetest.Outcome, error) {
		_, secret, err := phone.ParseLink(link)
		if err == nil {
			b.Put("/v1/boxes/"+secret.Box().ID()+"/key", make([]byte, 64))
		}
		return phonetest.Outcome{}, err
	}, append([]string{"key", "add-phone"}, url...)...)
	want(r, exitInvalid, "not_sealed")

	// The node goes down before the end.
	r = invite(phonetest.Phone{Name: "x", BeforeProof: func() { w.set(func() { w.down = true }) }})
	w.set(func() { w.down = false })
	want(r, exitUnreachable, "no_node")
	if !errors.Is(r.phoneErr, phonetest.ErrNotAdded) {
		t.Errorf("the phone says %v", r.phoneErr)
	}
}

// TestPhone_Overtaken: a transaction in between makes the phone's signature
// void; that is said, and what to do.
func TestPhone_Overtaken(t *testing.T) {
	w := newWorld(t)
	p, _ := w.owner(t, "lock")
	guest := statetest.Key("guest").Public().String()
	_, origin := phonetest.NewBoxes(t)
	between := func(exit int) func() {
		return func() { p.hos(exit, "grant", "add", "--to", guest, "--method", "lock.open", "--for", "1h", "--yes") }
	}
	for name, c := range map[string]struct {
		before func()
		refuse int
	}{"seen before it is sent": {before: between(exitOK)}, "told by the ledger": {refuse: 1}} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			ph := phonetest.Phone{Name: "x", BeforeProof: func() {
				if c.before != nil {
					c.before()
				}
				w.set(func() { w.refuse = c.refuse })
			}}
			r := p.invite(t.Context(), ph.Add, "key", "add-phone", "--url", origin.String(), "--yes", "--json")
			if r.exit != exitFailure || !strings.Contains(r.talk, `"kind":"bad_sequence"`) || !strings.Contains(r.talk, "nothing was committed") || !strings.Contains(r.talk, "begin anew") {
				t.Errorf("exit %d\n%s", r.exit, r.talk)
			}
			if !errors.Is(r.phoneErr, phonetest.ErrNotAdded) {
				t.Errorf("the phone says %v", r.phoneErr)
			}
		})
	}
	// Other keys than the phone was offered: it would not sign.
	w.set(func() { w.refuse = 0 })
	p.t = t
	r := p.invite(t.Context(), phonetest.Phone{Name: "x", BeforeKey: func() { p.hos(exitOK, "key", "rotate", "--yes") }}.Add,
		"key", "add-phone", "--url", origin.String(), "--yes", "--json")
	if r.exit == exitOK || !errors.Is(r.phoneErr, phonetest.ErrNotAdded) {
		t.Errorf("exit %d, phone %v\n%s", r.exit, r.phoneErr, r.talk)
	}
}

// TestPhone_NotTold: the key is in the account, and the phone does not hear of
// it.
func TestPhone_NotTold(t *testing.T) {
	w := newWorld(t)
	p, _ := w.owner(t, "lock")
	b, origin := phonetest.NewBoxes(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.Before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || filepath.Base(r.URL.Path) != string(phone.SlotDone) {
			return false
		}
		phonetest.Refuse(rw, http.StatusConflict, "slot_taken")
		cancel()
		return true
	}
	add := func(_ context.Context, link string) (phonetest.Outcome, error) {
		return phonetest.Phone{Name: "x"}.Add(ctx, link)
	}
	r := p.invite(t.Context(), add, "key", "add-phone", "--url", origin.String(), "--yes", "--json")
	if r.exit != exitFailure || !strings.Contains(r.talk, `"kind":"phone_not_told"`) || len(p.keys().Keys) != 2 {
		t.Errorf("exit %d\n%s", r.exit, r.talk)
	}
}

// TestPhone_NoAdmin: who may not change the account's keys is told before a
// link is made; a phone's key is offered no place as a wallet's is.
func TestPhone_NoAdmin(t *testing.T) {
	w := newWorld(t)
	p, _ := w.owner(t, "lock")
	_, origin := phonetest.NewBoxes(t)
	second := w.person(t)
	second.hos(exitOK, "key", "new")
	file := filepath.Join(p.dir, "key.json")
	p.hos(exitOK, "key", "add", second.public(), "--rights", "invoke", "--out", file, "--yes")
	second.hos(exitOK, "key", "accept", file, "--yes")
	out, _ := second.hos(exitDenied, "key", "add-phone", "--url", origin.String(), "--yes")
	if strings.Contains(out, "#phone=") {
		t.Error("a link was made")
	}
	phoneKey := keytest.Phone("x").Public().String()
	_, talk := p.hos(exitUsage, "key", "add", phoneKey, "--rights", "invoke", "--yes")
	if !strings.Contains(talk, "try: hos key add-phone") {
		t.Errorf("says\n%s", talk)
	}
	p.hos(exitOK, "grant", "add", "--to", phoneKey, "--method", "lock.open", "--for", "1h", "--yes") // a guest's may stand in a grant
}

// TestHome_Phones: names of phones are kept printable.
func TestHome_Phones(t *testing.T) {
	h := home.Open(t.TempDir())
	id := keytest.Phone("x").Public().ID()
	for _, bad := range []home.Phone{{Label: "x"}, {ID: id, Label: "\x1b[2J"}, {ID: id, Label: strings.Repeat("a", phone.MaxLabel+1)}} {
		if err := h.PutPhone(t.Context(), bad); !errors.Is(err, home.BadValue) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	for _, label := range []string{"a", "b"} {
		if err := h.PutPhone(t.Context(), home.Phone{ID: id, Label: label}); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := h.Phones(); err != nil || len(list) != 1 || list[0].Label != "b" {
		t.Errorf("%+v, %v", list, err)
	}
}
