package vectors_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

// The phones of the vectors: a browser's key, and a passkey with two pages.
const (
	rpID   = "home.example"
	page   = "https://door.home.example:8443"
	second = "https://home.example"
)

var (
	browser = keytest.P256("browser")
	phone   = keytest.NewPasskey("phone", rpID, page, second)
	door    = sha256.Sum256([]byte("open the door"))
)

// knob is a habit of the soft authenticator and the kind that it is refused
// with; kinds and command codes have the same names.
type knob struct {
	name, note string
	change     func(*keytest.Assertion)
	kind       key.ErrorKind
}

// knobs stand in the order of the checks; each breaks the later ones too where
// it can, so that the order counts.
func knobs() []knob {
	type a = keytest.Assertion
	noUser := func(v *a) { v.Flags, v.HighS = 0, true }
	return []knob{
		{"create", "an assertion's data with the type of a registration", func(v *a) { v.Type, v.Challenge = "webauthn.create", nil }, key.BadSignature},
		{"space", "a space that no client writes", func(v *a) {
			v.ClientData = []byte(`{ "type":"webauthn.get","challenge":"x"}`)
		}, key.BadSignature},
		{"challenge", "another challenge, and wrong in everything after it", func(v *a) {
			v.Challenge, v.Origin, v.RPID = make([]byte, 32), "https://evil.example", "evil.example"
			noUser(v)
		}, key.WrongChallenge},
		{"challenge-longer", "the digest with a byte more", func(v *a) { v.Challenge = append(bytes.Clone(v.Challenge), 0) }, key.WrongChallenge},
		{"origin", "another page, and wrong in everything after it", func(v *a) { v.Origin, v.RPID = "https://evil.example", "evil.example"; noUser(v) }, key.WrongOrigin},
		{"origin-prefix", "a page whose name begins with a pinned one", func(v *a) { v.Origin = page + "1" }, key.WrongOrigin},
		{"origin-http", "the page without TLS", func(v *a) { v.Origin = strings.Replace(page, "https", "http", 1) }, key.WrongOrigin},
		{"cross-origin", "in a frame of another site", func(v *a) { v.CrossOrigin = "true"; v.RPID = "evil.example"; noUser(v) }, key.WrongOrigin},
		{"cross-origin-missing", "no crossOrigin, but a member after the origin", func(v *a) { v.CrossOrigin, v.Tail = "", `,"other":1` }, key.WrongOrigin},
		{"tail", "crossOrigin goes on after false", func(v *a) { v.Tail = "y"; v.RPID = "evil.example" }, key.BadSignature},
		{"after-the-end", "bytes after the last brace", func(v *a) { v.Tail = `,"a":1} ,"b":2} ` + "\n"; v.ClientData = cutBrace(*v) }, key.BadSignature},
		{"rp", "another relying party, and wrong in everything after it", func(v *a) { v.RPID = "home.example.evil"; noUser(v) }, key.WrongRP},
		{"absent", "nobody touched it, and wrong in everything after it", func(v *a) { noUser(v); v.Extensions = []byte{0xa0} }, key.UserNotPresent},
		{"verified-absent", "verified but not present", func(v *a) { v.Flags = keytest.FlagUserVerified }, key.UserNotPresent},
		{"unverified", "no PIN, and wrong in everything after it", func(v *a) {
			v.Flags, v.Extensions, v.HighS = keytest.FlagUserPresent, []byte{0xa0}, true
		}, key.UserNotVerified},
		{"attested", "with the flag of a registration", func(v *a) { v.Flags |= keytest.FlagAttested; v.HighS = true }, key.BadSignature},
		{"unflagged", "a byte more without the flag of extensions", func(v *a) { v.Extensions, v.HighS = []byte{0xa0}, true }, key.BadSignature},
		{"no-extensions", "the flag of extensions without any", func(v *a) { v.Flags |= keytest.FlagExtensions; v.HighS = true }, key.BadSignature},
		{"short-data", "authenticator data of 36 bytes", func(v *a) { v.AuthData = make([]byte, 36); v.Challenge = nil }, key.BadSignature},
		{"long-data", "authenticator data of 257 bytes", func(v *a) { v.AuthData = make([]byte, 257); v.Challenge = nil }, key.BadSignature},
		{"long-client-data", "client data of 641 bytes", func(v *a) { v.Tail = padding(641) }, key.BadSignature},
		{"high-s", "the other form of the signature", func(v *a) { v.HighS = true }, key.HighS},
		{"high-s-wrong", "the other form of a signature that does not match", func(v *a) { v.HighS, v.BadSig = true, true }, key.HighS},
		{"other-signature", "does not match", func(v *a) { v.BadSig = true }, key.BadSignature},
	}
}

