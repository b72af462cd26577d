package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/audit"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/light/lighttest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var (
	maker, lock, owner, second, guest, stranger = statetest.Key("maker"), statetest.Key("lock"), statetest.Key("owner"), statetest.Key("second"), statetest.Key("guest"), statetest.Key("stranger")
)

// world is a ledger with an owned lock, a guest with a grant, and the lock's
// receipts.
type world struct {
	t      *testing.T
	chain  *lighttest.Chain
	digest codec.ChainDigest
	seq    map[key.AccountID]uint64
	grant  tx.ID

	counter, nonce uint64
	prev           []byte
	entries        [][]byte
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, seq: make(map[key.AccountID]uint64)}
	w.chain = lighttest.New(t, 4, genesis.Vendor{Name: "maker", Keys: []key.Public{maker.Public()}, Threshold: 1, Quota: 9})
	w.digest = w.chain.Doc.Chain()
	w.execute(maker, &tx.RegisterDevice{Key: lock.Public(), SealKey: [32]byte{1}, Model: "bolt"}, as(tx.RoleVendor, maker))
	root := owner.Public()
	w.execute(owner, &tx.Claim{Device: lock.Public().DeviceID(), Epoch: 1, Root: &root}, as(tx.RoleAccount, owner), as(tx.RoleDevice, lock))
	w.grant = w.execute(owner, &tx.CreateGrant{Grantee: guest.Public(), NotAfter: 1 << 40,
		Targets: []tx.Target{{Device: lock.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}}}, as(tx.RoleAccount, owner))
	return w
}

type signing struct {
	role tx.Role
	key  *key.Private
}

func as(r tx.Role, k *key.Private) signing { return signing{r, k} }

func (w *world) execute(k *key.Private, p tx.Payload, by ...signing) tx.ID {
	w.t.Helper()
	id := k.Public().AccountID()
	t, err := tx.New(id, w.seq[id], uint64(w.chain.Now().Unix())+600, p)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range by {
		t.Sign(w.digest, s.role, s.key)
	}
	w.chain.Execute(t)
	w.chain.Seal()
	w.seq[id]++
	return t.ID(w.digest)
}

// rotate puts second in owner's place.
func (w *world) rotate() {
	w.execute(owner, &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: second.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}},
		as(tx.RoleAccount, owner), as(tx.RoleNewKey, second))
}

// ask is a command to open, under a grant if one is given.
func (w *world) ask(grant *tx.ID, by ...*key.Private) *command.Command {
	w.t.Helper()
	w.nonce++
	ms := uint64(w.chain.Now().UnixMilli())
	principal := owner.Public().AccountID()
	if grant != nil {
		principal = by[0].Public().AccountID()
	}
	c, err := command.New(command.Body{Chain: command.Prefix(w.digest), Device: lock.Public().DeviceID(), Endpoint: "lock", Epoch: 1, Principal: principal,
		Key: by[0].Public().ID(), Grant: grant, Salt: 1, Nonce: w.nonce, IssuedAt: ms, Expires: ms + 1000, Method: "open"})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, k := range by {
		c.Sign(w.digest, k)
	}
	return c
}

// answer adds the lock's receipt for a command.
func (w *world) answer(c *command.Command) {
	w.counter++
	r := command.SignReceipt(w.digest, command.ReceiptBody{Command: c.ID(w.digest), Device: lock.Public().DeviceID(), Epoch: 1, Counter: w.counter,
		Status: command.Executed, Height: uint64(w.chain.Height()), HeadHash: []byte{1}, Time: uint64(w.chain.Now().UnixMilli()), Prev: w.prev}, lock)
	hash := r.Hash()
	w.prev = hash[:]
	w.entries = append(w.entries, audit.Entry{Receipt: r.Bytes(), Command: c.Bytes()}.Bytes())
}

