package vectors_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

// The cast of the vectors.
var (
	vendor = statetest.Key("vendor")
	owner  = statetest.Key("owner")
	guest  = statetest.Key("guest")
	buyer  = statetest.Key("buyer")
	device = statetest.Key("device")
)

const start = 1_800_000_000

type m = map[string]string

func x(b []byte) string     { return hex.EncodeToString(b) }
func u(n uint64) string     { return strconv.FormatUint(n, 10) }
func b32(b [32]byte) string { return x(b[:]) }
func flip(b []byte, i int) []byte {
	c := bytes.Clone(b)
	c[i] ^= 1
	return c
}

// generate makes every file from the code as it is. Cases are only ever added:
// a case that differs from the published one fails the test.
func generate(t *testing.T) []vectors.File {
	return []vectors.File{codecFile(), keyFile(), txFile(t), commandFile(t), receiptFile(t), codesFile(), genesisFile(), stateFile(t), attestFile(t)}
}

func testGenesis() *genesis.Doc {
	return &genesis.Doc{
		ChainID: "hos-test", Time: start,
		Validators: []genesis.Validator{{Name: "one", PubKey: bytes.Repeat([]byte{1}, 32)}, {Name: "two", PubKey: bytes.Repeat([]byte{2}, 32)}},
		Vendors:    []genesis.Vendor{{Name: "acme", Keys: []key.Public{vendor.Public()}, Threshold: 1, Quota: 2}},
	}
}

func chain() codec.ChainDigest { return testGenesis().Chain() }

func codecFile() vectors.File {
	f := vectors.File{Name: "codec", About: "canonical form of items, chain digests and digests under labels"}
	add := func(name, note, item, refused string) {
		w := m{"refused": refused}
		if refused == "" {
			w = m{"accepted": "yes"}
		}
		f.Cases = append(f.Cases, vectors.Case{Name: "form/" + name, Note: note, Hex: item, Want: w})
	}
	add("zero", "unsigned 0", "00", "")
	add("widest", "unsigned 2^64-1", "1bffffffffffffffff", "")
	add("negative", "-1000", "3903e7", "")
	add("map", "keys in rising order of their bytes", "a3010018200041ff00", "")
	add("simple", "false, true, null", "83f4f5f6", "")
	add("wide-zero", "0 in two bytes", "1800", "not_canonical")
	add("wide-255", "255 in three bytes", "1900ff", "not_canonical")
	add("wide-65535", "65535 in five bytes", "1a0000ffff", "not_canonical")
	add("wide-32", "2^32-1 in nine bytes", "1b00000000ffffffff", "not_canonical")
	add("wide-length", "length 1 in two bytes", "5801ff", "not_canonical")
	add("unsorted", "map keys out of order", "a202000100", "not_canonical")
	add("twice", "a map key twice", "a201000100", "not_canonical")
	add("float", "1.0 in half precision", "f93c00", "malformed")
	add("undefined", "undefined", "f7", "malformed")
	add("tag", "a tagged integer", "c100", "malformed")
	add("indefinite", "array of indefinite length", "9fff", "malformed")
	add("truncated", "a length without its bytes", "42ff", "malformed")
	add("trailing", "a byte after the end", "0000", "malformed")
	add("deep", "nine levels", "81818181818181818100", "malformed")

	g := sha256.Sum256([]byte("genesis"))
	c := codec.NewChainDigest("hos-test", g)
	f.Cases = append(f.Cases, vectors.Case{Name: "chain", Note: "SHA-256(chain id || genesis hash)", In: m{"chain_id": "hos-test", "genesis_hash": b32(g)}, Want: m{"chain_digest": b32(c)}})
	body := []byte("body")
	for _, l := range []codec.Label{codec.LabelTx, codec.LabelCommand, codec.LabelReceipt, codec.LabelAttest, codec.LabelPair, codec.LabelLogin} {
		f.Cases = append(f.Cases, vectors.Case{Name: "digest/" + string(l), Note: "SHA-256(label || 00 || chain digest || body)", Hex: x(body), In: m{"label": string(l), "chain_digest": b32(c)}, Want: m{"digest": b32(codec.Digest(l, c, body))}})
	}
	for _, l := range []codec.Label{codec.LabelAccount, codec.LabelDevice, codec.LabelKey, codec.LabelGenesis, codec.LabelSecret, codec.LabelReceipts} {
		f.Cases = append(f.Cases, vectors.Case{Name: "hash/" + string(l), Note: "SHA-256(label || 00 || body)", Hex: x(body), In: m{"label": string(l)}, Want: m{"hash": b32(codec.Hash(l, body))}})
	}
	f.Cases = append(f.Cases, vectors.Case{Name: "digest/" + string(codec.LabelValidator), Note: "what a validator's key signs to prove itself", Hex: x(bytes.Repeat([]byte{7}, 32)),
		In: m{"label": string(codec.LabelValidator), "chain_digest": b32(chain())}, Want: m{"digest": b32(codec.Digest(codec.LabelValidator, chain(), bytes.Repeat([]byte{7}, 32)))}})
	f.Cases = append(f.Cases, vectors.Case{Name: "digest/" + string(codec.LabelGrant), Note: "what stands for a private grant's body", Hex: x(body),
		In: m{"label": string(codec.LabelGrant), "chain_digest": b32(c)}, Want: m{"digest": b32(codec.Digest(codec.LabelGrant, c, body))}})
	f.Cases = append(f.Cases, vectors.Case{Name: "hash/" + string(codec.LabelAttests), Note: "SHA-256(label || 00 || body)", Hex: x(body),
		In: m{"label": string(codec.LabelAttests)}, Want: m{"hash": b32(codec.Hash(codec.LabelAttests, body))}})
	return f
}