// cutBrace gives client data that ends in its tail.
func cutBrace(v keytest.Assertion) []byte {
	v.ClientData = nil
	d := clientData(v)
	return d[:len(d)-1]
}

func clientData(v keytest.Assertion) []byte {
	p := phone.With(func(w *keytest.Assertion) { *w = v })
	return p.Assert([32]byte(v.Challenge)).ClientData
}

// padding makes a tail with which client data for the phone's page takes n
// bytes.
func padding(n int) string {
	const name = `,"extra_keys":"`
	used := len(phone.Assert(door).ClientData) + len(name) + 1
	return name + strings.Repeat("x", n-used) + `"`
}

// longDomain and longPages make the longest passkey.
var (
	longDomain = strings.Repeat(strings.Repeat("x", 50)+".", 2) + strings.Repeat("y", 8) + ".example"
	longPages  = []string{"https://1." + longDomain, "https://2." + longDomain, "https://3." + longDomain, "https://4." + longDomain}
)

func longest() *keytest.Passkey { return keytest.NewPasskey("phone", longDomain, longPages...) }

func algOf(p key.Public) string { return u(uint64(p.Alg)) }

func phoneKeyCases() (out []vectors.Case) {
	add := func(c vectors.Case) { out = append(out, c) }
	ids := func(name string, k interface {
		key.Signer
		Secret() []byte
	}, in m) {
		p := k.Public()
		in["alg"], in["secret"] = algOf(p), x(k.Secret())
		acc, dev, id := p.AccountID(), p.DeviceID(), p.ID()
		add(vectors.Case{Name: "ids/" + name, Note: "all names of one key", In: in, Want: m{
			"public": x(p.Bytes), "encoded": x(codec.MustMarshal(p)), "public_text": p.String(),
			"key_id": x(id[:]), "key_text": id.String(), "account_id": x(acc[:]), "account_text": acc.String(), "device_id": x(dev[:]), "device_text": dev.String(),
		}})
	}
	ids("p256", browser, m{})
	ids("passkey", phone, m{"rp_id": rpID, "origins": page + " " + second})
	ids("passkey-localhost", keytest.NewPasskey("phone", "localhost", "http://localhost:8080"), m{"rp_id": "localhost", "origins": "http://localhost:8080"})
	ids("passkey-longest", longest(), m{"rp_id": longDomain, "origins": strings.Join(longPages, " ")})
	for _, msg := range []string{"", "open the door"} {
		d := sha256.Sum256([]byte(msg))
		add(vectors.Case{Name: fmt.Sprintf("sign/p256/%q", msg), Note: "RFC 6979 with SHA-256, low s", In: m{"alg": "2", "secret": x(browser.Secret()), "digest": b32(d)}, Want: m{"signature": x(browser.Sign(d))}})
	}
	out = append(out, p256Cases()...)
	out = append(out, passkeyCases()...)
	return append(out, badPublicCases()...)
}

func accept(name, note string, p key.Public, sig key.Signature) vectors.Case {
	return vectors.Case{Name: "accept/" + name, Note: note, In: m{"alg": algOf(p), "public": x(p.Bytes), "digest": b32(door), "signature": x(sig)}, Want: m{"accepted": "yes"}}
}

