package cli

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/store/durable"
	"github.com/hybridos-net/hybridos/node"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/p2p/mux"
)

// identity is what init prints of a new node.
type identity struct {
	Home      string `json:"home"`
	Name      string `json:"name"`
	Validator string `json:"validator"` // hex Ed25519 key for a genesis document
	NodeID    string `json:"node_id"`   // in the consensus network
	MeshID    string `json:"mesh_id"`   // libp2p peer id
}

type initFlags struct {
	home, chainID, genesis, name string
	json                         bool
}

func initCommand() *cobra.Command {
	var f initFlags
	c := &cobra.Command{
		Use: "init", Short: "Make the home of a new node: keys and configuration", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runInit(c.OutOrStdout(), f) },
	}
	homeFlag(c, &f.home)
	c.Flags().StringVar(&f.name, "name", home.Default().Name, "name told to peers")
	c.Flags().StringVar(&f.genesis, "genesis", "", "genesis document of the ledger, copied into the home")
	c.Flags().StringVar(&f.chainID, "chain-id", "", "id that the genesis document must have")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func runInit(out io.Writer, f initFlags) error {
	if err := needHome(f.home); err != nil {
		return err
	}
	var doc *genesis.Doc
	var err error
	if f.genesis != "" {
		if doc, err = readGenesis(f.genesis); err != nil {
			return err
		}
	}
	if err := checkChainID(doc, f.chainID); err != nil {
		return err
	}
	if home.Dir(f.home).Exists() {
		return fmt.Errorf("%s %w; nothing was changed", f.home, home.ErrExists)
	}
	d, err := makeHome(f, doc)
	if err != nil {
		return errors.Join(err, home.Dir(f.home).Discard())
	}
	id, err := identify(d, f.name)
	if err != nil {
		return err
	}
	return id.print(out, f.json)
}

// makeHome writes everything; on error some of it may be there.
func makeHome(f initFlags, doc *genesis.Doc) (home.Dir, error) {
	cfg := home.Default()
	cfg.Name = f.name
	d, err := home.Create(f.home, cfg)
	if err != nil {
		return d, err
	}
	if _, err := engine.NewKeys(node.KeyFiles(d)); err != nil {
		return d, err
	}
	if doc == nil {
		return d, nil
	}
	return d, durable.Write(d.GenesisFile(), doc.JSON())
}

func checkChainID(doc *genesis.Doc, want string) error {
	switch {
	case want == "":
		return nil
	case doc == nil:
		return hint(errors.New("--chain-id checks the genesis document, but there is none"), "add --genesis FILE, or leave --chain-id out")
	case doc.ChainID != want:
		return hint(fmt.Errorf("the genesis document is of ledger %q, not %q", doc.ChainID, want), "get the document of the ledger that you want to join")
	}
	return nil
}

func identify(d home.Dir, name string) (identity, error) {
	id := identity{Home: string(d), Name: name}
	pub, err := node.KeyFiles(d).PubKey()
	if err != nil {
		return id, err
	}
	id.Validator = hex.EncodeToString(pub)
	if id.NodeID, err = node.KeyFiles(d).NodeID(); err != nil {
		return id, err
	}
	seed, err := d.TransportSeed()
	if err != nil {
		return id, err
	}
	k, err := mux.Key(seed)
	if err != nil {
		return id, err
	}
	p, err := peer.IDFromPrivateKey(k)
	id.MeshID = p.String()
	return id, err
}

func (id identity) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(id)
	}
	_, err := fmt.Fprintf(out, "home       %s\nvalidator  %s\nnode id    %s\nmesh id    %s\n", id.Home, id.Validator, id.NodeID, id.MeshID)
	return err
}

// readGenesis reads a genesis document from a file.
func readGenesis(name string) (*genesis.Doc, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint(fmt.Errorf("no genesis document: %w", err), "get it from who runs the ledger, or make one: hosd genesis --help")
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, genesis.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	doc, err := genesis.Parse(bytes.TrimSpace(raw))
	if err != nil {
		return nil, hint(fmt.Errorf("%s: %w", name, err), "get an undamaged copy from who runs the ledger")
	}
	return doc, nil
}
