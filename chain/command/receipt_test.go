package command_test

import (
	"bytes"
	"errors"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

func receiptBody(id command.ID) command.ReceiptBody {
	return command.ReceiptBody{
		Version: command.Version, Command: id, Device: dev.Public().DeviceID(), Epoch: 1, Counter: 2,
		Status: command.Executed, Code: command.OK, Result: []byte(`{"locked":false}`),
		Height: 12, HeadHash: bytes.Repeat([]byte{9}, 32), Time: 1_800_000_001_000, Prev: bytes.Repeat([]byte{8}, 32),
	}
}

// highS gives the other, refused form of a signature.
func highS(sig key.Signature) key.Signature {
	n, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	out := bytes.Clone(sig)
	new(big.Int).Sub(n, new(big.Int).SetBytes(sig[32:])).FillBytes(out[32:])
	return out
}

func TestReceipt_RoundTrip(t *testing.T) {
	id := signed(t, nil).ID(chain)
	for _, s := range []struct {
		status command.Status
		code   command.Code
	}{{command.Executed, command.OK}, {command.Rejected, command.Replayed}, {command.Deferred, command.Stale}, {command.Unknown, command.Interrupted}} {
		b := receiptBody(id)
		b.Status, b.Code, b.Version = s.status, s.code, 0
		r := command.SignReceipt(chain, b, dev)
		got, err := command.DecodeReceipt(r.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r.Body, got.Body); d != "" {
			t.Fatal(d)
		}
		if got.Hash() != r.Hash() || !bytes.Equal(got.Bytes(), r.Bytes()) {
			t.Fatal("bytes or hash changed")
		}
		if err := got.Verify(chain, dev.Public(), id); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReceipt_VerifyRefusals(t *testing.T) {
	id := signed(t, nil).ID(chain)
	r := command.SignReceipt(chain, receiptBody(id), dev)
	otherID := id
	otherID[0] ^= 1
	forged := command.SignReceipt(chain, receiptBody(id), guest) // names dev, signed by guest
	high := command.SignReceipt(chain, receiptBody(id), dev)
	high.Sig = highS(high.Sig)
	cut := command.SignReceipt(chain, receiptBody(id), dev)
	cut.Sig = cut.Sig[:63]
	alien := key.Public{Alg: 9, Bytes: dev.Public().Bytes}
	b := receiptBody(id)
	b.Device = alien.DeviceID()
	odd := command.SignReceipt(chain, b, dev)
	byPhone := func(k key.Signer) *command.Receipt { // well signed, by a key that no device has
		b := receiptBody(id)
		b.Device = k.Public().DeviceID()
		e := command.ReceiptEnvelope{Body: codec.MustMarshal(b)}
		e.Sig = k.Sign(codec.Digest(codec.LabelReceipt, chain, e.Body))
		r, err := command.DecodeReceipt(codec.MustMarshal(e))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	cases := []struct {
		name   string
		r      *command.Receipt
		chain  codec.ChainDigest
		device key.Public
		id     command.ID
		want   command.Code
	}{
		{"another device", r, chain, guest.Public(), id, command.WrongDevice},
		{"another command", r, chain, dev.Public(), otherID, command.Malformed},
		{"another ledger", r, codec.ChainDigest{}, dev.Public(), id, command.BadSignature},
		{"signed by another", forged, chain, dev.Public(), id, command.BadSignature},
		{"high s", high, chain, dev.Public(), id, command.HighS},
		{"short signature", cut, chain, dev.Public(), id, command.BadSignature},
		{"unknown algorithm", odd, chain, alien, id, command.UnknownAlg},
		{"by a browser's key", byPhone(keytest.P256("lock")), chain, keytest.P256("lock").Public(), id, command.UnknownAlg},
		{"by a passkey", byPhone(keytest.Phone("lock")), chain, keytest.Phone("lock").Public(), id, command.UnknownAlg},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := c.r.Verify(c.chain, c.device, c.id); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestDecodeReceipt_Refusals(t *testing.T) {
	id := signed(t, nil).ID(chain)
	good := command.SignReceipt(chain, receiptBody(id), dev)
	with := func(change func(*command.ReceiptBody)) []byte {
		b := receiptBody(id)
		change(&b)
		return codec.MustMarshal(command.ReceiptEnvelope{Body: codec.MustMarshal(b), Sig: good.Sig})
	}
	cases := []struct {
		name string
		raw  []byte
		want command.Code
	}{
		{"empty", nil, command.Malformed},
		{"too large", make([]byte, command.MaxReceipt+1), command.TooLarge},
		{"trailing byte", append(good.Bytes(), 0), command.Malformed},
		{"wide map header", append([]byte{0xb8, 0x02}, good.Bytes()[1:]...), command.NotCanonical},
		{"body empty", codec.MustMarshal(command.ReceiptEnvelope{Sig: good.Sig}), command.Malformed},
		{"version 2", with(func(b *command.ReceiptBody) { b.Version = 2 }), command.BadVersion},
		{"status 0", with(func(b *command.ReceiptBody) { b.Status = 0 }), command.Malformed},
		{"status 5", with(func(b *command.ReceiptBody) { b.Status = 5 }), command.Malformed},
		{"executed with a refusal", with(func(b *command.ReceiptBody) { b.Code = command.Replayed }), command.Malformed},
		{"rejected with ok", with(func(b *command.ReceiptBody) { b.Status = command.Rejected }), command.Malformed},
		{"unknown with ok", with(func(b *command.ReceiptBody) { b.Status = command.Unknown }), command.Malformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := command.DecodeReceipt(c.raw); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
	raw := good.Bytes()
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 0x01
		r, err := command.DecodeReceipt(bad)
		if err == nil && r.Verify(chain, dev.Public(), id) == nil {
			t.Fatalf("byte %d changed, still valid", i)
		}
	}
}

// TestReceipt_LongestResult: a result at its cap fits a receipt.
func TestReceipt_LongestResult(t *testing.T) {
	b := receiptBody(command.ID{1})
	b.Result = make([]byte, command.MaxResult)
	if _, err := command.DecodeReceipt(command.SignReceipt(chain, b, dev).Bytes()); err != nil {
		t.Fatal(err)
	}
}

func TestStatus_Names(t *testing.T) {
	want := map[command.Status]string{1: "executed", 2: "rejected", 3: "deferred", 4: "unknown", 9: "status_9"}
	for s, name := range want {
		if s.String() != name {
			t.Errorf("status %d is %q", uint8(s), s)
		}
	}
}

func FuzzDecodeReceipt(f *testing.F) {
	f.Add(command.SignReceipt(chain, receiptBody(command.ID{1}), dev).Bytes())
	file, err := vectors.Load("receipt")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range file.Cases {
		f.Add(c.Bytes())
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := command.DecodeReceipt(in)
		if err == nil && !bytes.Equal(r.Bytes(), in) {
			t.Fatal("accepted a malleable encoding")
		}
	})
}