func refuseKey(name, note string, p key.Public, sig key.Signature, kind key.ErrorKind) vectors.Case {
	return vectors.Case{Name: "verify/" + name, Note: note, In: m{"alg": algOf(p), "public": x(p.Bytes), "digest": b32(door), "signature": x(sig)}, Want: m{"refused": string(kind)}}
}

func p256Cases() (out []vectors.Case) {
	pub, sig := browser.Public(), browser.Sign(door)
	n := elliptic.P256().Params().N.Bytes()
	zero := make([]byte, 32)
	with := func(r, s []byte) key.Signature { return append(bytes.Clone(r), s...) }
	out = append(out, accept("p256", "the signature that sign/p256 makes", pub, sig))
	refuse := func(name, note string, p key.Public, sig key.Signature, kind key.ErrorKind) {
		out = append(out, refuseKey("p256-"+name, note, p, sig, kind))
	}
	refuse("high-s", "the other form of the signature", pub, keytest.NegateS(sig), key.HighS)
	refuse("s-is-order", "s = n", pub, with(sig[:32], n), key.BadSignature)
	refuse("r-is-order", "r = n, and a high s", pub, with(n, keytest.NegateS(sig)[32:]), key.BadSignature)
	refuse("r-zero", "r = 0", pub, with(zero, sig[32:]), key.BadSignature)
	refuse("s-zero", "s = 0", pub, with(sig[:32], zero), key.BadSignature)
	refuse("flipped", "a bit of r", pub, flip(sig, 3), key.BadSignature)
	refuse("short", "63 bytes", pub, sig[:63], key.BadSignature)
	refuse("long", "65 bytes", pub, append(bytes.Clone(sig), 0), key.BadSignature)
	refuse("other-key", "by another key", keytest.P256("guest").Public(), sig, key.BadSignature)
	refuse("hashed-again", "over SHA-256 of the digest", pub, browser.Sign(sha256.Sum256(door[:])), key.BadSignature)
	refuse("as-secp256k1", "the key under algorithm 1", key.Public{Alg: key.Secp256k1, Bytes: notOnSecp()}, sig, key.BadKey)
	refuse("not-a-point", "no point has this x", key.Public{Alg: key.P256, Bytes: notOnP256()}, sig, key.BadKey)
	return out
}

// notOnP256 is a compressed form without a point: x = 1 gives no square.
func notOnP256() []byte { return append([]byte{2}, append(make([]byte, 31), 1)...) }

// notOnSecp is the same for secp256k1, where x = 5 gives none.
func notOnSecp() []byte { return append([]byte{2}, append(make([]byte, 31), 5)...) }

