package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/testnet/browser"
	"github.com/hybridos-net/hybridos/testnet/harness"
)

// noBrowser is the variable with which somebody leaves the browser's tests out
// knowingly.
const noBrowser = "HOS_NO_BROWSER"

// startBrowser starts a Chromium for a test. Without one the test fails, since
// nobody should take what was not run for proven.
func startBrowser(t *testing.T, ctx context.Context) *browser.Browser {
	t.Helper()
	path, err := browser.Find()
	if err != nil && os.Getenv(noBrowser) != "" {
		t.Skipf("NOT PROVEN: %v, and %s is set", err, noBrowser)
	}
	if err != nil {
		t.Fatalf("%v; install it, or set %s=1 to leave the phone page unproven", err, noBrowser)
	}
	b := must(browser.Start(ctx, path))(t)
	t.Cleanup(b.Close)
	return b
}

// phone is a browser that somebody uses as a phone, and the node's page as it
// sees it.
type phone struct {
	*browser.Browser
	*between
	*door
}

// newPhone opens nothing yet.
func newPhone(d *door, b *between) *phone {
	return &phone{startBrowser(d.t, d.ctx), b, d}
}

// join runs a command of the wallet that invites a phone, and does on the phone
// what the page asks for.
func (p *phone) join(own bool, args ...string) harness.Answer {
	t := p.t
	t.Helper()
	talk := must(p.net.StartHos(p.ctx, p.owner, args...))(t)
	line, err := talk.Line("#phone=")
	if err != nil {
		a, _ := talk.Wait()
		t.Fatalf("hos %v: %v\n%s", args, err, a.Talk)
	}
	check(t, p.Join(p.ctx, browser.Link(line), own))
	a := must(talk.Wait())(t)
	if a.Exit != 0 {
		t.Fatalf("hos %v: exit code %d\n%s\nthe page shows: %s", args, a.Exit, a.Talk, p.Screen())
	}
	must(p.Await(p.ctx, browser.Lock(p.dev.ID), ""))(t)
	return a
}

// press presses the button of the lock and gives the state in which that ends.
func (p *phone) press() string {
	p.t.Helper()
	before := p.sent()
	done := must(p.Open(p.ctx, p.dev.ID))(p.t)
	if p.sent() == before {
		p.t.Fatalf("no command was sent\nthe page shows: %s", p.Screen())
	}
	return done.State
}

// receipt is the newest that the device gave the phone, verified here.
func (p *phone) receipt() *command.Receipt {
	p.t.Helper()
	r := must(command.DecodeReceipt(p.last(p.t)))(p.t)
	check(p.t, r.Verify(p.client.Chain(), p.dev.Key, r.Body.Command))
	return r
}

// opens presses the button, and the bolt moves once.
func (p *phone) opens(moves int) {
	p.t.Helper()
	if state := p.press(); state != browser.Executed {
		p.t.Fatalf("the lock on the page is %s\nthe page shows: %s", state, p.Screen())
	}
	if r := p.receipt(); r.Body.Status != command.Executed {
		p.t.Fatalf("the page is green, the receipt says %s (%s)", r.Body.Status, r.Body.Code)
	}
	p.moves(moves)
}

// shot keeps a picture of the screen where HOS_SHOTS says, for people.
func (p *phone) shot(name string) {
	p.t.Helper()
	dir := os.Getenv("HOS_SHOTS")
	if dir == "" {
		return
	}
	check(p.t, os.WriteFile(filepath.Join(dir, name+".png"), must(p.Shot(p.ctx))(p.t), 0o600))
}

// revoked presses until the device knows of the block in which the right was
// taken, and holds it to two blocks.
func (p *phone) revoked(height uint64, want command.Code, moves *int) {
	p.t.Helper()
	for {
		state := p.press()
		r := p.receipt()
		switch {
		case r.Body.Status == command.Executed && r.Body.Height > height:
			p.t.Fatalf("executed at height %d, revoked in block %d", r.Body.Height, height)
		case r.Body.Status == command.Executed:
			*moves++
			continue
		case r.Body.Code != want || state != "refused":
			p.t.Fatalf("the device says %s, the page %s, want %s", r.Body.Code, state, want)
		case r.Body.Height > height+2:
			p.t.Fatalf("refused at height %d only, revoked in block %d", r.Body.Height, height)
		}
		p.moves(*moves)
		return
	}
}

