package e2e

import (
	"bytes"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/sdk"
)

// TestPhone_Assertions: what a page of somebody else, a careless page or a thief
// of assertions could send, made by the real browser, and what no browser makes,
// by a soft authenticator. Everything goes through the real node to the real
// device, which answers each with its own code.
func TestPhone_Assertions(t *testing.T) {
	d := pairedDoorOn(t, "phone")
	page := standBetween(t, d.net.State().Nodes[0].Phone)
	other := standBetween(t, d.net.State().Nodes[1].Phone) // another origin of the same relying party
	p := newPhone(d, page)
	p.join(true, "key", "add-phone", "--url", page.origin)
	signer := passkey{p, phoneKey(d).Key, "required"}
	d.caller.Key = signer

	good := d.sign()
	first := d.post(page.origin, good)
	if first.Body.Code != command.OK {
		t.Fatalf("a good assertion: %s", first.Body.Code)
	}
	if again := d.post(page.origin, good); !bytes.Equal(again.Bytes(), first.Bytes()) {
		t.Errorf("the same bytes again: receipt %d, %s", again.Body.Counter, again.Body.Code)
	}
	d.moves(2)

	stolen := d.sign()
	stolen.Sigs[0].Bytes = good.Sigs[0].Bytes
	d.refuses(page, "a replayed assertion", stolen, command.WrongChallenge)

	check(t, p.Visit(d.ctx, other.origin))
	d.refuses(page, "made on another origin", d.sign(), command.WrongOrigin)
	check(t, p.Visit(d.ctx, page.origin))
	check(t, p.SetVerified(d.ctx, false))
	signer.verification = "discouraged"
	d.caller.Key = signer
	d.refuses(page, "without the user's verification", d.sign(), command.UserNotVerified)
	check(t, p.SetVerified(d.ctx, true))
	d.moves(2)

	soft := keytest.NewPasskey("soft", "localhost", page.origin)
	var grant struct {
		Grant tx.ID `json:"grant"`
	}
	check(t, d.hos(0, "grant", "add", "--device", "dev1", "--method", "lock.open", "--for", "1h", "--to", soft.Public().String()).Decode(&grant))
	d.caller.Grant = &grant.Grant
	for name, c := range map[string]struct {
		habit func(*keytest.Assertion)
		want  command.Code
	}{
		"none":              {func(*keytest.Assertion) {}, command.OK},
		"another origin":    {func(a *keytest.Assertion) { a.Origin = "http://localhost:1" }, command.WrongOrigin},
		"a frame":           {func(a *keytest.Assertion) { a.CrossOrigin = "true" }, command.WrongOrigin},
		"another party":     {func(a *keytest.Assertion) { a.RPID = "evil.example" }, command.WrongRP},
		"nobody there":      {func(a *keytest.Assertion) { a.Flags = keytest.FlagUserVerified }, command.UserNotPresent},
		"nobody recognised": {func(a *keytest.Assertion) { a.Flags = keytest.FlagUserPresent }, command.UserNotVerified},
		"other challenge":   {func(a *keytest.Assertion) { a.Challenge = make([]byte, 32) }, command.WrongChallenge},
		"a registration":    {func(a *keytest.Assertion) { a.Type = "webauthn.create" }, command.BadSignature},
		"high s":            {func(a *keytest.Assertion) { a.HighS = true }, command.HighS},
		"other bytes":       {func(a *keytest.Assertion) { a.BadSig = true }, command.BadSignature},
	} {
		d.caller.Key = soft.With(c.habit)
		if c.want == command.OK {
			if r := d.post(page.origin, d.sign()); r.Body.Code != command.OK {
				t.Errorf("a good soft assertion: %s", r.Body.Code)
			}
			continue
		}
		d.refuses(page, name, d.sign(), c.want)
	}
	d.moves(3)
}

// passkey signs in the browser, on whatever page it shows. It is a key.Signer.
type passkey struct {
	p            *phone
	pub          key.Public
	verification string // what the page asks for
}

func (k passkey) Public() key.Public { return k.pub }

// Sign asks the browser as any page may.
func (k passkey) Sign(digest [32]byte) key.Signature {
	t := k.p.t
	t.Helper()
	var got struct{ Auth, Client, Sig string }
	check(t, k.p.Script(k.p.ctx, fmt.Sprintf(`(async () => {
		const text = (b) => btoa(String.fromCharCode(...new Uint8Array(b)));
		const challenge = Uint8Array.from(atob(%q), (c) => c.charCodeAt(0));
		const {response: r} = await navigator.credentials.get({publicKey: {challenge, rpId: 'localhost', userVerification: %q}});
		return {Auth: text(r.authenticatorData), Client: text(r.clientDataJSON), Sig: text(r.signature)};
	})()`, base64.StdEncoding.EncodeToString(digest[:]), k.verification), &got))
	raw := func(s string) []byte { return must(base64.StdEncoding.DecodeString(s))(t) }
	return codec.MustMarshal(key.Assertion{AuthData: raw(got.Auth), ClientData: raw(got.Client), Sig: lowS(t, raw(got.Sig))})
}

// lowS turns the DER form that WebAuthn gives into the one that the wire has.
func lowS(t *testing.T, der []byte) []byte {
	t.Helper()
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		t.Fatal(err)
	}
	n := elliptic.P256().Params().N
	if sig.S.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
		sig.S.Sub(n, sig.S)
	}
	out := make([]byte, key.SignatureSize)
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	return out
}

// sign makes a command to open the door.
func (d *door) sign() *command.Command {
	d.t.Helper()
	return must(d.caller.Sign(sdk.Call{Device: d.dev.ID, Epoch: 1, Endpoint: "lock", Method: "open"}))(d.t)
}

// post sends a command to a node over HTTP and gives the device's verified
// answer.
func (d *door) post(origin string, cmd *command.Command) *command.Receipt {
	d.t.Helper()
	req := must(http.NewRequestWithContext(d.ctx, http.MethodPost, origin+"/v1/commands", bytes.NewReader(cmd.Bytes())))(d.t)
	req.Header.Set("Content-Type", "application/cbor")
	answer := must(http.DefaultClient.Do(req))(d.t)
	defer answer.Body.Close()
	raw := must(io.ReadAll(answer.Body))(d.t)
	if answer.StatusCode != http.StatusOK {
		d.t.Fatalf("the node answers %d: %s", answer.StatusCode, raw)
	}
	r := must(command.DecodeReceipt(raw))(d.t)
	check(d.t, r.Verify(d.client.Chain(), d.dev.Key, cmd.ID(d.client.Chain())))
	return r
}

// refuses checks that the device answers a command with a code.
func (d *door) refuses(page *between, name string, cmd *command.Command, want command.Code) {
	d.t.Helper()
	if r := d.post(page.origin, cmd); r.Body.Code != want || r.Body.Status != command.Rejected {
		d.t.Errorf("%s: %s (%s), want rejected (%s)", name, r.Body.Status, r.Body.Code, want)
	}
}