func passkeyCases() (out []vectors.Case) {
	type a = keytest.Assertion
	pub := phone.Public()
	ok := func(name, note string, change func(*a)) {
		out = append(out, accept("passkey-"+name, note, pub, phone.With(change).Sign(door)))
	}
	ok("plain", "what most phones send", func(*a) {})
	ok("second-page", "the other of the two origins", func(v *a) { v.Origin = second })
	ok("tail", "members after crossOrigin are not read", func(v *a) { v.Tail = `,"other_keys_can_be_added_here":"do not compare"` })
	ok("tail-repeats", "not even when they repeat a name or are no JSON", func(v *a) { v.Tail = `,"type":"webauthn.create",}` })
	ok("no-cross-origin", "a client that leaves crossOrigin out and ends there", func(v *a) { v.CrossOrigin = "" })
	ok("counter", "the counter is not looked at", func(v *a) { v.Count = 1<<32 - 1 })
	ok("flags", "flags of backup and those without a meaning", func(v *a) { v.Flags |= 0x3a })
	ok("extensions", "with extensions", func(v *a) { v.Flags |= keytest.FlagExtensions; v.Extensions = []byte{0xa0} })
	ok("longest", "256 bytes of authenticator data, 640 of client data", func(v *a) {
		v.Flags |= keytest.FlagExtensions
		v.Extensions, v.Tail = make([]byte, 256-37), padding(640)
	})
	refuse := func(name, note string, p key.Public, sig key.Signature, kind key.ErrorKind) {
		out = append(out, refuseKey("passkey-"+name, note, p, sig, kind))
	}
	for _, k := range knobs() {
		refuse(k.name, k.note, pub, phone.With(k.change).Sign(door), k.kind)
	}
	sig := phone.Sign(door)
	refuse("other-key", "by another authenticator of the same site", keytest.NewPasskey("guest", rpID, page, second).Public(), sig, key.BadSignature)
	refuse("other-site", "by the same point, pinned to another site", keytest.NewPasskey("phone", "evil.example", "https://evil.example").Public(), sig, key.WrongOrigin)
	refuse("empty", "no bytes", pub, nil, key.BadSignature)
	refuse("truncated", "one byte short", pub, sig[:len(sig)-1], key.BadSignature)
	refuse("trailing", "one byte more", pub, append(bytes.Clone(sig), 0), key.BadSignature)
	refuse("wide-header", "map header in two bytes", pub, append([]byte{0xb8, 3}, sig[1:]...), key.BadSignature)
	refuse("too-long", "1025 bytes", pub, make([]byte, key.MaxSignature+1), key.BadSignature)
	refuse("bare", "r and s without an assertion", pub, browser.Sign(door), key.BadSignature)
	v := phone.Assert(door)
	v.Sig = v.Sig[:63]
	refuse("short-signature", "r and s of 63 bytes, before anything else is looked at", keytest.NewPasskey("phone", "evil.example", "https://evil.example").Public(), codec.MustMarshal(v), key.BadSignature)
	v.Sig = make([]byte, 64)
	refuse("zero", "r and s are zero", pub, codec.MustMarshal(v), key.BadSignature)
	refuse("bad-key", "a key that is no record", key.Public{Alg: key.Passkey, Bytes: []byte{0xa0}}, sig, key.BadKey)
	refuse("as-p256", "the bare point under algorithm 2", key.Public{Alg: key.P256, Bytes: keytest.P256("phone").Point()}, sig, key.BadSignature)
	return out
}

// badRecords are passkeys that are no keys.
func badRecords() map[string]key.PasskeyRecord {
	point := keytest.P256("phone").Point()
	rec := func(rp string, origins ...string) key.PasskeyRecord {
		return key.PasskeyRecord{Point: point, RPID: rp, Origins: origins}
	}
	site := func(origin string) key.PasskeyRecord { return rec(rpID, origin) }
	five := []string{second, second + ":1", second + ":2", second + ":3", second + ":4"}
	return map[string]key.PasskeyRecord{
		"rp-empty": rec("", page), "rp-capitals": rec("Home.example", page), "rp-dot": rec("home.example.", "https://home.example."),
		"rp-ip": rec("127.0.0.1", "https://127.0.0.1"), "rp-hex": rec("home.0x7f", "https://home.0x7f"), "rp-space": rec("home example", page),
		"rp-hyphen": rec("-home.example", "https://-home.example"), "rp-empty-label": rec("home..example", "https://home..example"),
		"rp-label-64": rec(strings.Repeat("x", 64)+".example", "https://"+strings.Repeat("x", 64)+".example"),
		"rp-129":      rec(strings.Repeat("x.", 64)+"y", "https://"+strings.Repeat("x.", 64)+"y"), "rp-ipv6": rec("::1", "https://[::1]"),
		"no-origin": rec(rpID), "five-origins": rec(rpID, five...), "origin-twice": rec(rpID, page, page), "origins-unsorted": rec(rpID, second, page),
		"origin-http": site("http://home.example"), "origin-path": site(second + "/"), "origin-default-port": site(second + ":443"),
		"origin-port-0": site(second + ":0"), "origin-port-zeros": site(second + ":08443"), "origin-port-65536": site(second + ":65536"),
		"origin-no-port": site(second + ":"), "origin-capitals": site("https://Home.example"), "origin-other": site("https://evil.example"),
		"origin-suffix": site("https://evilhome.example"), "origin-parent": site("https://example"), "origin-user": site("https://a@home.example"),
		"origin-129": rec(longDomain, "https://12."+longDomain), "origin-empty": site(""),
		"localhost-sub": rec("localhost", "http://door.localhost"), "localhost-default-port": rec("localhost", "http://localhost:80"),
		"point-short": {Point: point[:32], RPID: rpID, Origins: []string{page}}, "point-none": {Point: notOnP256(), RPID: rpID, Origins: []string{page}},
	}
}