func keyFile() vectors.File {
	f := vectors.File{Name: "key", About: "keys, ids, texts and signatures of every algorithm"}
	for _, who := range []string{"vendor", "owner", "guest", "buyer", "device"} {
		k := statetest.Key(who)
		p := k.Public()
		acc, dev, id := p.AccountID(), p.DeviceID(), p.ID()
		f.Cases = append(f.Cases, vectors.Case{Name: "ids/" + who, Note: "all names of one key", In: m{"secret": x(k.Secret())}, Want: m{
			"public": x(p.Bytes), "encoded": x(codec.MustMarshal(p)), "public_text": p.String(),
			"key_id": x(id[:]), "key_text": id.String(), "account_id": x(acc[:]), "account_text": acc.String(), "device_id": x(dev[:]), "device_text": dev.String(),
		}})
		for _, msg := range []string{"", "open the door"} {
			d := sha256.Sum256([]byte(msg))
			f.Cases = append(f.Cases, vectors.Case{Name: fmt.Sprintf("sign/%s/%q", who, msg), Note: "RFC 6979 with SHA-256, low s", In: m{"secret": x(k.Secret()), "digest": b32(d)}, Want: m{"signature": x(k.Sign(d))}})
		}
	}
	d := sha256.Sum256([]byte("open the door"))
	pub, sig := owner.Public().Bytes, []byte(owner.Sign(d))
	n, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	high := bytes.Clone(sig)
	new(big.Int).Sub(n, new(big.Int).SetBytes(sig[32:])).FillBytes(high[32:])
	order := append(bytes.Clone(sig[:32]), n.Bytes()...)
	refuse := func(name, alg string, pub, sig []byte, kind key.ErrorKind) {
		f.Cases = append(f.Cases, vectors.Case{Name: "verify/" + name, Note: "a signature that must be refused", In: m{"alg": alg, "public": x(pub), "digest": b32(d), "signature": x(sig)}, Want: m{"refused": string(kind)}})
	}
	refuse("high-s", "1", pub, high, key.HighS)
	refuse("s-is-order", "1", pub, order, key.BadSignature)
	refuse("r-zero", "1", pub, append(make([]byte, 32), sig[32:]...), key.BadSignature)
	refuse("flipped", "1", pub, flip(sig, 3), key.BadSignature)
	refuse("short", "1", pub, sig[:63], key.BadSignature)
	refuse("other-key", "1", guest.Public().Bytes, sig, key.BadSignature)
	refuse("not-a-point", "1", append([]byte{2}, append(make([]byte, 31), 5)...), sig, key.BadKey)
	refuse("uncompressed-prefix", "1", append([]byte{4}, pub[1:]...), sig, key.BadKey)
	refuse("unknown-alg", "9", pub, sig, key.UnknownAlg)
	text := owner.Public().AccountID().String()
	for name, s := range map[string]string{"upper-case": strings.ToUpper(text), "truncated": text[:len(text)-1], "device-text": owner.Public().DeviceID().String(), "empty": ""} {
		f.Cases = append(f.Cases, vectors.Case{Name: "text/" + name, Note: "not the text of an account id", In: m{"text": s}, Want: m{"refused": string(key.BadText)}})
	}
	sortTail(f.Cases, 4)
	f.Cases = append(f.Cases, phoneKeyCases()...)
	return f
}

