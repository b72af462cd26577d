package vectors_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

var update = flag.Bool("update", false, "add new cases to the files; old ones are never changed")

// counts holds how many cases each file has, so that a cut file fails.
var counts = map[string]int{"attest": 24, "codec": 35, "codes": 87, "command": 60, "genesis": 13, "key": 134, "receipt": 16, "state": 262, "tx": 219}

// TestFiles: the files hold what the code makes, published cases never change,
// and the counts are known.
func TestFiles(t *testing.T) {
	for _, want := range generate(t) {
		have, err := vectors.Load(want.Name)
		if err != nil && !*update {
			t.Fatal(err)
		}
		old := map[string]vectors.Case{}
		for _, c := range have.Cases {
			if _, twice := old[c.Name]; twice {
				t.Errorf("%s: case %s stands twice", want.Name, c.Name)
			}
			old[c.Name] = c
		}
		have.Name, have.About = want.Name, want.About
		added := false
		for _, c := range want.Cases {
			published, ok := old[c.Name]
			switch {
			case ok && cmp.Diff(published, c) != "":
				t.Errorf("%s: published case %s would change:\n%s", want.Name, c.Name, cmp.Diff(published, c))
			case !ok && *update:
				have.Cases, added = append(have.Cases, c), true
			case !ok:
				t.Errorf("%s: case %s is missing; run the test with -update", want.Name, c.Name)
			}
		}
		if added {
			write(t, have)
		}
	}
	if *update {
		t.Log("run the tests again, since the files are embedded")
		return
	}
	names := vectors.Names()
	if len(names) != len(counts) {
		t.Fatalf("files %v, %d counts", names, len(counts))
	}
	for _, name := range names {
		if n := len(load(t, name).Cases); n != counts[name] {
			t.Errorf("%s has %d cases, want %d", name, n, counts[name])
		}
	}
	if _, err := vectors.Load("nothing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func write(t *testing.T, f vectors.File) {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Name+".json", out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, name string) vectors.File {
	t.Helper()
	f, err := vectors.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// each runs check on every case and compares what comes out.
func each(t *testing.T, name string, check func(*testing.T, vectors.Case) map[string]string) {
	t.Helper()
	if *update {
		return
	}
	for _, c := range load(t, name).Cases {
		t.Run(c.Name, func(t *testing.T) {
			got := check(t, c)
			for k := range got {
				if _, asked := c.Want[k]; !asked && k != "refused" {
					delete(got, k)
				}
			}
			if d := cmp.Diff(c.Want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func get32(t *testing.T, c vectors.Case, name string) [32]byte {
	t.Helper()
	b := unhex(t, c.In[name])
	if len(b) != 32 {
		t.Fatalf("%s is %d bytes", name, len(b))
	}
	return [32]byte(b)
}

func public(t *testing.T, c vectors.Case) key.Public {
	alg, err := strconv.Atoi(cmp0(c.In["alg"], "1"))
	if err != nil {
		t.Fatal(err)
	}
	return key.Public{Alg: key.Alg(alg), Bytes: unhex(t, c.In["public"])}
}

func cmp0(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// refused gives the innermost kind of a refusal.
func refused(err error) m {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return m{"refused": err.Error()}
}

func group(c vectors.Case) string { g, _, _ := strings.Cut(c.Name, "/"); return g }

func TestCodec(t *testing.T) {
	each(t, "codec", func(t *testing.T, c vectors.Case) m {
		switch group(c) {
		case "form":
			var v struct {
				R codec.Raw `cbor:"1,keyasint"`
			}
			if err := codec.Unmarshal(append([]byte{0xa1, 1}, c.Bytes()...), &v, 64); err != nil {
				return refused(err)
			}
			return m{"accepted": "yes"}
		case "chain":
			return m{"chain_digest": b32(codec.NewChainDigest(c.In["chain_id"], get32(t, c, "genesis_hash")))}
		case "digest":
			return m{"digest": b32(codec.Digest(codec.Label(c.In["label"]), get32(t, c, "chain_digest"), c.Bytes()))}
		default:
			return m{"hash": b32(codec.Hash(codec.Label(c.In["label"]), c.Bytes()))}
		}
	})
}

// signerOf makes the signer that a case names by its secret and algorithm.
func signerOf(t *testing.T, c vectors.Case) key.Signer {
	t.Helper()
	secret := unhex(t, c.In["secret"])
	switch alg := public(t, c).Alg; alg {
	case key.Secp256k1:
		k, err := key.FromBytes(secret)
		if err != nil {
			t.Fatal(err)
		}
		return k
	case key.P256:
		return keytest.P256FromSecret(secret)
	case key.Passkey:
		return keytest.PasskeyFromSecret(secret, c.In["rp_id"], strings.Fields(c.In["origins"])...)
	default:
		t.Fatalf("no signer of algorithm %d", alg)
		return nil
	}
}

func TestKey(t *testing.T) {
	each(t, "key", func(t *testing.T, c vectors.Case) m {
		switch group(c) {
		case "accept":
			if err := public(t, c).Verify(get32(t, c, "digest"), unhex(t, c.In["signature"])); err != nil {
				return refused(err)
			}
			return m{"accepted": "yes"}
		case "public":
			return refused(public(t, c).Validate())
		case "verify":
			return refused(public(t, c).Verify(get32(t, c, "digest"), unhex(t, c.In["signature"])))
		case "text":
			_, err := key.ParseAccountID(c.In["text"])
			return refused(err)
		}
		k := signerOf(t, c)
		p := k.Public()
		if group(c) == "sign" {
			sig := k.Sign(get32(t, c, "digest"))
			if err := p.Verify(get32(t, c, "digest"), sig); err != nil {
				t.Fatal(err)
			}
			return m{"signature": x(sig)}
		}
		acc, dev, id := p.AccountID(), p.DeviceID(), p.ID()
		if q, err := key.ParsePublic(c.Want["public_text"]); err != nil || !q.Equal(p) {
			t.Errorf("public text: %v", err)
		}
		return m{
			"public": x(p.Bytes), "encoded": x(codec.MustMarshal(p)), "public_text": p.String(), "key_id": x(id[:]), "key_text": id.String(),
			"account_id": x(acc[:]), "account_text": acc.String(), "device_id": x(dev[:]), "device_text": dev.String(),
		}
	})
}

func TestTx(t *testing.T) {
	each(t, "tx", func(t *testing.T, c vectors.Case) m {
		r, err := tx.Decode(c.Bytes())
		if err != nil {
			return refused(err)
		}
		chain := codec.ChainDigest(get32(t, c, "chain_digest"))
		if err := public(t, c).Verify(r.Digest(chain), r.Sigs[0].Bytes); err != nil || r.Sigs[0].Key != public(t, c).ID() {
			t.Errorf("signature: %v", err)
		}
		if !bytes.Equal(r.Bytes(), c.Bytes()) {
			t.Error("re-encodes to other bytes")
		}
		newKeySig := checkNewKey(t, c, chain, r)
		return m{
			"new_signature": newKeySig,
			"id":            r.ID(chain).String(), "kind": u(uint64(r.Body.Kind)), "account": x(r.Body.Account[:]), "sequence": u(r.Body.Sequence),
			"expires": u(r.Body.Expires), "payload": x(r.Body.Payload), "role": u(uint64(r.Sigs[0].Role)), "signature": x(r.Sigs[0].Bytes),
		}
	})
}

// checkNewKey verifies the proof of possession of a case that has one.
func checkNewKey(t *testing.T, c vectors.Case, chain codec.ChainDigest, r *tx.Tx) string {
	t.Helper()
	if c.In["new_public"] == "" {
		return ""
	}
	k := public(t, vectors.Case{In: m{"alg": c.In["new_alg"], "public": c.In["new_public"]}})
	s := r.Sigs[len(r.Sigs)-1]
	if err := k.Verify(r.Digest(chain), s.Bytes); err != nil || s.Role != tx.RoleNewKey || s.Key != k.ID() {
		t.Errorf("proof of the new key: %v", err)
	}
	return x(s.Bytes)
}

func TestCommand(t *testing.T) {
	each(t, "command", func(t *testing.T, c vectors.Case) m {
		r, err := command.Decode(c.Bytes())
		if err != nil {
			return refused(err)
		}
		chain := codec.ChainDigest(get32(t, c, "chain_digest"))
		if err := r.VerifyBy(chain, public(t, c)); err != nil {
			return refused(err)
		}
		b := r.Body
		return m{
			"id": r.ID(chain).String(), "endpoint": b.Endpoint, "method": b.Method, "params": x(b.Params), "nonce": u(b.Nonce), "salt": u(b.Salt),
			"issued_at": u(b.IssuedAt), "expires": u(b.Expires), "signature": x(r.Sigs[0].Bytes),
		}
	})
}

func TestReceipt(t *testing.T) {
	each(t, "receipt", func(t *testing.T, c vectors.Case) m {
		r, err := command.DecodeReceipt(c.Bytes())
		if err != nil {
			return refused(err)
		}
		if err := r.Verify(get32(t, c, "chain_digest"), public(t, c), get32(t, c, "command")); err != nil {
			return refused(err)
		}
		if sent := c.In["envelope"]; sent != "" {
			cmd, err := command.Decode(unhex(t, sent))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Answers(get32(t, c, "chain_digest"), public(t, c), cmd); err != nil {
				return refused(err)
			}
		}
		b := r.Body
		return m{"status": u(uint64(b.Status)), "code": u(uint64(b.Code)), "result": x(b.Result), "counter": u(b.Counter), "hash": b32(r.Hash())}
	})
}

func TestCodes(t *testing.T) {
	each(t, "codes", func(t *testing.T, c vectors.Case) m {
		n, err := strconv.ParseUint(c.Want["number"], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		name := map[string]string{"code": command.Code(n).String(), "status": command.Status(n).String(), "kind": tx.Kind(n).String()}[group(c)]
		if name != strings.TrimPrefix(c.Name, group(c)+"/") {
			t.Errorf("%d is called %s", n, name)
		}
		return m{"number": u(n)}
	})
}

func TestGenesis(t *testing.T) {
	each(t, "genesis", func(t *testing.T, c vectors.Case) m {
		d, err := genesis.Parse([]byte(c.In["json"]))
		if err != nil {
			return m{"refused": "yes"}
		}
		return m{"hash": b32(d.Hash()), "chain_digest": b32(d.Chain()), "encoded": x(codec.MustMarshal(d))}
	})
}

func TestState(t *testing.T) {
	tree := new(statetest.Tree)
	seen := map[string]bool{}
	each(t, "state", func(t *testing.T, c vectors.Case) m {
		before := tree.Clone()
		if c.Hex == "" { // another ledger
			tree, before = new(statetest.Tree), new(statetest.Tree)
			d, err := genesis.Parse([]byte(c.In["json"]))
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Apply(tree); err != nil {
				t.Fatal(err)
			}
			return changed(before, tree)
		}
		r, err := tx.Decode(c.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		at, err := strconv.ParseInt(c.In["time"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		height, err := strconv.ParseInt(cmp0(c.In["height"], "0"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if err := state.Execute(tree, state.Block{Chain: get32(t, c, "chain_digest"), Height: height, Time: at}, r); err != nil {
			if !tree.Equal(before) {
				t.Error("refused, but the state has changed")
			}
			return refused(err)
		}
		seen[r.Body.Kind.String()] = true
		return changed(before, tree)
	})
	for _, k := range tx.Kinds() {
		if !seen[k.String()] && !*update {
			t.Errorf("no case of state.json executes a %s", k)
		}
	}
}

func TestNames_Sorted(t *testing.T) {
	if names := vectors.Names(); !slices.IsSorted(names) || len(names) == 0 {
		t.Fatalf("names %v", names)
	}
	if (vectors.File{}).Has("x") {
		t.Fatal("an empty file has a case")
	}
	defer func() {
		if recover() == nil {
			t.Fatal("hex that is no hex does not panic")
		}
	}()
	vectors.Case{Hex: "zz"}.Bytes()
}