func badPublicCases() (out []vectors.Case) {
	add := func(name, note string, p key.Public) {
		out = append(out, vectors.Case{Name: "public/" + name, Note: note, In: m{"alg": algOf(p), "public": x(p.Bytes)}, Want: m{"refused": string(key.BadKey)}})
	}
	for name, r := range badRecords() {
		add("passkey-"+name, "not a key", key.Public{Alg: key.Passkey, Bytes: codec.MustMarshal(r)})
	}
	sortTail(out, len(out))
	good := phone.Public().Bytes
	add("passkey-empty", "no bytes", key.Public{Alg: key.Passkey})
	add("passkey-trailing", "one byte more", key.Public{Alg: key.Passkey, Bytes: append(bytes.Clone(good), 0)})
	add("passkey-wide-header", "map header in two bytes", key.Public{Alg: key.Passkey, Bytes: append([]byte{0xb8, 3}, good[1:]...)})
	add("passkey-field-4", "an unknown field", key.Public{Alg: key.Passkey, Bytes: append(append([]byte{0xa4}, good[1:]...), 4, 0)})
	point := browser.Point()
	add("p256-short", "32 bytes", key.Public{Alg: key.P256, Bytes: point[:32]})
	add("p256-uncompressed", "prefix 04", key.Public{Alg: key.P256, Bytes: append([]byte{4}, point[1:]...)})
	add("p256-infinity", "33 zeros", key.Public{Alg: key.P256, Bytes: make([]byte, 33)})
	add("p256-no-point", "x = 1", key.Public{Alg: key.P256, Bytes: notOnP256()})
	add("p256-over-p", "x is not below the field's order", key.Public{Alg: key.P256, Bytes: append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...)})
	return out
}

func phoneCommandCases(t *testing.T) (out []vectors.Case) {
	c := chain()
	grant := tx.ID(sha256.Sum256([]byte("grant")))
	add := func(name, note string, k key.Signer, want key.ErrorKind) {
		b := commandBody()
		b.Key, b.Grant, b.Principal = k.Public().ID(), &grant, k.Public().AccountID()
		r := mustCommand(t, b, k)
		v := vectors.Case{Name: name, Note: note, Hex: x(r.Bytes()), In: m{"chain_digest": b32(c), "alg": algOf(k.Public()), "public": x(k.Public().Bytes)}, Want: m{"refused": string(want)}}
		if want == "" {
			v.Want = m{"id": r.ID(c).String(), "endpoint": b.Endpoint, "method": b.Method, "params": x(b.Params), "nonce": u(b.Nonce), "salt": u(b.Salt), "issued_at": u(b.IssuedAt), "expires": u(b.Expires), "signature": x(r.Sigs[0].Bytes)}
		}
		out = append(out, v)
	}
	add("valid/p256", "by a browser's key", browser, "")
	add("valid/passkey", "by a passkey", phone, "")
	add("valid/passkey-longest", "by the longest passkey", longest(), "")
	for _, k := range knobs() {
		add("refused/passkey-"+k.name, "decodes, but: "+k.note, phone.With(k.change), k.kind)
	}
	good := mustCommand(t, commandBody(), owner)
	odd := func(name, note string, sig key.Signature) {
		raw := codec.MustMarshal(command.Envelope{Body: codec.MustMarshal(good.Body), Sigs: []command.Sig{{Key: good.Sigs[0].Key, Bytes: sig}}})
		out = append(out, vectors.Case{Name: "refused/" + name, Note: note, Hex: x(raw), Want: m{"refused": command.Malformed.String()}})
	}
	odd("signature-empty", "a signature of no bytes", nil)
	odd("signature-too-long", "a signature of 1025 bytes", make([]byte, key.MaxSignature+1))
	return out
}