// sortTail orders the last n cases by name, since they came from a map.
func sortTail(c []vectors.Case, n int) {
	tail := c[len(c)-n:]
	for i := range tail {
		for j := i; j > 0 && tail[j].Name < tail[j-1].Name; j-- {
			tail[j], tail[j-1] = tail[j-1], tail[j]
		}
	}
}

func payloads() []tx.Payload {
	root, to := owner.Public(), buyer.Public()
	id := device.Public().DeviceID()
	return []tx.Payload{
		&tx.RegisterDevice{Key: device.Public(), SealKey: sha256.Sum256([]byte("seal")), Model: "Lock 1"},
		&tx.Claim{Device: id, Epoch: 1, Root: &root},
		&tx.Transfer{Device: id, Epoch: 2, To: to.AccountID(), Root: &to},
		&tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: root, Rights: tx.RightAdmin | tx.RightInvoke}, {Key: guest.Public(), Rights: tx.RightInvoke}}},
		&tx.CreateGrant{Grantee: guest.Public(), NotBefore: start, NotAfter: start + 3600, Targets: []tx.Target{{Device: id, Epoch: 1, Endpoint: "lock", Methods: []string{"close", "open"}}}},
		&tx.RevokeGrant{Grant: tx.ID(sha256.Sum256([]byte("grant")))},
	}
}

func mustTx(t *testing.T, p tx.Payload) *tx.Tx {
	t.Helper()
	r, err := tx.New(owner.Public().AccountID(), 7, start+60, p)
	if err != nil {
		t.Fatal(err)
	}
	r.Sign(chain(), tx.RoleAccount, owner)
	return r
}