func (w *world) history(entries [][]byte) *audit.History {
	w.t.Helper()
	h, err := audit.Read(w.chain, w.digest, lock.Public().DeviceID(), entries)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// flags gives each entry's flags, in words.
func (w *world) flags(entries [][]byte) string {
	c := audit.NewChecker(w.digest, lock.Public(), w.history(entries))
	var out []string
	for _, e := range entries {
		out = append(out, fmt.Sprint(c.Next(e).Flags))
	}
	return strings.Join(out, " ")
}

// trail is six answers: to the owner, to the guest, and to a later key.
func (w *world) trail() {
	w.answer(w.ask(nil, owner))
	w.answer(w.ask(&w.grant, guest))
	w.rotate()
	w.answer(w.ask(nil, second))
	w.answer(w.ask(nil, owner)) // of the same epoch
	w.answer(w.ask(&w.grant, guest, second))
	w.answer(w.ask(nil, second))
}

// TestChecker: an honest trail has no flag, and says who asked by what right.
func TestChecker(t *testing.T) {
	w := newWorld(t)
	w.trail()
	h := w.history(w.entries)
	c := audit.NewChecker(w.digest, lock.Public(), h)
	var who []string
	for _, e := range w.entries {
		row := c.Next(e)
		if len(row.Flags) != 0 || row.Command == nil || row.Receipt.Body.Status != command.Executed {
			t.Fatalf("%v", row.Flags)
		}
		s := ""
		for _, x := range row.Signers {
			if x.Owner {
				s += "o"
			}
			if x.Grant != nil {
				s += "g"
			}
		}
		who = append(who, s)
	}
	if got := strings.Join(who, " "); got != "o g o o go o" && got != "o g o o og o" {
		t.Errorf("signers: %s", got)
	}
	if n, hash := c.Last(); n != 6 || !bytes.Equal(hash[:], w.prev) {
		t.Errorf("ends with %d", n)
	}
	if got := w.flags(w.entries[3:]); got != "[] [] []" {
		t.Errorf("from the fourth on: %s", got)
	}
}

// TestChecker_Flags: whatever is done to a trail is seen, at its place.
func TestChecker_Flags(t *testing.T) {
	w := newWorld(t)
	w.trail()
	other := newWorld(t) // the same keys on another ledger
	other.trail()
	forked := *w
	forked.entries, forked.counter = slices.Clone(w.entries[:3]), 3
	r := decode(t, w.entries[2])
	hash := r.Hash()
	forked.prev = hash[:]
	forked.answer(forked.ask(nil, second))
	edit := func(f func(e *audit.Entry)) []byte {
		var e audit.Entry
		if err := codec.Unmarshal(w.entries[1], &e, audit.MaxEntry); err != nil {
			t.Fatal(err)
		}
		f(&e)
		return e.Bytes()
	}
	resigned := func(k *key.Private, f func(b *command.ReceiptBody)) []byte {
		return edit(func(e *audit.Entry) {
			b := decode(t, w.entries[1]).Body
			f(&b)
			e.Receipt = command.SignReceipt(w.digest, b, k).Bytes()
		})
	}
	put := func(raw []byte) [][]byte { return append(append(slices.Clone(w.entries[:1]), raw), w.entries[2:]...) }
	for _, c := range []struct {
		name    string
		entries [][]byte
		want    string
	}{
		{"one left out", append(slices.Clone(w.entries[:2]), w.entries[3:]...), "[] [] [gap] [] []"},
		{"two exchanged", [][]byte{w.entries[0], w.entries[2], w.entries[1], w.entries[3]}, "[] [gap] [repeated] []"},
		{"one twice", [][]byte{w.entries[0], w.entries[0], w.entries[1]}, "[] [repeated] []"},
		{"set back and gone on", append(slices.Clone(w.entries[:4]), forked.entries[3]), "[] [] [] [] [repeated]"},
		{"from the other branch", append(slices.Clone(forked.entries), w.entries[4:]...), "[] [] [] [] [broken] []"},
		{"of another ledger", put(other.entries[1]), "[] [bad_receipt] [gap] [] [] []"},
		{"another result, re-signed by somebody", put(resigned(stranger, func(b *command.ReceiptBody) { b.Result = []byte("x") })), "[] [bad_receipt] [gap] [] [] []"},
		{"another result, re-signed by the device", put(resigned(lock, func(b *command.ReceiptBody) { b.Result = []byte("x") })), "[] [] [broken] [] [] []"},
		{"another device's name", put(resigned(lock, func(b *command.ReceiptBody) { b.Device = stranger.Public().DeviceID() })), "[] [foreign_device] [gap] [] [] []"},
		{"time went back", put(resigned(lock, func(b *command.ReceiptBody) { b.Time = 1 })), "[] [backwards] [broken] [] [] []"},
		{"a refusal among them", put(resigned(lock, func(b *command.ReceiptBody) { b.Counter = 0 })), "[] [repeated] [gap] [] [] []"},
		{"without the command", put(edit(func(e *audit.Entry) { e.Command = nil })), "[] [no_command] [] [] [] []"},
		{"with another command", put(edit(func(e *audit.Entry) { e.Command = w.ask(nil, owner).Bytes() })), "[] [other_command] [] [] [] []"},
		{"with rubbish for a command", put(edit(func(e *audit.Entry) { e.Command = []byte("open") })), "[] [malformed] [] [] [] []"},
		{"rubbish", put([]byte("rubbish")), "[] [malformed] [gap] [] [] []"},
		{"a first one that leads on from something", [][]byte{resigned(lock, func(b *command.ReceiptBody) { b.Counter = 1 })}, "[broken]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := w.flags(c.entries); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestChecker_Rights: what the device did for somebody without a right is seen,
// also when the device itself says that all was well.
func TestChecker_Rights(t *testing.T) {
	w := newWorld(t)
	none := tx.ID{9}
	forged := w.ask(nil, owner)
	forged.Sigs[0].Bytes = stranger.Sign(forged.Digest(w.digest))
	for _, c := range []struct {
		name string
		cmd  *command.Command
		want string
	}{
		{"a stranger", w.ask(nil, stranger), "[bad_signer no_right]"},
		{"a guest without its grant", w.ask(nil, guest), "[bad_signer no_right]"},
		{"a grant that is not there", w.ask(&none, guest), "[bad_signer no_right]"},
		{"somebody else's grant", w.ask(&w.grant, stranger), "[bad_signer no_right]"},
		{"a stranger beside the owner", w.ask(nil, owner, stranger), "[bad_signer]"},
		{"a forged signature", forged, "[bad_signer no_right]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := *w
			v.answer(c.cmd)
			if got := v.flags(v.entries); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func decode(t *testing.T, raw []byte) *command.Receipt {
	t.Helper()
	var e audit.Entry
	if err := codec.Unmarshal(raw, &e, audit.MaxEntry); err != nil {
		t.Fatal(err)
	}
	r, err := command.DecodeReceipt(e.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// file makes the file of a world's trail.
func (w *world) file() *audit.File {
	w.t.Helper()
	id := lock.Public().DeviceID()
	e, err := light.Gather(w.t.Context(), light.Gathering{Genesis: w.chain.Doc, Source: w.chain, Now: w.chain.Now, Caps: audit.Caps,
		Read: func(v state.View) error {
			_, err := audit.Read(v, w.digest, id, w.entries)
			return err
		}})
	if err != nil {
		w.t.Fatal(err)
	}
	return &audit.File{Device: id, Evidence: e, Entries: w.entries}
}

// TestFile: a third party has the file and the genesis document, and comes to
// the same.
func TestFile(t *testing.T) {
	w := newWorld(t)
	w.trail()
	for range 40 { // many changes of validators lie between
		w.chain.ReplaceOne()
		w.chain.Seal()
	}
	var b bytes.Buffer
	if err := w.file().Write(&b, w.digest); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	f, err := audit.ReadFile(bytes.NewReader(whole), w.digest)
	if err != nil {
		t.Fatal(err)
	}
	h, head, err := f.History(t.Context(), w.chain.Doc, w.chain.Now)
	if err != nil || head.Height != w.chain.Height() {
		t.Fatalf("head %d: %v", head.Height, err)
	}
	c := audit.NewChecker(w.digest, h.Device.Key, h)
	for _, e := range f.Entries {
		if row := c.Next(e); len(row.Flags) > 0 {
			t.Errorf("%v", row.Flags)
		}
	}
	if len(f.Entries) != 6 || h.Device.Key.DeviceID() != f.Device {
		t.Errorf("%d entries", len(f.Entries))
	}

	for n := range len(whole) / 97 { // cut short anywhere
		if _, err := audit.ReadFile(bytes.NewReader(whole[:n*97]), w.digest); !errors.Is(err, audit.ErrFile) {
			t.Fatalf("cut at %d: %v", n*97, err)
		}
	}
	for name, raw := range map[string][]byte{"more at the end": append(slices.Clone(whole), 0), "nothing": nil, "another magic": append([]byte("HOSAUDIX"), whole[8:]...)} {
		if _, err := audit.ReadFile(bytes.NewReader(raw), w.digest); !errors.Is(err, audit.ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := audit.ReadFile(bytes.NewReader(whole), [32]byte{1}); !errors.Is(err, audit.ErrFile) {
		t.Errorf("another ledger: %v", err)
	}
}

// TestFile_Forged: a file whose headers or proofs do not lead from the genesis
// document on has no history.
func TestFile_Forged(t *testing.T) {
	w := newWorld(t)
	w.trail()
	for name, f := range map[string]func(e *light.Evidence){
		"no headers":        func(e *light.Evidence) { e.Blocks = nil },
		"a spoiled header":  func(e *light.Evidence) { b := e.Blocks[len(e.Blocks)-1]; b[len(b)*2/3] ^= 1 },
		"a spoiled proof":   func(e *light.Evidence) { p := e.Proofs[0].Proof; p[len(p)/2] ^= 1 },
		"a proof left out":  func(e *light.Evidence) { e.Proofs = e.Proofs[1:] },
		"the last left out": func(e *light.Evidence) { e.Proofs = e.Proofs[:len(e.Proofs)-1] },
	} {
		t.Run(name, func(t *testing.T) {
			file := w.file()
			f(file.Evidence)
			if _, _, err := file.History(t.Context(), w.chain.Doc, w.chain.Now); err == nil {
				t.Error("taken")
			}
		})
	}
	other := newWorld(t)
	if _, _, err := w.file().History(t.Context(), other.chain.Doc, w.chain.Now); err == nil {
		t.Error("taken under another genesis document")
	}
}

// The specification names every flag.
func TestSpec_NamesEveryFlag(t *testing.T) {
	spec, err := os.ReadFile("../../docs/spec/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range audit.Flags() {
		if !bytes.Contains(spec, []byte("| `"+string(f)+"` |")) {
			t.Errorf("docs/spec/audit.md has no row %s", f)
		}
	}
}

// FuzzReadFile: never a panic, and what is read is written as it was.
func FuzzReadFile(f *testing.F) {
	file := audit.File{Device: key.DeviceID{1}, Evidence: &light.Evidence{Blocks: [][]byte{{1}}}, Entries: [][]byte{{2}, {3, 4}}}
	var b bytes.Buffer
	if err := file.Write(&b, codec.ChainDigest{7}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:20])
	f.Add([]byte("HOSAUDIT\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		read, err := audit.ReadFile(bytes.NewReader(raw), codec.ChainDigest{7})
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := read.Write(&again, codec.ChainDigest{7}); err != nil || !bytes.Equal(again.Bytes(), raw) {
			t.Errorf("%x is written as %x: %v", raw, again.Bytes(), err)
		}
	})
}

// FuzzChecker: entries from anywhere never panic, and without a signature of the
// device each has a flag.
func FuzzChecker(f *testing.F) {
	f.Add(audit.Entry{Receipt: []byte{1}, Command: []byte{2}}.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := audit.NewChecker(codec.ChainDigest{7}, lock.Public(), new(audit.History))
		if row := c.Next(raw); len(row.Flags) == 0 {
			t.Errorf("%x has no flag", raw)
		}
	})
}