func phoneTxCases(t *testing.T) (out []vectors.Case) {
	c := chain()
	root, id, seal := owner.Public(), device.Public().DeviceID(), sha256.Sum256([]byte("seal"))
	keys := func(k key.Public, r tx.Rights) *tx.RotateKeys {
		return &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: root, Rights: tx.RightAdmin | tx.RightInvoke}, {Key: k, Rights: r}}}
	}
	valid := func(name, note string, p tx.Payload, k key.Signer) {
		r := mustTx(t, p)
		acc := r.Body.Account
		v := vectors.Case{Name: "valid/" + name, Note: note, In: m{"chain_digest": b32(c), "public": x(root.Bytes)},
			Want: m{"id": r.ID(c).String(), "kind": u(uint64(p.Kind())), "account": x(acc[:]), "sequence": "7", "expires": u(start + 60), "payload": x(r.Body.Payload), "role": "1", "signature": x(r.Sigs[0].Bytes)}}
		if k != nil {
			r.Sign(c, tx.RoleNewKey, k)
			v.In["new_alg"], v.In["new_public"] = algOf(k.Public()), x(k.Public().Bytes)
			v.Want["new_signature"] = x(r.Sigs[len(r.Sigs)-1].Bytes)
		}
		v.Hex = x(r.Bytes())
		out = append(out, v)
	}
	grant := func(k key.Public) tx.Payload {
		return &tx.CreateGrant{Grantee: k, NotBefore: start, NotAfter: start + 3600, Targets: []tx.Target{{Device: id, Epoch: 1, Endpoint: "lock", Methods: []string{"close", "open"}}}}
	}
	valid("rotate-keys-p256", "a browser's key joins, to invoke alone, and proves itself", keys(browser.Public(), tx.RightInvoke), browser)
	valid("rotate-keys-passkey", "a passkey joins, to invoke alone, and proves itself", keys(phone.Public(), tx.RightInvoke), phone)
	valid("create-grant-p256", "to a browser's key", grant(browser.Public()), nil)
	valid("create-grant-passkey", "to a passkey", grant(phone.Public()), nil)

	good := mustTx(t, payloads()[5])
	refuse := func(name, note string, raw []byte, kind error) {
		out = append(out, vectors.Case{Name: "refused/" + name, Note: note, Hex: x(raw), Want: m{"refused": kind.Error()}})
	}
	payload := func(name, note string, p tx.Payload, kind error) {
		b := good.Body
		b.Kind, b.Payload = p.Kind(), codec.MustMarshal(p)
		refuse(name, note, codec.MustMarshal(tx.Envelope{Body: codec.MustMarshal(b), Sigs: good.Sigs}), kind)
	}
	for name, k := range map[string]key.Public{"p256": browser.Public(), "passkey": phone.Public()} {
		acc := k.AccountID()
		payload("invoke-only/"+name+"/admin", "with the right to administer alone", keys(k, tx.RightAdmin), tx.InvokeOnly)
		payload("invoke-only/"+name+"/both", "with both rights", keys(k, tx.RightAdmin|tx.RightInvoke), tx.InvokeOnly)
		payload("invoke-only/"+name+"/root", "as the root of an account", &tx.Claim{Device: id, Epoch: 1, Root: &k}, tx.InvokeOnly)
		payload("invoke-only/"+name+"/new-owner", "as the root of a new owner", &tx.Transfer{Device: id, Epoch: 2, To: acc, Root: &k}, tx.InvokeOnly)
		payload("invoke-only/"+name+"/device", "as a device", &tx.RegisterDevice{Key: k, SealKey: seal, Model: "Lock 1"}, tx.InvokeOnly)
	}
	sortTail(out, 10)
	payload("passkey-no-rights", "a passkey without any right", keys(phone.Public(), 0), tx.Malformed)
	payload("passkey-alone", "nobody can administer", &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: phone.Public(), Rights: tx.RightInvoke}}}, tx.Malformed)
	payload("passkey-record", "a grantee that is no key", grant(key.Public{Alg: key.Passkey, Bytes: codec.MustMarshal(badRecords()["origin-other"])}), key.BadKey)
	odd := func(name, note string, sig key.Signature) {
		refuse(name, note, codec.MustMarshal(tx.Envelope{Body: codec.MustMarshal(good.Body), Sigs: []tx.Sig{{Role: tx.RoleAccount, Key: root.ID(), Bytes: sig}}}), tx.Malformed)
	}
	odd("signature-empty", "a signature of no bytes", nil)
	odd("signature-too-long", "a signature of 1025 bytes", make([]byte, key.MaxSignature+1))
	return out
}