// TestPhone_Owner: the owner's phone becomes a key of the account, opens the
// door, is lied to by the node, and is taken out again.
func TestPhone_Owner(t *testing.T) {
	d := pairedDoorOn(t, "phone")
	p := newPhone(d, standBetween(t, d.net.State().Nodes[0].Phone))
	p.join(true, "key", "add-phone", "--url", p.origin)
	p.shot("home")
	p.opens(2)
	p.shot("executed")
	old := p.last(t)
	for name, l := range pageLies(t, p) {
		t.Run(name, func(t *testing.T) {
			before := len(must(d.net.Actuations("dev1"))(t))
			p.tell(func(receipt []byte) []byte { return l.lie(receipt, old) }, l.silent)
			defer p.tell(nil, false)
			if state := p.press(); state == browser.Executed {
				t.Errorf("the page is green after a lie\n%s", p.Screen())
			}
			p.shot("lie-" + name)
			if after := len(must(d.net.Actuations("dev1"))(t)); l.silent && after != before {
				t.Errorf("the bolt moved without a command")
			}
		})
	}
	moves := len(must(d.net.Actuations("dev1"))(t))
	moves++
	p.opens(moves) // the truth is green again
	var done struct {
		Height uint64 `json:"height"`
	}
	check(t, d.hos(0, "key", "revoke", phoneKey(d).ID.String()).Decode(&done))
	p.revoked(done.Height, command.UnknownKey, &moves)
	p.shot("revoked")
}

// listedKey is a key as hos key list shows it.
type listedKey struct {
	ID  key.KeyID  `json:"id"`
	Key key.Public `json:"key"`
}

// phoneKey finds the account's passkey on the ledger.
func phoneKey(d *door) listedKey {
	d.t.Helper()
	var list struct {
		Keys []listedKey `json:"keys"`
	}
	check(d.t, d.hos(0, "key", "list").Decode(&list))
	for _, k := range list.Keys {
		if k.Key.Alg == key.Passkey {
			return k
		}
	}
	d.t.Fatalf("no passkey among %v", list.Keys)
	return listedKey{}
}

// TestPhone_Guest: a guest's phone gets a grant, opens the door, and is refused
// within two blocks after the revocation.
func TestPhone_Guest(t *testing.T) {
	d := pairedDoorOn(t, "phone")
	p := newPhone(d, standBetween(t, d.net.State().Nodes[0].Phone))
	var grant struct {
		Grant string `json:"grant"`
	}
	a := p.join(false, "grant", "add", "--device", "dev1", "--method", "lock.open", "--for", "1h", "--phone", "--url", p.origin)
	check(t, a.Decode(&grant))
	moves := 2
	p.opens(moves)
	p.shot("guest")
	var done struct {
		Height uint64 `json:"height"`
	}
	check(t, d.hos(0, "grant", "revoke", grant.Grant).Decode(&done))
	p.revoked(done.Height, command.GrantRevoked, &moves)
}

// pageLie is an answer in place of a receipt.
type pageLie struct {
	silent bool                             // the command does not reach the device
	lie    func(receipt, old []byte) []byte // old is that of an earlier opening
}

// pageLies lists them. What a node without the device's key can say, it says.
func pageLies(t *testing.T, p *phone) map[string]pageLie {
	t.Helper()
	return map[string]pageLie{
		"words":             {true, func(_, _ []byte) []byte { return []byte(`{"status":"opened"}`) }},
		"nothing":           {true, func(_, _ []byte) []byte { return nil }},
		"an old receipt":    {true, func(_, old []byte) []byte { return old }},
		"a stranger's":      {true, func(_, old []byte) []byte { return resigned(t, p, old) }},
		"a bit flipped":     {false, func(receipt, _ []byte) []byte { receipt[len(receipt)-1] ^= 1; return receipt }},
		"cut off":           {false, func(receipt, _ []byte) []byte { return receipt[:len(receipt)-1] }},
		"a body of its own": {false, func(receipt, _ []byte) []byte { receipt[20] ^= 1; return receipt }},
	}
}

// resigned is the old receipt for the command of now, signed by another key.
func resigned(t *testing.T, p *phone, old []byte) []byte {
	t.Helper()
	r := must(command.DecodeReceipt(old))(t)
	cmd := must(command.Decode(p.commands[len(p.commands)-1]))(t) // the caller holds the lock
	body := r.Body
	body.Command = cmd.ID(p.client.Chain())
	return command.SignReceipt(p.client.Chain(), body, p.caller.Key.(*key.Private)).Bytes()
}
