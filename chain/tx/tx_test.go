package tx_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

var (
	chain = codec.NewChainDigest("hos-test", [32]byte{1})
	owner = statetest.Key("owner")
	guest = statetest.Key("guest")
	dev   = statetest.Key("device")
)

func ptr[T any](v T) *T { return &v }

// builders gives a valid payload of each kind; a kind without one fails
// TestKinds_Complete.
var builders = map[tx.Kind]func() tx.Payload{
	tx.KindRegisterDevice: func() tx.Payload {
		return &tx.RegisterDevice{Key: dev.Public(), SealKey: [32]byte{7}, Model: "Lock 1"}
	},
	tx.KindClaim: func() tx.Payload {
		return &tx.Claim{Device: dev.Public().DeviceID(), Epoch: 1, Root: ptr(owner.Public())}
	},
	tx.KindTransfer: func() tx.Payload {
		return &tx.Transfer{Device: dev.Public().DeviceID(), Epoch: 2, To: guest.Public().AccountID(), Root: ptr(guest.Public())}
	},
	tx.KindRotateKeys: func() tx.Payload {
		return &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{
			{Key: owner.Public(), Rights: tx.RightAdmin | tx.RightInvoke}, {Key: guest.Public(), Rights: tx.RightInvoke},
		}}
	},
	tx.KindCreateGrant: func() tx.Payload {
		return &tx.CreateGrant{Grantee: guest.Public(), NotBefore: 5, NotAfter: 9, Targets: []tx.Target{
			{Device: dev.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"close", "open"}},
		}}
	},
	tx.KindRevokeGrant: func() tx.Payload { return &tx.RevokeGrant{Grant: tx.ID{3}} },
	tx.KindPropose:     func() tx.Payload { return &tx.Propose{Until: 900, Change: changes()[0]} },
	tx.KindApprove:     func() tx.Payload { return &tx.Approve{Proposal: tx.ID{3}} },
	tx.KindRelease:     func() tx.Payload { return &tx.Release{Device: dev.Public().DeviceID(), Epoch: 2} },
	tx.KindReportLost:  func() tx.Payload { return &tx.ReportLost{Device: dev.Public().DeviceID(), Epoch: 1} },
	tx.KindReportFound: func() tx.Payload { return &tx.ReportFound{Device: dev.Public().DeviceID(), Epoch: 1} },
	tx.KindSetGuardians: func() tx.Payload {
		return &tx.SetGuardians{Version: 1, Guardians: statetest.Guardians()}
	},
	tx.KindStartRecovery: func() tx.Payload {
		return &tx.StartRecovery{Version: 1, Threshold: 1, Keys: []tx.AccountKey{
			{Key: owner.Public(), Rights: tx.RightAdmin | tx.RightInvoke}, {Key: guest.Public(), Rights: tx.RightInvoke},
		}}
	},
	tx.KindCancelRecovery: func() tx.Payload { return &tx.CancelRecovery{Version: 1} },
	tx.KindFinishRecovery: func() tx.Payload { return &tx.FinishRecovery{Version: 1} },
	tx.KindFreeze:         func() tx.Payload { return new(tx.Freeze) },
	tx.KindUnfreeze:       func() tx.Payload { return new(tx.Unfreeze) },
	tx.KindRegisterBatch:  func() tx.Payload { return &tx.RegisterBatch{Root: batch.Hash{7}, Size: 3, Model: "Lock 1"} },
	tx.KindSetPolicy:      func() tx.Payload { return policy() },
	tx.KindSetAddresses: func() tx.Payload {
		return &tx.SetAddresses{Device: dev.Public().DeviceID(), Epoch: 1, Addrs: []string{"/ip4/192.0.2.7/tcp/27800/p2p/" + peerID}}
	},
	tx.KindDelegateGrant: func() tx.Payload { return &tx.DelegateGrant{Parent: tx.ID{3}, Grant: narrowed()} },

	tx.KindOpenSeal: func() tx.Payload {
		return &tx.OpenSeal{Device: dev.Public().DeviceID(), Epoch: 1, Command: statetest.Command("open"), Needed: 2, Until: 900}
	},
	tx.KindApproveSeal: func() tx.Payload {
		return &tx.ApproveSeal{Device: dev.Public().DeviceID(), Epoch: 1, Command: statetest.Command("open")}
	},
	tx.KindAnchorReceipts: func() tx.Payload {
		return &tx.AnchorReceipts{Device: dev.Public().DeviceID(), Epoch: 1, From: 1, To: 256, Head: [32]byte{3}}
	},
	tx.KindPublishRelease: func() tx.Payload {
		return &tx.PublishRelease{Model: "Lock 1", Version: "1.2.3", Artefact: statetest.Artefact("a"), From: "1.0.0", Floor: "1.1.0-rc.1"}
	},
	tx.KindRevokeRelease: func() tx.Payload { return &tx.RevokeRelease{Model: "Lock 1", Version: "1.2.3"} },
	tx.KindPublishApp:    func() tx.Payload { return statetest.AppOf("1.2.3") },
	tx.KindRevokeApp:     func() tx.Payload { return &tx.RevokeApp{App: "timer", Version: "1.2.3"} },
	tx.KindRotateVendorKeys: func() tx.Payload {
		return &tx.RotateVendorKeys{Version: 1, Threshold: 2, Keys: []key.Public{owner.Public(), guest.Public()}}
	},
}