func txFile(t *testing.T) vectors.File {
	f := vectors.File{Name: "tx", About: "envelopes of every kind, signed by owner in role 1, and bytes that are refused"}
	c := chain()
	for _, p := range payloads() {
		r := mustTx(t, p)
		acc := r.Body.Account
		f.Cases = append(f.Cases, vectors.Case{Name: "valid/" + p.Kind().String(), Note: "decodes, and re-encodes to the same bytes", Hex: x(r.Bytes()), In: m{"chain_digest": b32(c), "public": x(owner.Public().Bytes)},
			Want: m{"id": r.ID(c).String(), "kind": u(uint64(p.Kind())), "account": x(acc[:]), "sequence": "7", "expires": u(start + 60), "payload": x(r.Body.Payload), "role": "1", "signature": x(r.Sigs[0].Bytes)}})
	}
	good := mustTx(t, payloads()[5])
	refuse := func(name, note string, raw []byte, kind error) {
		f.Cases = append(f.Cases, vectors.Case{Name: "refused/" + name, Note: note, Hex: x(raw), Want: m{"refused": kind.Error()}})
	}
	body := func(change func(*tx.Body)) []byte {
		b := good.Body
		change(&b)
		return codec.MustMarshal(tx.Envelope{Body: codec.MustMarshal(b), Sigs: good.Sigs})
	}
	payload := func(p tx.Payload) []byte {
		return body(func(b *tx.Body) { b.Kind, b.Payload = p.Kind(), codec.MustMarshal(p) })
	}
	refuse("empty", "no bytes", nil, codec.Malformed)
	refuse("truncated", "one byte short", good.Bytes()[:len(good.Bytes())-1], codec.Malformed)
	refuse("trailing", "one byte more", append(good.Bytes(), 0), codec.Malformed)
	refuse("wide-header", "map header in two bytes", append([]byte{0xb8, 2}, good.Bytes()[1:]...), codec.NotCanonical)
	refuse("version", "body version 2", body(func(b *tx.Body) { b.Version = 2 }), tx.BadVersion)
	refuse("kind", "kind 65535", body(func(b *tx.Body) { b.Kind = 65535 }), tx.UnknownKind)
	refuse("no-expiry", "expires 0", body(func(b *tx.Body) { b.Expires = 0 }), tx.Malformed)
	refuse("no-signature", "an empty list", codec.MustMarshal(tx.Envelope{Body: codec.MustMarshal(good.Body)}), tx.Malformed)
	refuse("signature-twice", "the same signature twice", codec.MustMarshal(tx.Envelope{Body: codec.MustMarshal(good.Body), Sigs: append(good.Sigs, good.Sigs...)}), tx.Malformed)
	refuse("claim-epoch", "a claim without an epoch", payload(&tx.Claim{Device: device.Public().DeviceID()}), tx.Malformed)
	refuse("rotate-threshold", "a threshold that nobody reaches", payload(&tx.RotateKeys{Version: 1, Threshold: 2, Keys: []tx.AccountKey{{Key: owner.Public(), Rights: tx.RightAdmin}}}), tx.Malformed)
	refuse("grant-nothing", "a grant without targets", payload(&tx.CreateGrant{Grantee: guest.Public(), NotAfter: 1}), tx.Malformed)
	refuse("register-alg", "an unknown algorithm", payload(&tx.RegisterDevice{Key: key.Public{Alg: 9, Bytes: []byte{1}}, SealKey: [32]byte{1}, Model: "x"}), key.UnknownAlg)
	f.Cases = append(f.Cases, phoneTxCases(t)...)
	f.Cases = append(f.Cases, governanceTxCases(t)...)
	f.Cases = append(f.Cases, lifecycleTxCases(t)...)
	f.Cases = append(f.Cases, recoveryTxCases(t)...)
	f.Cases = append(f.Cases, lifetimeTxCases(t)...)
	f.Cases = append(f.Cases, grantTxCases(t)...)
	f.Cases = append(f.Cases, sealTxCases(t)...)
	return f
}

func commandBody() command.Body {
	c := chain()
	return command.Body{
		Version: 1, Type: command.TypeInvoke, Chain: command.Prefix(c), Device: device.Public().DeviceID(), Endpoint: "lock", Epoch: 1,
		Principal: owner.Public().AccountID(), Key: owner.Public().ID(), Salt: 5, Nonce: 1,
		IssuedAt: start * 1000, Expires: start*1000 + 30_000, Method: "open", Params: []byte(`{"n":9007199254740993}`), Seen: 4,
	}
}

func mustCommand(t *testing.T, b command.Body, k key.Signer) *command.Command {
	t.Helper()
	r, err := command.New(b)
	if err != nil {
		t.Fatal(err)
	}
	r.Sign(chain(), k)
	return r
}

