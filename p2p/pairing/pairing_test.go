package pairing

import (
	"crypto/rand"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var chain = codec.ChainDigest{1, 2, 3}

func newKey(t *testing.T) *key.Private {
	t.Helper()
	k, err := key.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// fixture is a device and a wallet that fit each other.
type fixture struct {
	owner  *key.Private
	device Claimed
	wallet Owner
	code   Code
	kept   int
	armed  int
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{owner: newKey(t)}
	dev := newKey(t)
	secret := [SecretSize]byte{9, 9, 9}
	f.code = Code{Version: Version, Device: dev.Public().DeviceID(), ChainID: "test-1", Chain: chain, Secret: secret, Addrs: []string{"/ip4/127.0.0.1/tcp/1/p2p/x"}}
	f.device = Claimed{
		Chain: chain, Key: dev, SealKey: [32]byte{7}, Model: "lock-1", Secret: secret,
		Owned: func() bool { return false },
		Keep:  func(key.AccountID, []byte) error { f.kept++; return nil },
		Arm: func(owner key.AccountID, envelope []byte, height uint64) (Armed, error) {
			f.armed++
			return Armed{Epoch: 1, Height: height}, nil
		},
	}
	root := f.owner.Public()
	f.wallet = Owner{
		Chain: chain, Account: root.AccountID(),
		Claim: func(p Peer) (*tx.Tx, error) {
			c, err := tx.New(root.AccountID(), 0, 100, &tx.Claim{Device: p.Device.DeviceID(), Epoch: 1, Root: &root})
			if err != nil {
				return nil, err
			}
			c.Sign(chain, tx.RoleAccount, f.owner)
			return c, nil
		},
		Commit: func(*tx.Tx) (uint64, error) { return 42, nil },
	}
	return f
}

// run lets both sides talk and returns both errors.
func (f *fixture) run(t *testing.T) (Armed, error, error) {
	t.Helper()
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() {
		defer b.Close()
		done <- Device(b, f.device)
	}()
	_, armed, err := Wallet(a, f.code, f.wallet)
	a.Close()
	return armed, err, <-done
}

func TestPairing_Succeeds(t *testing.T) {
	f := newFixture(t)
	var committed *tx.Tx
	f.wallet.Commit = func(c *tx.Tx) (uint64, error) { committed = c; return 42, nil }
	armed, werr, derr := f.run(t)
	if werr != nil || derr != nil {
		t.Fatalf("wallet: %v, device: %v", werr, derr)
	}
	if armed != (Armed{Epoch: 1, Height: 42}) || f.kept != 1 || f.armed != 1 {
		t.Fatalf("armed %+v, kept %d, armed %d", armed, f.kept, f.armed)
	}
	if again, err := tx.Decode(committed.Bytes()); err != nil || len(again.Sigs) != 2 {
		t.Fatalf("committed claim: %v", err)
	}
}

// member is a batch's word about a device.
func (f *fixture) member(dev *key.Private) *tx.BatchMember {
	return &tx.BatchMember{Vendor: key.AccountID{1}, Root: batch.Hash{1}, Index: 2, Key: dev.Public(), SealKey: f.device.SealKey, Path: []batch.Hash{{2}, {3}}}
}

// fromBatch makes the wallet claim with a proof.
func (f *fixture) fromBatch(of func(Peer) *tx.BatchMember) func(Peer) (*tx.Tx, error) {
	return func(p Peer) (*tx.Tx, error) {
		root := f.owner.Public()
		c, err := tx.New(root.AccountID(), 0, 100, &tx.Claim{Device: p.Device.DeviceID(), Epoch: 1, Root: &root, Batch: of(p)})
		if err == nil {
			c.Sign(chain, tx.RoleAccount, f.owner)
		}
		return c, err
	}
}

// TestPairing_Batch: the device's proof reaches the claim that both sign, and a
// device with a record is claimed without it.
func TestPairing_Batch(t *testing.T) {
	for _, with := range []bool{true, false} {
		f := newFixture(t)
		f.device.Batch = f.member(f.device.Key)
		if with {
			f.wallet.Claim = f.fromBatch(func(p Peer) *tx.BatchMember { return p.Batch })
		}
		var committed *tx.Tx
		f.wallet.Commit = func(c *tx.Tx) (uint64, error) { committed = c; return 42, nil }
		if _, werr, derr := f.run(t); werr != nil || derr != nil {
			t.Fatalf("wallet: %v, device: %v", werr, derr)
		}
		got := committed.Payload.(*tx.Claim).Batch
		if with && (got == nil || got.Line() != f.device.Batch.Line()) || !with && got != nil {
			t.Fatalf("claimed with %+v", got)
		}
	}
}

func TestPairing_Refusals(t *testing.T) {
	cases := []struct {
		name  string
		spoil func(t *testing.T, f *fixture)
		want  ErrorKind
	}{
		{"secret unknown to the wallet", func(_ *testing.T, f *fixture) { f.code.Secret[0] ^= 1 }, WrongSecret},
		{"device of another key", func(t *testing.T, f *fixture) { f.device.Key = newKey(t) }, WrongDevice},
		{"code of another ledger", func(_ *testing.T, f *fixture) { f.code.Chain[0] ^= 1 }, WrongChain},
		{"device of another ledger", func(_ *testing.T, f *fixture) { f.device.Chain[0] ^= 1 }, WrongChain},
		{"device with an owner", func(_ *testing.T, f *fixture) { f.device.Owned = func() bool { return true } }, AlreadyOwned},
		{"batch that is another's", func(t *testing.T, f *fixture) { f.device.Batch = f.member(newKey(t)) }, BadMessage},
		{"batch with another seal key", func(_ *testing.T, f *fixture) {
			f.device.Batch = f.member(f.device.Key)
			f.device.Batch.SealKey[0]++
		}, BadMessage},
		{"claim from a batch that the device does not know", func(_ *testing.T, f *fixture) {
			m := f.member(f.device.Key)
			f.wallet.Claim = f.fromBatch(func(Peer) *tx.BatchMember { return m })
		}, BadClaim},
		{"claim from another batch", func(_ *testing.T, f *fixture) {
			f.device.Batch = f.member(f.device.Key)
			f.wallet.Claim = f.fromBatch(func(p Peer) *tx.BatchMember {
				m := *p.Batch
				m.Vendor[0] ^= 2
				return &m
			})
		}, BadClaim},
		{"owner says no", func(_ *testing.T, f *fixture) {
			f.wallet.Claim = func(Peer) (*tx.Tx, error) { return nil, errors.New("no") }
		}, Cancelled},
		{"claim of another device", func(_ *testing.T, f *fixture) {
			claim := f.wallet.Claim
			f.wallet.Claim = func(p Peer) (*tx.Tx, error) {
				p.Device = f.owner.Public()
				return claim(p)
			}
		}, BadClaim},
		{"another kind of transaction", func(_ *testing.T, f *fixture) {
			f.wallet.Claim = func(Peer) (*tx.Tx, error) {
				c, err := tx.New(f.wallet.Account, 0, 100, &tx.RevokeGrant{Grant: tx.ID{1}})
				if err == nil {
					c.Sign(chain, tx.RoleAccount, f.owner)
				}
				return c, err
			}
		}, BadClaim},
		{"claim for another account", func(t *testing.T, f *fixture) { f.wallet.Account = newKey(t).Public().AccountID() }, BadClaim},
		{"ledger refuses", func(_ *testing.T, f *fixture) {
			f.wallet.Commit = func(*tx.Tx) (uint64, error) { return 0, errors.New("device_owned") }
		}, NotCommitted},
		{"device cannot keep", func(_ *testing.T, f *fixture) {
			f.device.Keep = func(key.AccountID, []byte) error { return errors.New("disk full") }
		}, NotArmed},
		{"device does not find itself owned", func(_ *testing.T, f *fixture) {
			f.device.Arm = func(key.AccountID, []byte, uint64) (Armed, error) { return Armed{}, errors.New("no such record") }
		}, NotArmed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			c.spoil(t, f)
			_, werr, _ := f.run(t)
			if !errors.Is(werr, c.want) {
				t.Fatalf("got %v, want %s", werr, c.want)
			}
			if f.armed != 0 {
				t.Fatal("the device armed itself")
			}
		})
	}
}

// TestPairing_Relayed puts a stranger between wallet and device who knows
// everything but the secret and swaps the claim for his own.
func TestPairing_Relayed(t *testing.T) {
	f := newFixture(t)
	stranger := newKey(t)
	root := stranger.Public()
	f.wallet.Account = root.AccountID()
	f.wallet.Claim = func(p Peer) (*tx.Tx, error) {
		c, err := tx.New(root.AccountID(), 0, 100, &tx.Claim{Device: p.Device.DeviceID(), Epoch: 1, Root: &root})
		if err == nil {
			c.Sign(chain, tx.RoleAccount, stranger)
		}
		return c, err
	}
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() {
		defer b.Close()
		done <- Device(b, f.device)
	}()
	c := newConversation(a, chain, []byte("a guess"))
	h := &hello{Version: Version, Chain: chain, Account: root.AccountID()}
	c.note(h)
	if err := c.send(message{Hello: h}); err != nil {
		t.Fatal(err)
	}
	m, err := c.receive()
	if err != nil || m.Offer == nil {
		t.Fatalf("offer: %v", err)
	}
	c.note(m.Offer.unproved())
	if err := c.proved(proofDevice, m.Offer.Proof); !errors.Is(err, WrongSecret) {
		t.Fatalf("got %v, want wrong_secret", err)
	}
	claimTx, err := f.wallet.Claim(Peer{Device: f.device.Key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	c.note(claimTx.Bytes())
	if err := c.send(message{Claim: &claim{Tx: claimTx.Bytes(), Proof: c.proof(proofWallet)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.receive(); !errors.Is(err, WrongSecret) {
		t.Fatalf("got %v, want wrong_secret", err)
	}
	a.Close()
	if err := <-done; !errors.Is(err, WrongSecret) || f.kept != 0 {
		t.Fatalf("device: %v, kept %d", err, f.kept)
	}
}

func TestRefusal_ForeignWordsAreTamed(t *testing.T) {
	a, b := net.Pipe()
	go func() {
		c := newConversation(b, chain, nil)
		c.receive()
		c.send(message{Refusal: &Refusal{Reason: "invented\x1b[2J", Detail: "\x1b[31mred" + strings.Repeat("x", 500)}})
		b.Close()
	}()
	f := newFixture(t)
	_, _, err := Wallet(a, f.code, f.wallet)
	if !errors.Is(err, BadMessage) || strings.ContainsRune(err.Error(), 0x1b) {
		t.Fatalf("got %q", err)
	}
}

func TestCode_RoundTripAndRefusals(t *testing.T) {
	want := newFixture(t).code
	text := want.String()
	got, err := ParseCode(" " + strings.ToLower(text[:30]) + "\n" + text[30:])
	if err != nil || got.String() != text {
		t.Fatalf("round trip: %v", err)
	}
	for i := range text {
		damaged := text[:i] + "A" + text[i+1:]
		if damaged == text {
			continue
		}
		if _, err := ParseCode(damaged); !errors.Is(err, BadCode) {
			t.Fatalf("damage at %d: got %v", i, err)
		}
		if _, err := ParseCode(text[:i]); !errors.Is(err, BadCode) {
			t.Fatalf("cut at %d: got %v", i, err)
		}
	}
	other := want
	other.Version = 2
	many := want
	many.Addrs = make([]string, maxAddrs+1)
	for _, c := range []Code{other, many, {Version: Version}} {
		if _, err := ParseCode(c.String()); !errors.Is(err, BadCode) {
			t.Fatalf("got %v, want bad_code", err)
		}
	}
	if _, err := ParseCode(codePrefix + strings.Repeat("A", maxCodeText)); !errors.Is(err, BadCode) {
		t.Fatalf("got %v, want bad_code", err)
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add((Code{Version: Version, Device: key.DeviceID{1}, ChainID: "x"}).String())
	f.Add("HOS1:")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseCode(s); err == nil {
			if again, err := ParseCode(c.String()); err != nil || again.String() != c.String() {
				t.Fatalf("accepted but not stable: %v", err)
			}
		}
	})
}

func FuzzDevice(f *testing.F) {
	f.Add([]byte{3, 0xa1, 0x01, 0xa0})
	f.Fuzz(func(t *testing.T, in []byte) {
		fx := newFixture(t)
		a, b := net.Pipe()
		go func() {
			a.Write(in)
			a.Close()
		}()
		go func() {
			buf := make([]byte, 1024)
			for {
				if _, err := a.Read(buf); err != nil {
					return
				}
			}
		}()
		if err := Device(b, fx.device); err == nil || fx.kept != 0 {
			t.Fatal("paired without the secret")
		}
		b.Close()
	})
}