// phoneHistory goes on where the state's history ends: the buyer's account gets
// a phone and a browser.
func phoneHistory(t *testing.T, w *statetest.World, do func(string, string, *tx.Tx, error)) {
	add := func(k key.Signer) *tx.Tx { return w.RotateTx(t, buyer, buyer, buyer, k) }
	seen := map[key.ErrorKind]bool{}
	for _, k := range knobs() {
		if !seen[k.kind] { // one of each kind is enough here
			do("phone/"+k.name, "an owner adds a phone whose proof is refused: "+k.note, add(phone.With(k.change)), k.kind)
		}
		seen[k.kind] = true
	}
	mute := add(phone)
	mute.Sigs = mute.Sigs[:1]
	do("phone/no-proof", "nobody proved that the phone's key exists", mute, state.MissingSigner)
	both := w.RotateTx(t, buyer, buyer, buyer, phone, browser)
	do("phone", "the phone and a browser join, to invoke alone", both, nil)
	do("phone/admin", "the phone signs a key change for the account", w.RotateTx(t, buyer, phone, buyer), state.WrongSigner)
	id, devID := buyer.Public().AccountID(), device.Public().DeviceID()
	targets := []tx.Target{{Device: devID, Epoch: 2, Endpoint: "lock", Methods: []string{"open"}}}
	share := &tx.CreateGrant{Grantee: guest.Public(), NotBefore: start, NotAfter: start + 3600, Targets: targets}
	do("phone/grant", "the phone signs a grant for the account", w.Build(t, id, share, statetest.As{Role: tx.RoleAccount, Key: phone}), state.WrongSigner)
	do("phone/grant-browser", "the browser does", w.Build(t, id, share, statetest.As{Role: tx.RoleAccount, Key: browser}), state.WrongSigner)
	do("phone/grant-helps", "the phone signs beside the owner", w.Build(t, id, share, statetest.As{Role: tx.RoleAccount, Key: buyer}, statetest.As{Role: tx.RoleAccount, Key: phone}), state.WrongSigner)
	give := &tx.Transfer{Device: devID, Epoch: 3, To: owner.Public().AccountID()}
	do("phone/transfer", "the phone gives the device away", w.Build(t, id, give, statetest.As{Role: tx.RoleAccount, Key: phone}, statetest.As{Role: tx.RoleNewOwner, Key: owner}), state.WrongSigner)
	guestPhone := keytest.NewPasskey("guest", rpID, page)
	do("phone/guest", "a guest's phone may open", w.GrantTx(t, buyer, guestPhone.Public(), device, "open"), nil)
	do("phone/removed", "the phone is taken off, the browser stays", w.RotateTx(t, buyer, buyer, buyer, browser), nil)
}