func commandFile(t *testing.T) vectors.File {
	f := vectors.File{Name: "command", About: "commands to one lock, and bytes that are refused"}
	c := chain()
	valid := func(name, note string, k *key.Private, change func(*command.Body)) *command.Command {
		b := commandBody()
		b.Key = k.Public().ID()
		change(&b)
		r := mustCommand(t, b, k)
		f.Cases = append(f.Cases, vectors.Case{Name: "valid/" + name, Note: note, Hex: x(r.Bytes()), In: m{"chain_digest": b32(c), "public": x(k.Public().Bytes)},
			Want: m{"id": r.ID(c).String(), "endpoint": b.Endpoint, "method": b.Method, "params": x(b.Params), "nonce": u(b.Nonce), "salt": u(b.Salt), "issued_at": u(b.IssuedAt), "expires": u(b.Expires), "signature": x(r.Sigs[0].Bytes)}})
		return r
	}
	good := valid("owner", "params hold a number over 2^53 and are bytes all the same", owner, func(*command.Body) {})
	grant := tx.ID(sha256.Sum256([]byte("grant")))
	valid("guest", "under a grant", guest, func(b *command.Body) { b.Grant, b.Principal = &grant, guest.Public().AccountID() })
	valid("bare", "without optional fields, salt at its greatest", owner, func(b *command.Body) { b.Params, b.Seen, b.Salt = nil, 0, 1<<64-1 })
	valid("extension", "an extension from 128 on may be ignored", owner, func(b *command.Body) { b.Ext = map[uint64]codec.Raw{128: {0x01}, 300: {0x41, 0x00}} })
	refuse := func(name, note string, raw []byte, in m, code command.Code) {
		f.Cases = append(f.Cases, vectors.Case{Name: "refused/" + name, Note: note, Hex: x(raw), In: in, Want: m{"refused": code.String()}})
	}
	body := func(change func(*command.Body)) []byte {
		b := commandBody()
		change(&b)
		return codec.MustMarshal(command.Envelope{Body: codec.MustMarshal(b), Sigs: good.Sigs})
	}
	refuse("empty", "no bytes", nil, nil, command.Malformed)
	refuse("too-large", "one byte over 4096", make([]byte, command.MaxBytes+1), nil, command.TooLarge)
	refuse("wide-header", "map header in two bytes", append([]byte{0xb8, 2}, good.Bytes()[1:]...), nil, command.NotCanonical)
	refuse("version", "version 2", body(func(b *command.Body) { b.Version = 2 }), nil, command.BadVersion)
	refuse("type", "type 2", body(func(b *command.Body) { b.Type = 2 }), nil, command.BadType)
	refuse("no-epoch", "epoch 0", body(func(b *command.Body) { b.Epoch = 0 }), nil, command.Malformed)
	refuse("no-life", "expires when issued", body(func(b *command.Body) { b.Expires = b.IssuedAt }), nil, command.Malformed)
	refuse("method-name", "a method in capitals", body(func(b *command.Body) { b.Method = "Open" }), nil, command.Malformed)
	refuse("critical-extension", "extension 1", body(func(b *command.Body) { b.Ext = map[uint64]codec.Raw{1: {0}} }), nil, command.UnknownExtension)
	refuse("extension-form", "0 in two bytes inside an extension", body(func(b *command.Body) { b.Ext = map[uint64]codec.Raw{128: {0x18, 0}} }), nil, command.NotCanonical)
	refuse("other-chain", "decodes, but the signature is for another ledger", good.Bytes(), m{"chain_digest": b32([32]byte{1}), "public": x(owner.Public().Bytes)}, command.BadSignature)
	refuse("other-key", "decodes, but is signed by another key than expected", good.Bytes(), m{"chain_digest": b32(c), "public": x(guest.Public().Bytes)}, command.UnknownKey)
	f.Cases = append(f.Cases, phoneCommandCases(t)...)
	f.Cases = append(f.Cases, grantCommandCases(t)...)
	f.Cases = append(f.Cases, jointCommandCases(t)...)
	return f
}

func receiptBody(id command.ID) command.ReceiptBody {
	return command.ReceiptBody{
		Version: 1, Command: id, Device: device.Public().DeviceID(), Epoch: 1, Counter: 3, Status: command.Executed, Code: command.OK,
		Result: []byte(`{"locked":false}`), Height: 12, HeadHash: bytes.Repeat([]byte{7}, 32), Time: start*1000 + 100, Prev: bytes.Repeat([]byte{8}, 32),
	}
}