func build(t testing.TB, k tx.Kind) *tx.Tx {
	t.Helper()
	x, err := tx.New(owner.Public().AccountID(), 4, 1000, builders[k]())
	if err != nil {
		t.Fatal(err)
	}
	x.Sign(chain, tx.RoleAccount, owner)
	x.Sign(chain, tx.RoleDevice, dev)
	return x
}

func TestKinds_Complete(t *testing.T) {
	doc, err := os.ReadFile("../../docs/spec/tx.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := vectors.Load("tx")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[tx.Kind]bool{}
	for _, k := range tx.Kinds() {
		if seen[k] || k == 0 {
			t.Errorf("%s stands twice or is 0", k)
		}
		seen[k] = true
		if builders[k] == nil {
			t.Errorf("%s has no builder in this test", k)
		} else if builders[k]().Kind() != k {
			t.Errorf("payload of %s says it is %s", k, builders[k]().Kind())
		}
		if row := fmt.Sprintf("| %d | `%s` |", k, k); !strings.Contains(string(doc), row) {
			t.Errorf("docs/spec/tx.md has no row %q", row)
		}
		if !file.Has("valid/" + k.String()) {
			t.Errorf("chain/vectors/tx.json has no valid %s", k)
		}
		if negatives[k] == nil {
			t.Errorf("%s has no negative tests", k)
		}
	}
	if len(seen) != len(builders) {
		t.Errorf("%d kinds, %d builders", len(seen), len(builders))
	}
	if got := tx.Kind(999).String(); got != "kind-999" {
		t.Errorf("unknown kind prints as %s", got)
	}
}

func TestDecode_RoundTrip(t *testing.T) {
	for _, k := range tx.Kinds() {
		t.Run(k.String(), func(t *testing.T) {
			x := build(t, k)
			y, err := tx.Decode(x.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(x.Bytes(), y.Bytes()) || x.ID(chain) != y.ID(chain) || x.ID(chain) != tx.ID(x.Digest(chain)) {
				t.Fatal("bytes or id changed")
			}
			if d := cmp.Diff(x.Payload, y.Payload); d != "" {
				t.Fatal(d)
			}
			if d := cmp.Diff(x.Body, y.Body); d != "" {
				t.Fatal(d)
			}
		})
	}
}

// TestDecode_EveryByteFlipped: no changed byte leaves a transaction with the
// same id and valid signatures.
func TestDecode_EveryByteFlipped(t *testing.T) {
	pubs := map[key.KeyID]key.Public{owner.Public().ID(): owner.Public(), dev.Public().ID(): dev.Public()}
	for _, k := range tx.Kinds() {
		t.Run(k.String(), func(t *testing.T) {
			x := build(t, k)
			raw := x.Bytes()
			for i := range raw {
				for _, mask := range []byte{0x01, 0xa0} {
					bad := bytes.Clone(raw)
					bad[i] ^= mask
					y, err := tx.Decode(bad)
					if err != nil || y.ID(chain) != x.ID(chain) {
						continue
					}
					valid := len(y.Sigs) == len(x.Sigs)
					for j, s := range y.Sigs {
						p, known := pubs[s.Key]
						valid = valid && known && s.Role == x.Sigs[j].Role && p.Verify(y.Digest(chain), s.Bytes) == nil
					}
					if valid {
						t.Fatalf("byte %d ^ %02x still valid", i, mask)
					}
				}
			}
		})
	}
}

func TestDecode_Truncated(t *testing.T) {
	for _, k := range tx.Kinds() {
		raw := build(t, k).Bytes()
		for i := range raw {
			if _, err := tx.Decode(raw[:i]); err == nil {
				t.Fatalf("%s: accepted %d of %d bytes", k, i, len(raw))
			}
		}
		if _, err := tx.Decode(append(raw, 0)); !errors.Is(err, codec.Malformed) {
			t.Fatalf("%s with a trailing byte: %v", k, err)
		}
	}
}

// envelope encodes a body and signatures as they are, past all checks of New.
func envelope(b tx.Body, sigs []tx.Sig) []byte {
	return codec.MustMarshal(tx.Envelope{Body: codec.MustMarshal(b), Sigs: sigs})
}

func TestDecode_EnvelopeRefusals(t *testing.T) {
	good := build(t, tx.KindRevokeGrant)
	sig := good.Sigs[0]
	body := func(change func(*tx.Body)) []byte {
		b := good.Body
		change(&b)
		return envelope(b, good.Sigs)
	}
	sigs := func(s ...tx.Sig) []byte { return envelope(good.Body, s) }
	second := sig
	second.Key[0] ^= 1
	low, high := sig, second
	if bytes.Compare(low.Key[:], high.Key[:]) > 0 {
		low, high = high, low
	}
	short := sig
	short.Bytes = nil
	long := sig
	long.Bytes = make([]byte, key.MaxSignature+1)
	var many []tx.Sig
	for i := range tx.MaxSigs + 1 {
		many = append(many, tx.Sig{Role: tx.Role(i + 1), Key: sig.Key, Bytes: sig.Bytes})
	}
	cases := []struct {
		name string
		raw  []byte
		want error
	}{
		{"empty", nil, codec.Malformed},
		{"too large", make([]byte, tx.MaxBytes+1), codec.TooLarge},
		{"body empty", codec.MustMarshal(tx.Envelope{Sigs: good.Sigs}), codec.Malformed},
		{"body no map", codec.MustMarshal(tx.Envelope{Body: []byte{0}, Sigs: good.Sigs}), codec.Malformed},
		{"body unknown field", codec.MustMarshal(tx.Envelope{Body: append(append([]byte{0xa7}, codec.MustMarshal(good.Body)[1:]...), 7, 0), Sigs: good.Sigs}), codec.Malformed},
		{"version 0", body(func(b *tx.Body) { b.Version = 0 }), tx.BadVersion},
		{"version 2", body(func(b *tx.Body) { b.Version = 2 }), tx.BadVersion},
		{"kind 0", body(func(b *tx.Body) { b.Kind = 0 }), tx.UnknownKind},
		{"kind 999", body(func(b *tx.Body) { b.Kind = 999 }), tx.UnknownKind},
		{"kind 65535", body(func(b *tx.Body) { b.Kind = 65535 }), tx.UnknownKind},
		{"payload of another kind", body(func(b *tx.Body) { b.Kind = tx.KindClaim }), codec.NotCanonical},
		{"payload not canonical", body(func(b *tx.Body) { b.Payload = append(codec.Raw{0xb8, 1}, b.Payload[1:]...) }), codec.NotCanonical},
		{"payload null", body(func(b *tx.Body) { b.Payload = codec.Raw{0xf6} }), codec.NotCanonical},
		{"no expiry", body(func(b *tx.Body) { b.Expires = 0 }), tx.Malformed},
		{"no signature", sigs(), tx.Malformed},
		{"too many signatures", sigs(many...), tx.Malformed},
		{"empty signature", sigs(short), tx.Malformed},
		{"long signature", sigs(long), tx.Malformed},
		{"signature twice", sigs(sig, sig), tx.Malformed},
		{"keys out of order", sigs(high, low), tx.Malformed},
		{"roles out of order", sigs(tx.Sig{Role: 2, Key: low.Key, Bytes: sig.Bytes}, tx.Sig{Role: 1, Key: high.Key, Bytes: sig.Bytes}), tx.Malformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := tx.Decode(c.raw); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
	if _, err := tx.Decode(sigs(low, high)); err != nil {
		t.Fatalf("two keys in order: %v", err)
	}
	if _, err := tx.Decode(sigs(many[:tx.MaxSigs]...)); err != nil {
		t.Fatalf("MaxSigs signatures: %v", err)
	}
}

func TestSign_Replaces(t *testing.T) {
	x := build(t, tx.KindClaim)
	before := x.Bytes()
	x.Sign(chain, tx.RoleAccount, owner)
	if !bytes.Equal(before, x.Bytes()) {
		t.Fatal("signing again added a signature")
	}
	if x.Digest(chain) == x.Digest(codec.NewChainDigest("other", [32]byte{1})) {
		t.Fatal("two ledgers, one digest")
	}
}

func TestNew_Refusals(t *testing.T) {
	acc := owner.Public().AccountID()
	if _, err := tx.New(acc, 0, 0, builders[tx.KindClaim]()); !errors.Is(err, tx.Malformed) {
		t.Fatalf("no expiry: %v", err)
	}
	if _, err := tx.New(acc, 0, 1, &tx.Claim{}); !errors.Is(err, tx.Malformed) {
		t.Fatalf("empty claim: %v", err)
	}
	big := builders[tx.KindCreateGrant]().(*tx.CreateGrant)
	target := big.Targets[0]
	target.Methods = nil
	for i := range tx.MaxMethods {
		target.Methods = append(target.Methods, fmt.Sprintf("%064d", i))
	}
	big.Targets = nil
	for range tx.MaxTargets {
		big.Targets = append(big.Targets, target)
	}
	if _, err := tx.New(acc, 0, 1, big); !errors.Is(err, tx.Malformed) {
		t.Fatalf("payload over the cap: %v", err)
	}
	big.Targets = big.Targets[:24]
	x, err := tx.New(acc, 0, 1, big)
	if err != nil {
		t.Fatal(err)
	}
	x.Sign(chain, tx.RoleAccount, owner)
	if _, err := tx.Decode(x.Bytes()); err != nil {
		t.Fatalf("a large grant that New allows: %v", err)
	}
}

func TestID_Text(t *testing.T) {
	id := build(t, tx.KindClaim).ID(chain)
	text, err := id.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var got tx.ID
	if err := got.UnmarshalText(text); err != nil || got != id || got.IsZero() || !(tx.ID{}).IsZero() {
		t.Fatalf("got %s, %v", got, err)
	}
	for _, bad := range []string{"", "00", string(text) + "00", "zz" + string(text[2:]), " " + string(text)} {
		if err := got.UnmarshalText([]byte(bad)); !errors.Is(err, tx.Malformed) || got != id {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestErrors_Print(t *testing.T) {
	_, err := tx.ParseID("x")
	var e *tx.Error
	if !errors.As(err, &e) || e.Kind.Error() != "malformed_tx" || !strings.HasPrefix(err.Error(), "malformed_tx: ") {
		t.Fatalf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, k := range tx.Kinds() {
		f.Add(build(f, k).Bytes())
	}
	for _, c := range changes() {
		f.Add(propose(f, c).Bytes())
	}
	for _, p := range []tx.Payload{narrowed(), sealed(), &tx.DelegateGrant{Parent: tx.ID{3}, Revoke: &tx.ID{4}}} {
		x, err := tx.New(owner.Public().AccountID(), 4, 1000, p)
		if err != nil {
			f.Fatal(err)
		}
		x.Sign(chain, tx.RoleAccount, owner)
		f.Add(x.Bytes())
	}
	file, err := vectors.Load("tx")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range file.Cases {
		f.Add(c.Bytes())
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		x, err := tx.Decode(in)
		if err != nil {
			return
		}
		if !bytes.Equal(x.Bytes(), in) {
			t.Fatal("accepted a malleable encoding")
		}
		y, err := tx.New(x.Body.Account, x.Body.Sequence, x.Body.Expires, x.Payload)
		if err != nil {
			if errors.Is(err, tx.Malformed) && len(in) > tx.MaxBytes/2 {
				return // New keeps room for signatures
			}
			t.Fatalf("New refuses what Decode accepts: %v", err)
		}
		if y.Digest(chain) != x.Digest(chain) {
			t.Fatal("building it again gives another id")
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, k := range tx.Kinds() {
		raw := build(b, k).Bytes()
		b.Run(k.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := tx.Decode(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
