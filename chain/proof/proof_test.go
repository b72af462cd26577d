package proof_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cosmos/ics23/go"
	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/proof"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
)

var update = flag.Bool("update", false, "write the golden proofs anew")

// grove is a tree of two versions and its roots.
type grove struct {
	tree      *store.Tree
	old, root []byte
}

func plant(t testing.TB) grove {
	t.Helper()
	tree, err := store.Open(store.Config{Dir: "d", FS: kv.NewMemFS()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	var g grove
	for version := range 2 {
		for i := range 100 {
			if err := tree.Set(key(2*i), fmt.Appendf(nil, "value-%d-%d", version, i)); err != nil {
				t.Fatal(err)
			}
		}
		_, root, err := tree.Commit()
		if err != nil {
			t.Fatal(err)
		}
		g.old, g.root = g.root, root
	}
	g.tree = tree
	return g
}

func key(i int) []byte { return fmt.Appendf(nil, "key-%04d", i) }

func (g grove) prove(t testing.TB, key []byte) (value, made []byte) {
	t.Helper()
	value, made, err := g.tree.ProveAt(2, key)
	if err != nil {
		t.Fatal(err)
	}
	return value, made
}

func decode(t testing.TB, made []byte) *ics23.CommitmentProof {
	t.Helper()
	decoded := new(ics23.CommitmentProof)
	if err := decoded.Unmarshal(made); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func encode(t testing.TB, decoded *ics23.CommitmentProof) []byte {
	t.Helper()
	made, err := decoded.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// edit returns the proof with a change made to it.
func edit(t testing.TB, made []byte, change func(*ics23.CommitmentProof)) []byte {
	decoded := decode(t, made)
	change(decoded)
	return encode(t, decoded)
}

func TestRead_EveryKey(t *testing.T) {
	g := plant(t)
	for i := -1; i < 201; i++ {
		key := key(max(i, 0))
		if i == -1 {
			key = []byte("a")
		}
		value, made := g.prove(t, key)
		got, err := proof.Read(g.root, key, made)
		if err != nil || !bytes.Equal(got, value) || (got == nil) != (i < 0 || i%2 == 1 || i >= 200) {
			t.Fatalf("%s: %q, %v", key, got, err)
		}
		if value != nil {
			err = proof.Verify(g.root, key, value, made)
		} else {
			err = proof.VerifyAbsent(g.root, key, made)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestVerify_Refusals(t *testing.T) {
	g := plant(t)
	value, made := g.prove(t, key(4))
	_, other := g.prove(t, key(6))
	_, absent := g.prove(t, key(5))
	smt := edit(t, made, func(p *ics23.CommitmentProof) { p.GetExist().Leaf.PrehashKey = ics23.HashOp_SHA256 })
	batch := encode(t, &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Batch{Batch: &ics23.BatchProof{
		Entries: []*ics23.BatchEntry{{Proof: &ics23.BatchEntry_Exist{Exist: decode(t, made).GetExist()}}},
	}}})
	packed := encode(t, ics23.Compress(decode(t, batch)))
	lost := encode(t, &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Compressed{Compressed: &ics23.CompressedBatchProof{
		Entries: []*ics23.CompressedBatchEntry{{Proof: &ics23.CompressedBatchEntry_Exist{Exist: &ics23.CompressedExistenceProof{Key: key(4), Value: value, Leaf: ics23.IavlSpec.LeafSpec, Path: []int32{99}}}}},
	}}})
	deep := edit(t, made, func(p *ics23.CommitmentProof) {
		for len(p.GetExist().Path) <= proof.MaxDepth {
			p.GetExist().Path = append(p.GetExist().Path, p.GetExist().Path[0])
		}
	})
	cases := map[string]struct {
		root, key, value, proof []byte
		want                    proof.ErrorKind
	}{
		"wrong value":         {g.root, key(4), []byte("forged"), made, proof.WrongValue},
		"old version's value": {g.root, key(4), []byte("value-0-2"), made, proof.WrongValue},
		"wrong key's proof":   {g.root, key(4), value, other, proof.WrongKey},
		"old root":            {g.old, key(4), value, made, proof.WrongRoot},
		"zero root":           {make([]byte, 32), key(4), value, made, proof.WrongRoot},
		"no root":             {nil, key(4), value, made, proof.BadInput},
		"short root":          {g.root[:31], key(4), value, made, proof.BadInput},
		"long root":           {append(bytes.Clone(g.root), 0), key(4), value, made, proof.BadInput},
		"empty key":           {g.root, nil, value, made, proof.BadInput},
		"long key":            {g.root, make([]byte, proof.MaxKeyBytes+1), value, made, proof.BadInput},
		"empty value":         {g.root, key(4), nil, made, proof.BadInput},
		"big value":           {g.root, key(4), make([]byte, proof.MaxValueBytes+1), made, proof.BadInput},
		"no proof":            {g.root, key(4), value, nil, proof.Oversized},
		"oversized":           {g.root, key(4), value, make([]byte, proof.MaxBytes+1), proof.Oversized},
		"too deep":            {g.root, key(4), value, deep, proof.Oversized},
		"garbage":             {g.root, key(4), value, []byte("garbage"), proof.Malformed},
		"trailing byte":       {g.root, key(4), value, append(bytes.Clone(made), 0), proof.Malformed},
		"unknown field":       {g.root, key(4), value, append(bytes.Clone(made), 0x7a, 0), proof.Malformed},
		"proof twice":         {g.root, key(4), value, append(bytes.Clone(made), made...), proof.Malformed},
		"no content":          {g.root, key(4), value, []byte{0x7a, 0}, proof.Unsupported},
		"batch":               {g.root, key(4), value, batch, proof.Unsupported},
		"compressed":          {g.root, key(4), value, packed, proof.Unsupported},
		"compressed, astray":  {g.root, key(4), value, lost, proof.Unsupported},
		"smt leaf":            {g.root, key(4), value, smt, proof.Unsupported},
		"tendermint spec": {g.root, key(4), value, edit(t, made, func(p *ics23.CommitmentProof) {
			p.GetExist().Leaf = ics23.TendermintSpec.LeafSpec
			for _, op := range p.GetExist().Path {
				op.Prefix, op.Suffix = []byte{1}, make([]byte, 32)
			}
		}), proof.Unsupported},
		"no leaf":       {g.root, key(4), value, edit(t, made, func(p *ics23.CommitmentProof) { p.GetExist().Leaf = nil }), proof.Unsupported},
		"no value":      {g.root, key(4), value, edit(t, made, func(p *ics23.CommitmentProof) { p.GetExist().Value = nil }), proof.Malformed},
		"forged value":  {g.root, key(4), []byte("forged"), edit(t, made, func(p *ics23.CommitmentProof) { p.GetExist().Value = []byte("forged") }), proof.WrongRoot},
		"renamed":       {g.root, key(4), []byte("value-1-3"), edit(t, other, func(p *ics23.CommitmentProof) { p.GetExist().Key = key(4) }), proof.WrongRoot},
		"shortened":     {g.root, key(4), value, edit(t, made, func(p *ics23.CommitmentProof) { p.GetExist().Path = p.GetExist().Path[1:] }), proof.WrongRoot},
		"no path":       {g.root, key(4), value, edit(t, made, func(p *ics23.CommitmentProof) { p.GetExist().Path = nil }), proof.WrongRoot},
		"absence proof": {g.root, key(5), value, absent, proof.Absent},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if err := proof.Verify(c.root, c.key, c.value, c.proof); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	for cut := 1; cut < len(made); cut++ {
		if err := proof.Verify(g.root, key(4), value, made[:cut]); err == nil {
			t.Fatalf("accepts the first %d bytes", cut)
		}
	}
	for i := range made {
		for bit := range 8 {
			bent := bytes.Clone(made)
			bent[i] ^= 1 << bit
			if err := proof.Verify(g.root, key(4), value, bent); err == nil {
				t.Fatalf("accepts bit %d of byte %d turned", bit, i)
			}
		}
	}
}

func TestVerifyAbsent_Refusals(t *testing.T) {
	g := plant(t)
	_, present := g.prove(t, key(4))
	_, absent := g.prove(t, key(5))
	_, wide := g.prove(t, key(9))
	non := func(change func(*ics23.NonExistenceProof)) []byte {
		return edit(t, absent, func(p *ics23.CommitmentProof) { change(p.GetNonexist()) })
	}
	cases := map[string]struct {
		root, key, proof []byte
		want             proof.ErrorKind
	}{
		"present":          {g.root, key(4), present, proof.Present},
		"other key":        {g.root, key(9), absent, proof.WrongKey},
		"old root":         {g.old, key(5), absent, proof.WrongRoot},
		"no neighbours":    {g.root, key(5), non(func(n *ics23.NonExistenceProof) { n.Left, n.Right = nil, nil }), proof.Malformed},
		"no left":          {g.root, key(5), non(func(n *ics23.NonExistenceProof) { n.Left = nil }), proof.WrongRoot},
		"no right":         {g.root, key(5), non(func(n *ics23.NonExistenceProof) { n.Right = nil }), proof.WrongRoot},
		"swapped":          {g.root, key(5), non(func(n *ics23.NonExistenceProof) { n.Left, n.Right = n.Right, n.Left }), proof.WrongRoot},
		"same twice":       {g.root, key(5), non(func(n *ics23.NonExistenceProof) { n.Right = n.Left }), proof.Malformed},
		"no paths":         {g.root, key(5), non(func(n *ics23.NonExistenceProof) { n.Left.Path, n.Right.Path = nil, nil }), proof.Malformed},
		"one path":         {g.root, key(5), non(func(n *ics23.NonExistenceProof) { n.Left.Path = nil }), proof.Malformed},
		"not neighbours":   {g.root, key(5), non(func(n *ics23.NonExistenceProof) { n.Right = decode(t, wide).GetNonexist().Right }), proof.WrongRoot},
		"outside":          {g.root, key(4), non(func(n *ics23.NonExistenceProof) { n.Key = key(4) }), proof.WrongRoot},
		"hides a key":      {g.root, key(6), non(func(n *ics23.NonExistenceProof) { n.Key, n.Right = key(6), decode(t, wide).GetNonexist().Left }), proof.WrongRoot},
		"neighbour empty":  {g.root, key(5), non(func(n *ics23.NonExistenceProof) { n.Left.Value = nil }), proof.Malformed},
		"neighbour nokey":  {g.root, key(5), non(func(n *ics23.NonExistenceProof) { n.Left.Key = nil }), proof.Malformed},
		"neighbour noleaf": {g.root, key(5), non(func(n *ics23.NonExistenceProof) { n.Left.Leaf = nil }), proof.Unsupported},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if err := proof.VerifyAbsent(c.root, c.key, c.proof); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	for i := range absent {
		for bit := range 8 {
			bent := bytes.Clone(absent)
			bent[i] ^= 1 << bit
			if err := proof.VerifyAbsent(g.root, key(5), bent); err == nil {
				t.Fatalf("accepts bit %d of byte %d turned", bit, i)
			}
		}
	}
}

// The caps of a proof must have room for the largest records side by side.
func TestVerify_LargestRecords(t *testing.T) {
	tree, err := store.Open(store.Config{Dir: "d", FS: kv.NewMemFS()})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for i := range 10 {
		long := append(bytes.Repeat([]byte{'k'}, proof.MaxKeyBytes-1), byte('a'+2*i))
		if err := tree.Set(long, bytes.Repeat([]byte{1}, proof.MaxValueBytes)); err != nil {
			t.Fatal(err)
		}
	}
	version, root, err := tree.Commit()
	if err != nil {
		t.Fatal(err)
	}
	between := append(bytes.Repeat([]byte{'k'}, proof.MaxKeyBytes-1), 'f')
	_, made, err := tree.ProveAt(version, between)
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.VerifyAbsent(root, between, made); err != nil {
		t.Error(err)
	}
}

// Golden proofs: what this version accepts, every later one must.
func TestRead_Golden(t *testing.T) {
	path := filepath.Join("testdata", "proofs.txt")
	if *update {
		g := plant(t)
		var out strings.Builder
		for _, key := range [][]byte{key(0), key(101), key(198), []byte("a"), []byte("z")} {
			value, made := g.prove(t, key)
			fmt.Fprintf(&out, "%x %s %s %x\n", g.root, key, value, made)
		}
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d proofs, want 5", len(lines))
	}
	for _, line := range lines {
		fields := strings.Split(line, " ")
		root, err := hex.DecodeString(fields[0])
		made, err2 := hex.DecodeString(fields[3])
		value, err3 := proof.Read(root, []byte(fields[1]), made)
		if err := errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fields[2], string(value)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestKinds_AllTested(t *testing.T) {
	if len(proof.Kinds) != 9 {
		t.Errorf("%d kinds: a new one needs a case above", len(proof.Kinds))
	}
	for _, kind := range proof.Kinds {
		err := error(&proof.Error{Kind: kind, Detail: "x"})
		if !errors.Is(err, kind) || !strings.Contains(err.Error(), string(kind)) {
			t.Errorf("%s is lost in %v", kind, err)
		}
	}
}

// Nothing but a proof made by the tree may show a value that the tree lacks.
func FuzzRead(f *testing.F) {
	g := plant(f)
	for _, i := range []int{0, 4, 5, 198, 199} {
		_, made := g.prove(f, key(i))
		f.Add(made, key(i))
	}
	f.Add([]byte{}, key(1))
	f.Add([]byte{0x0a, 0x00}, key(1))
	f.Add([]byte{0x12, 0x02, 0x0a, 0x00}, key(1))
	f.Fuzz(func(t *testing.T, made, key []byte) {
		shown, err := proof.Read(g.root, key, made)
		if err != nil {
			var refused *proof.Error
			if !errors.As(err, &refused) {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		value, err := g.tree.Get(key)
		if err != nil {
			if bytes.HasPrefix(key, []byte{0}) || bytes.HasPrefix(key, []byte{0xff}) {
				return // the fence, which callers cannot read
			}
			t.Fatal(err)
		}
		if !bytes.Equal(shown, value) {
			t.Fatalf("%q: shows %q, the tree holds %q", key, shown, value)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	g := plant(b)
	for name, i := range map[string]int{"present": 4, "absent": 5} {
		b.Run(name, func(b *testing.B) {
			_, made := g.prove(b, key(i))
			b.ReportMetric(float64(len(made)), "proof-bytes")
			for b.Loop() {
				if _, err := proof.Read(g.root, key(i), made); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