func receiptFile(t *testing.T) vectors.File {
	f := vectors.File{Name: "receipt", About: "receipts of one lock, and bytes that are refused"}
	c := chain()
	id := mustCommand(t, commandBody(), owner).ID(c)
	in := func() m {
		return m{"chain_digest": b32(c), "public": x(device.Public().Bytes), "command": id.String()}
	}
	for _, s := range []struct {
		status command.Status
		code   command.Code
	}{{command.Executed, command.OK}, {command.Rejected, command.GrantRevoked}, {command.Deferred, command.Stale}, {command.Unknown, command.Interrupted}} {
		b := receiptBody(id)
		b.Status, b.Code = s.status, s.code
		if s.status != command.Executed {
			b.Result = nil
		}
		r := command.SignReceipt(c, b, device)
		f.Cases = append(f.Cases, vectors.Case{Name: "valid/" + s.status.String(), Note: "decodes and verifies", Hex: x(r.Bytes()), In: in(),
			Want: m{"status": u(uint64(s.status)), "code": u(uint64(s.code)), "result": x(b.Result), "counter": "3", "hash": b32(r.Hash())}})
	}
	good := command.SignReceipt(c, receiptBody(id), device)
	refuse := func(name, note string, raw []byte, in m, code command.Code) {
		f.Cases = append(f.Cases, vectors.Case{Name: "refused/" + name, Note: note, Hex: x(raw), In: in, Want: m{"refused": code.String()}})
	}
	body := func(change func(*command.ReceiptBody)) []byte {
		b := receiptBody(id)
		change(&b)
		return codec.MustMarshal(command.ReceiptEnvelope{Body: codec.MustMarshal(b), Sig: good.Sig})
	}
	other := in()
	other["public"] = x(guest.Public().Bytes)
	refuse("other-device", "not by the device that was asked", good.Bytes(), other, command.WrongDevice)
	other = in()
	other["command"] = b32([32]byte{1})
	refuse("other-command", "an answer to something else", good.Bytes(), other, command.Malformed)
	refuse("forged", "names the device but is signed by guest", command.SignReceipt(c, receiptBody(id), guest).Bytes(), in(), command.BadSignature)
	refuse("executed-with-code", "executed with a refusal's code", body(func(b *command.ReceiptBody) { b.Code = command.Replayed }), in(), command.Malformed)
	refuse("status", "status 5", body(func(b *command.ReceiptBody) { b.Status = 5 }), in(), command.Malformed)
	refuse("version", "version 2", body(func(b *command.ReceiptBody) { b.Version = 2 }), in(), command.BadVersion)
	f.Cases = append(f.Cases, envelopeReceiptCases(t)...)
	return f
}

func codesFile() vectors.File {
	f := vectors.File{Name: "codes", About: "numbers and their names"}
	add := func(group, name string, n uint64) {
		f.Cases = append(f.Cases, vectors.Case{Name: group + "/" + name, Note: "a number that never changes", Want: m{"number": u(n)}})
	}
	for _, c := range command.Codes() {
		add("code", c.String(), uint64(c))
	}
	for _, s := range []command.Status{command.Executed, command.Rejected, command.Deferred, command.Unknown} {
		add("status", s.String(), uint64(s))
	}
	for _, k := range tx.Kinds() {
		add("kind", k.String(), uint64(k))
	}
	return f
}

func genesisFile() vectors.File {
	f := vectors.File{Name: "genesis", About: "genesis documents as JSON texts"}
	d := testGenesis()
	f.Cases = append(f.Cases, vectors.Case{Name: "valid", Note: "hash over the canonical encoding", In: m{"json": string(d.JSON())}, Want: m{"hash": b32(d.Hash()), "chain_digest": b32(d.Chain()), "encoded": x(codec.MustMarshal(d))}})
	d.Vendors = nil
	f.Cases = append(f.Cases, vectors.Case{Name: "no-vendors", Note: "null is an empty list", In: m{"json": string(d.JSON())}, Want: m{"hash": b32(d.Hash()), "chain_digest": b32(d.Chain()), "encoded": x(codec.MustMarshal(d))}})
	for _, bad := range [][3]string{{"twice", "a name twice", strings.Replace(string(d.JSON()), `"time"`, `"time": 1, "time"`, 1)}, {"capitals", "a name in other letters", strings.Replace(string(d.JSON()), `"time"`, `"Time"`, 1)}, {"chain-id", "a chain id with a slash", strings.Replace(string(d.JSON()), "hos-test", "hos/test", 1)}} {
		f.Cases = append(f.Cases, vectors.Case{Name: "refused/" + bad[0], Note: bad[1], In: m{"json": bad[2]}, Want: m{"refused": "yes"}})
	}
	f.Cases = append(f.Cases, governanceGenesisCases()...)
	return f
}

