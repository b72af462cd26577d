package cli

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// maxListLine is far above a public key and an X25519 key.
const maxListLine = 512

// batchFlags are those of hos vendor batch.
type batchFlags struct {
	keyFile, model, out string
	proofsOnly          bool
}

func (a *App) vendorBatch() *cobra.Command {
	var f batchFlags
	c := &cobra.Command{
		Use: "batch FILE", Short: "Register a production run of devices in one transaction", Args: cobra.ExactArgs(1),
		Long: "FILE lists the devices, one a line: public key (hospub1…) and X25519 key (64 hex\ndigits), as hos-agent init prints them. The ledger gets one root for all of them;\n--out gets one line a device, its proof, which goes into the device with\nhos-agent batch. Your quota is charged for the whole run.",
		RunE: func(c *cobra.Command, args []string) error {
			if f.out == "" {
				return usagef("--out: want the file for the proofs")
			}
			if f.model == "" && !f.proofsOnly {
				return usagef("--model is missing")
			}
			w, err := a.wallet()
			if err != nil {
				return err
			}
			return w.batch(c.Context(), args[0], f)
		},
	}
	c.Flags().StringVar(&f.keyFile, "key-file", "", "the vendor's key file (default: the wallet's)")
	c.Flags().StringVar(&f.model, "model", "", "model name of all devices of the run")
	c.Flags().StringVar(&f.out, "out", "", "file for the proofs; it must not be there yet")
	c.Flags().BoolVar(&f.proofsOnly, "proofs-only", false, "write the proofs again, and send nothing to the ledger")
	return c
}

// batchResult is the JSON about a run whose proofs are written. Transaction and
// height are zero with --proofs-only.
type batchResult struct {
	header
	Vendor key.AccountID `json:"vendor"`
	Root   string        `json:"root"`
	Size   uint64        `json:"size"`
	Out    string        `json:"out"`
	ID     tx.ID         `json:"id"`
	Height int64         `json:"height"`
}

// batch writes the proofs first: they follow from the list and the vendor's id
// alone, and a run on the ledger without its proofs would be worth nothing.
func (w *wallet) batch(ctx context.Context, list string, f batchFlags) error {
	keys := w.keys
	if f.keyFile != "" {
		var err error
		if keys, err = keystore.New(keystore.Config{Path: f.keyFile, Random: w.app.cfg.Random}); err != nil {
			return err
		}
	}
	info, err := keys.Inspect()
	if err != nil {
		return doing("open the key file", err)
	}
	tree, err := readRun(list)
	if err != nil {
		return doing("read the list of devices", err)
	}
	if err := writeProofs(f.out, list, info.Account, tree); err != nil {
		return doing("write the proofs", err)
	}
	out := batchResult{header: head("hos.batch"), Vendor: info.Account, Root: tree.Root().String(), Size: tree.Size(), Out: f.out}
	if !f.proofsOnly {
		s, err := w.session()
		if err != nil {
			return err
		}
		defer s.close()
		c, err := s.commitAs(ctx, f.keyFile, "register the batch", func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
			return l.RegisterBatch(p, tree.Root(), tree.Size(), f.model)
		})
		if err != nil {
			w.app.say("The proofs are in %s all the same; they are good once the batch is registered.", f.out)
			return err
		}
		out.ID, out.Height = c.id, c.height
	}
	return w.app.print(out, func(o io.Writer) {
		fmt.Fprintf(o, "devices\t%d\nbatch\t%s\nproofs\t%s\n", out.Size, out.Root, out.Out)
		if !f.proofsOnly {
			fmt.Fprintf(o, "transaction\t%s\nblock\t%d\n", out.ID, out.Height)
		}
	})
}

// eachDevice reads a list line by line; empty lines and those that begin with #
// are for people.
func eachDevice(path string, f func(batch.Leaf) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 0, maxListLine), maxListLine)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		leaf, err := parseDevice(text)
		if err == nil {
			err = f(leaf)
		}
		if err != nil {
			return usagef("%s, line %d: %v", path, n, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return usagef("%s: a line of more than %d characters", path, maxListLine)
	}
	return lines.Err()
}

func parseDevice(text string) (l batch.Leaf, err error) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return l, fmt.Errorf("want a public key and an X25519 key")
	}
	if l.Key, err = key.ParsePublic(fields[0]); err != nil {
		return l, err
	}
	raw, err := hex.DecodeString(fields[1])
	if err != nil || len(raw) != len(l.SealKey) {
		return l, fmt.Errorf("want the X25519 key as 64 hex digits")
	}
	l.SealKey = [32]byte(raw)
	// What the ledger would refuse at the claim, years from now.
	return l, (&tx.RegisterDevice{Key: l.Key, SealKey: l.SealKey, Model: "x"}).StaticValidate()
}

// readRun builds the tree of a list; a device that stands twice is refused.
func readRun(path string) (*batch.Tree, error) {
	var leaves []batch.Hash
	seen := make(map[key.DeviceID]struct{})
	err := eachDevice(path, func(l batch.Leaf) error {
		id := l.Key.DeviceID()
		if _, twice := seen[id]; twice {
			return fmt.Errorf("%s stands twice", id)
		}
		if len(leaves) >= batch.Max {
			return batch.ErrSize
		}
		seen[id] = struct{}{}
		leaves = append(leaves, l.Hash())
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(leaves) == 0 {
		return nil, usagef("%s lists no device", path)
	}
	return batch.NewTree(leaves)
}

// writeProofs reads the list again, so that a run of millions is not kept in
// memory, and puts the file into its place when it is whole.
func writeProofs(out, list string, vendor key.AccountID, tree *batch.Tree) (err error) {
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return usagef("--out: %s is there already", out)
	}
	f, err := os.CreateTemp(filepath.Dir(out), ".proofs-*")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err == nil {
			err = os.Rename(f.Name(), out)
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	w, index := bufio.NewWriter(f), uint64(0)
	err = eachDevice(list, func(l batch.Leaf) error {
		path, err := tree.Path(index)
		if err != nil {
			return err
		}
		m := tx.BatchMember{Vendor: vendor, Root: tree.Root(), Index: index, Key: l.Key, SealKey: l.SealKey, Path: path}
		if !m.Leads(tree.Size()) {
			return errors.New("the list has changed meanwhile")
		}
		index++
		_, err = w.WriteString(m.Line() + "\n")
		return err
	})
	if err == nil && index != tree.Size() {
		err = errors.New("the list has changed meanwhile")
	}
	return errors.Join(err, w.Flush(), f.Sync())
}
