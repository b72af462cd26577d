package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/kvtest"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/home"
)

// exported gives the file of a stopped node's state.
func (w *testnet) exported(i int, height int64) ([]byte, Exported) {
	w.t.Helper()
	tree, err := store.Open(store.Config{Dir: w.dirs[i].StateDir(), KeepVersions: -1})
	if err != nil {
		w.t.Fatal(err)
	}
	defer tree.Close()
	if height == 0 {
		if height, err = NewestExport(w.dirs[i]); err != nil {
			w.t.Fatal(err)
		}
	}
	var file bytes.Buffer
	x, err := Export(w.t.Context(), &file, w.dirs[i], w.doc, tree, height, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := Export(w.t.Context(), io.Discard, w.dirs[i], w.doc, tree, tree.Version(), nil); !errors.Is(err, engine.ErrNoHeight) {
		w.t.Errorf("export of the newest height: %v", err)
	}
	w.lines(tree, height)
	return file.Bytes(), x
}

// lines looks at the same state as JSON.
func (w *testnet) lines(tree *store.Tree, height int64) {
	w.t.Helper()
	var out bytes.Buffer
	if err := ExportLines(w.t.Context(), &out, w.doc, tree, height); err != nil {
		w.t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(out.String()), "\n")
	count := make(map[string]int)
	for _, r := range rows {
		var l line
		if err := json.Unmarshal([]byte(r), &l); err != nil {
			w.t.Fatalf("%s: %v", r, err)
		}
		count[l.Record]++
		if l.Record == "device" && (!strings.Contains(r, `"key":"hospub1`) || !strings.Contains(r, `"vendor":"hosacc1`)) {
			w.t.Errorf("not readable: %s", r)
		}
	}
	if last := rows[len(rows)-1]; last != fmt.Sprintf(`{"records":%d}`, len(rows)-2) {
		w.t.Errorf("%d lines end with %s", len(rows), last)
	}
	if count["params"] != 1 || count["vendor"] != 1 || count["device"] < 3 {
		w.t.Errorf("records: %v", count)
	}
}

// fresh makes a home without blocks.
func fresh(t *testing.T) home.Dir {
	t.Helper()
	d, err := home.Create(filepath.Join(t.TempDir(), "fresh"), home.Default())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// list gives what is in a home.
func list(t *testing.T, d home.Dir) (out []string) {
	t.Helper()
	if err := filepath.WalkDir(string(d), func(path string, _ fs.DirEntry, err error) error {
		out = append(out, path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// A home that is filled from a file goes on with the ledger, also after a start
// in which no peer answered; its own export of the height is the same file.
func TestImport_GoesOn(t *testing.T) {
	w := newNetwork(t, 1, 1)
	// Long ago, so that only a trusted header leads into the present.
	w.doc.Time = time.Now().Add(-20 * 24 * time.Hour).Unix()
	t.Cleanup(w.stopAll)
	<-w.start(0).step
	w.grow(12)
	w.halt(0)
	file, x := w.exported(0, 0)

	in := Import{Home: w.dirs[1], Genesis: w.doc, From: bytes.NewReader(file)}
	if _, err := in.Run(t.Context()); !errors.Is(err, engine.ErrNotOurs) {
		t.Errorf("nothing is trusted: %v", err)
	}
	in.From, in.Trusted = bytes.NewReader(file), make([]byte, 32)
	if _, err := in.Run(t.Context()); !errors.Is(err, engine.ErrTrust) {
		t.Errorf("another header is trusted: %v", err)
	}
	in.From, in.Trusted = bytes.NewReader(file), x.Header[:]
	got, err := in.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(x, got); diff != "" {
		t.Error(diff)
	}
	in.From = bytes.NewReader(file)
	if _, err := in.Run(t.Context()); !errors.Is(err, home.ErrNotEmpty) {
		t.Errorf("imported again: %v", err)
	}

	w.start(1) // alone
	w.halt(1)
	<-w.start(0).step
	w.change = func(c *home.Config) { c.StateSync = true } // has nothing to do any more
	<-w.start(1, w.nodes[0].run.Mesh...).step
	w.checkGoesOn(1)
	w.stopAll()

	height := x.Height + 2
	ours, _ := w.exported(1, height)
	theirs, _ := w.exported(0, height)
	if !bytes.Equal(ours, theirs) {
		t.Error("two nodes give different files of one height")
	}
}

// checkGoesOn has a node execute what is new.
func (w *testnet) checkGoesOn(i int) {
	w.t.Helper()
	w.devices = append(w.devices, secret(w.t, "after the import"))
	c := w.client(i)
	sequence := uint64(len(w.devices) - 5) // four are made with the network
	done := mustSubmit(w.t, c, w.register(sequence, len(w.devices)-1))
	for _, d := range w.devices[4:] { // known from the file, and new
		p, err := c.Prove(w.t.Context(), state.DeviceKey(d.Public().DeviceID()), done.Height)
		if err != nil || len(p.Value) == 0 {
			w.t.Errorf("device %s: %v", d.Public().DeviceID(), err)
		}
	}
}

// Whatever is changed in a file or cut off it: it is refused, and the home stays
// as it was.
func TestImport_Refuses(t *testing.T) {
	w := newNetwork(t, 1, 0)
	t.Cleanup(w.stopAll)
	<-w.start(0).step
	w.grow(12)
	w.halt(0)
	file, _ := w.exported(0, 0)

	d := fresh(t)
	before := list(t, d)
	try := func(what string, b []byte, kinds ...error) {
		t.Helper()
		_, err := Import{Home: d, Genesis: w.doc, From: bytes.NewReader(b)}.Run(t.Context())
		known := false
		for _, k := range kinds {
			known = known || errors.Is(err, k)
		}
		if !known {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(before, list(t, d)); diff != "" {
			t.Fatalf("%s: the home is another: %s", what, diff)
		}
	}
	random := rand.New(rand.NewPCG(3, 3))
	any := []error{snapshot.BadFile, engine.ErrNotOurs, ErrOtherLedger}
	for i := range 160 {
		at := random.IntN(len(file))
		if i < 40 { // the beginning in any case
			at = i
		}
		bent := bytes.Clone(file)
		bent[at] ^= 1 << random.IntN(8)
		try(fmt.Sprint("bit of byte ", at), bent, any...)
	}
	for range 30 {
		n := random.IntN(len(file))
		try(fmt.Sprint("first bytes: ", n), file[:n], snapshot.BadFile)
	}
	try("longer", append(bytes.Clone(file), 0), snapshot.BadFile)

	t.Run("another ledger", func(t *testing.T) {
		doc := *w.doc
		doc.Vendors = append([]genesis.Vendor(nil), doc.Vendors...)
		doc.Vendors[0].Quota++
		_, err := Import{Home: d, Genesis: &doc, From: bytes.NewReader(file)}.Run(t.Context())
		if !errors.Is(err, ErrOtherLedger) {
			t.Error(err)
		}
	})
	t.Run("full disk", func(t *testing.T) {
		disk := kvtest.New()
		disk.Fill("")
		_, err := Import{Home: d, Genesis: w.doc, From: bytes.NewReader(file), FS: disk}.Run(t.Context())
		if !errors.Is(err, kv.Full) {
			t.Error(err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Import{Home: d, Genesis: w.doc, From: bytes.NewReader(file), Tell: func(int, int) { cancel() }}.Run(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	if diff := cmp.Diff(before, list(t, d)); diff != "" {
		t.Errorf("the home is another: %s", diff)
	}
}