func stateFile(t *testing.T) vectors.File {
	f := vectors.File{Name: "state", About: "one history: each case is a transaction that executes on the state that the cases before left; the first writes the genesis of genesis.json's case valid"}
	d := testGenesis()
	w := &statetest.World{Tree: new(statetest.Tree), Vendor: vendor, Block: state.Block{Chain: d.Chain(), Height: 1, Time: start}}
	if err := d.Apply(w.Tree); err != nil {
		t.Fatal(err)
	}
	f.Cases = append(f.Cases, vectors.Case{Name: "genesis", Note: "no transaction: the first records", In: m{"json": string(d.JSON())}, Want: changed(new(statetest.Tree), w.Tree)})
	do := func(name, note string, r *tx.Tx, want error) {
		before := w.Tree.Clone()
		c := vectors.Case{Name: name, Note: note, Hex: x(r.Bytes()), In: m{"chain_digest": b32(w.Block.Chain), "time": strconv.FormatInt(w.Block.Time, 10)}}
		if want == nil {
			w.Do(t, r)
			c.Want = changed(before, w.Tree)
		} else {
			c.Want = m{"refused": want.Error()}
		}
		f.Cases = append(f.Cases, c)
	}
	register := w.RegisterTx(t, device)
	do("register", "the vendor's device", register, nil)
	do("register/replay", "the same bytes again", register, state.BadSequence)
	do("register/twice", "the same device again", w.RegisterTx(t, device), state.DeviceExists)
	late := w.ClaimTx(t, owner, device)
	w.Block.Time += 60
	do("claim/expired", "block time has reached the expiry", late, state.TxExpired)
	half := w.ClaimTx(t, owner, device)
	half.Sigs = half.Sigs[:1]
	do("claim/alone", "the device did not sign", half, state.MissingSigner)
	do("claim", "owner and device sign; the account is made", w.ClaimTx(t, owner, device), nil)
	do("claim/owned", "an owned device", w.ClaimTx(t, buyer, device), state.DeviceOwned)
	grant := w.GrantTx(t, owner, guest.Public(), device, "open")
	do("grant", "guest may open", grant, nil)
	do("revoke", "no more", w.RevokeTx(t, owner, grant.ID(w.Block.Chain)), nil)
	do("revoke/twice", "a dead grant", w.RevokeTx(t, owner, grant.ID(w.Block.Chain)), state.GrantRevoked)
	do("rotate", "guest's key joins the owner's", w.RotateTx(t, owner, owner, owner, guest), nil)
	stolen := w.TransferTx(t, owner, buyer, device)
	stolen.Sigs = stolen.Sigs[1:]
	do("transfer/theft", "the old owner did not sign", stolen, state.MissingSigner)
	do("transfer", "both owners sign; the buyer's account is made", w.TransferTx(t, owner, buyer, device), nil)
	do("transfer/not-owner", "the old owner again", w.TransferTx(t, owner, buyer, device), state.NotOwner)
	do("register/second", "uses the quota up", w.RegisterTx(t, guest), nil)
	do("register/quota", "over the quota", w.RegisterTx(t, buyer), state.QuotaExceeded)
	phoneHistory(t, w, do)
	f.Cases = append(f.Cases, governanceHistory(t, w)...)
	f.Cases = append(f.Cases, lifecycleHistory(t, w)...)
	f.Cases = append(f.Cases, recoveryHistory(t, w)...)
	f.Cases = append(f.Cases, lifetimeHistory(t, w)...)
	f.Cases = append(f.Cases, grantHistory(t, w)...)
	f.Cases = append(f.Cases, sealHistory(t, w)...)
	return f
}

// changed lists the records that were written, as "set/<key>": value.
func changed(before, after *statetest.Tree) m {
	out := m{}
	for _, k := range after.Keys() {
		old, _ := before.Get([]byte(k))
		now, _ := after.Get([]byte(k))
		if !bytes.Equal(old, now) {
			out["set/"+x([]byte(k))] = x(now)
		}
	}
	return out
}
