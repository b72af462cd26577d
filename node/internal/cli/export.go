package cli

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/durable"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
	"github.com/hybridos-net/hybridos/node"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/home"
)

// Formats of an export.
const (
	formatState = "state" // what import takes
	formatJSONL = "jsonl" // for people and audits
)

// tellEvery is after how many chunks, of up to 4 MiB, progress is told.
const tellEvery = 16

// exportFlags are what export is told.
type exportFlags struct {
	dir, out, format string
	height           int64
	json             bool
}

func exportCommand() *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use: "export", Short: "Write the whole state of a stopped node at a height into a file", Args: noArgs,
		Long: "Write the whole state of a stopped node at a height into a file, with the\n" +
			"headers that vouch for it; import makes a node of it. Every node gives the very\n" +
			"same file for a height. With --format jsonl: one line of JSON for each record,\n" +
			"for people and audits, to standard output if there is no --out.",
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	homeFlag(c, &f.dir)
	c.Flags().StringVar(&f.out, "out", "", "file to write; it must not exist")
	c.Flags().StringVar(&f.format, "format", formatState, "state or jsonl")
	c.Flags().Int64Var(&f.height, "height", 0, "height of the state; 0: the newest possible, with jsonl the very newest")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func (f exportFlags) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	switch {
	case f.format != formatState && f.format != formatJSONL:
		return hint(fmt.Errorf("format %q", f.format), "--format state, or --format jsonl")
	case f.height < 0:
		return hint(fmt.Errorf("height %d", f.height), "leave --height out for the newest possible")
	case f.format == formatState && f.out == "":
		return hint(errors.New("no file to write"), "--out FILE")
	}
	d, tree, end, err := openState(f.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	doc, err := readGenesis(d.GenesisFile())
	if err != nil {
		return err
	}
	switch {
	case f.height != 0:
	case f.format == formatJSONL: // also where the blocks are damaged
		f.height = tree.Version()
	default:
		if f.height, err = node.NewestExport(d); err != nil {
			return adviseExport(err, f.dir)
		}
	}
	if f.format == formatJSONL {
		return adviseExport(f.lines(ctx, stdout, doc, tree), f.dir)
	}
	var x node.Exported
	err = durable.Stream(f.out, func(w io.Writer) (err error) {
		x, err = node.Export(ctx, w, d, doc, tree, f.height, progress(stderr))
		return err
	})
	if err != nil {
		return adviseExport(err, f.dir)
	}
	return printExported(stdout, x, f.json)
}

// lines writes the records as JSON.
func (f exportFlags) lines(ctx context.Context, stdout io.Writer, doc *genesis.Doc, tree *store.Tree) error {
	if f.out == "" {
		return node.ExportLines(ctx, stdout, doc, tree, f.height)
	}
	return durable.Stream(f.out, func(w io.Writer) error { return node.ExportLines(ctx, w, doc, tree, f.height) })
}

// progress tells about a long transfer now and then.
func progress(w io.Writer) func(done, all int) {
	return func(done, all int) {
		if done%tellEvery == 0 {
			fmt.Fprintf(w, "%d of %d chunks\n", done, all)
		}
	}
}

func adviseExport(err error, dir string) error {
	switch {
	case errors.Is(err, engine.ErrNoHeight), errors.Is(err, store.NoVersion):
		return hint(err, "leave --height out for the newest possible, or let the node run until the ledger is further: hosd start --home "+dir)
	case errors.Is(err, fs.ErrExist):
		return hint(err, "another --out: nothing is ever written over")
	}
	return err
}

// exportedJSON is what export and import print with --json.
type exportedJSON struct {
	ChainID string `json:"chain_id"`
	Height  int64  `json:"height"`
	Header  string `json:"header_hash"`
	Root    string `json:"root"`
	Chunks  int    `json:"chunks"`
	SHA256  string `json:"sha256"`
}

func printExported(out io.Writer, x node.Exported, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(exportedJSON{
			x.ChainID, x.Height, hex.EncodeToString(x.Header[:]), hex.EncodeToString(x.Root[:]), x.Chunks, hex.EncodeToString(x.Sum[:]),
		})
	}
	_, err := fmt.Fprintf(out, "ledger %s\nheight %d\nheader %x\nroot %x\nchunks %d\nsha256 %x\n", x.ChainID, x.Height, x.Header, x.Root, x.Chunks, x.Sum)
	return err
}

// importFlags are what import is told.
type importFlags struct {
	dir, from, trust string
	json             bool
}

func importCommand() *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use: "import", Short: "Fill a home without blocks from an exported file", Args: noArgs,
		Long: "Fill a home without blocks from an exported file. What the file may hold is told\n" +
			"by its headers, which are verified from the genesis document of the home. Where\n" +
			"that is older than two weeks, or other validators have come since, name the hash\n" +
			"of the header of the file's height, told by an operator whom you trust.\n" +
			"hosd start then fetches the blocks after it from its peers.",
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	homeFlag(c, &f.dir)
	c.Flags().StringVar(&f.from, "from", "", "the exported file")
	c.Flags().StringVar(&f.trust, "trust-hash", "", "hash of the header of the file's height, in hex")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func (f importFlags) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	if err := needHome(f.dir); err != nil {
		return err
	}
	d := home.Dir(f.dir)
	switch {
	case !d.Exists():
		return hint(fmt.Errorf("%s is not a home", f.dir), "hosd init --home "+f.dir)
	case f.from == "":
		return hint(errors.New("no file to read"), "--from FILE, as hosd export wrote it")
	}
	trusted, err := parseTrust(f.trust)
	if err != nil {
		return err
	}
	doc, err := readGenesis(d.GenesisFile())
	if err != nil {
		return err
	}
	file, err := os.Open(f.from)
	if err != nil {
		return hint(err, "--from FILE, as hosd export wrote it")
	}
	defer file.Close()
	lock, err := d.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	x, err := node.Import{Home: d, Genesis: doc, From: file, Trusted: trusted, Tell: progress(stderr)}.Run(ctx)
	if err != nil {
		return adviseImport(err)
	}
	return printExported(stdout, x, f.json)
}

// parseTrust reads a header's hash; nil if none is given.
func parseTrust(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	hash, err := hex.DecodeString(text)
	if err != nil || len(hash) != 32 {
		return nil, hint(fmt.Errorf("trust-hash %q: want the 64 hex digits of a header's hash", text), "ask an operator that you trust: hosd export prints it as header")
	}
	return hash, nil
}

func adviseImport(err error) error {
	switch {
	case errors.Is(err, home.ErrNotEmpty):
		return hint(err, "import into a new home, or move data/state and data/comet away (keep sign-state.json)")
	case errors.Is(err, node.ErrOtherLedger):
		return hint(err, "get a file of the home's own ledger")
	case errors.Is(err, engine.ErrTrust):
		return hint(err, "compare --trust-hash and the file with an operator that you trust: hosd export prints the hash as header")
	case errors.Is(err, engine.ErrNotOurs):
		return hint(err, "--trust-hash HEX: the hash of the header of the file's height, told by an operator that you trust")
	case errors.Is(err, snapshot.BadFile), errors.Is(err, store.BadSnapshot):
		return hint(err, "get the file again, from another operator if it stays bad")
	}
	return err
}
