package cli

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/node"
	"github.com/hybridos-net/hybridos/node/home"
)

// proven is what a governor needs to propose this node as a validator.
type proven struct {
	ChainID   string `json:"chain_id"`
	Validator string `json:"validator"` // hex Ed25519 key
	Proof     string `json:"proof"`     // hex signature
}

func validatorCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "validator", Short: "For operators of validators", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(proveCommand())
	return c
}

func proveCommand() *cobra.Command {
	var dir, genesisFile string
	var asJSON bool
	c := &cobra.Command{
		Use: "prove", Short: "Print the consensus key and the proof that this node holds it", Args: noArgs,
		Long: "Prints what governors need to make this node a validator (hos gov propose\nadd-validator) or to give a validator its key (replace-key). The key itself stays in\nthe home. The proof is good for the one ledger of the genesis document.",
		RunE: func(c *cobra.Command, _ []string) error {
			return runProve(c.OutOrStdout(), dir, genesisFile, asJSON)
		},
	}
	homeFlag(c, &dir)
	c.Flags().StringVar(&genesisFile, "genesis", "", "genesis document of the ledger (default: the home's)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func runProve(out io.Writer, dir, genesisFile string, asJSON bool) error {
	if err := needHome(dir); err != nil {
		return err
	}
	d := home.Dir(dir)
	if !d.Exists() {
		return hint(fmt.Errorf("%s is no home", dir), "hosd init --home DIR --name NAME")
	}
	if genesisFile == "" {
		genesisFile = d.GenesisFile()
	}
	doc, err := readGenesis(genesisFile)
	if err != nil {
		return err
	}
	k, proof, err := node.KeyFiles(d).ProveValidator(doc.Chain())
	if errors.Is(err, fs.ErrNotExist) {
		return hint(err, "put the keys of this home back")
	}
	if err != nil {
		return err
	}
	p := proven{ChainID: doc.ChainID, Validator: k.String(), Proof: hex.EncodeToString(proof[:])}
	if asJSON {
		return json.NewEncoder(out).Encode(p)
	}
	_, err = fmt.Fprintf(out, "ledger     %s\nvalidator  %s\nproof      %s\n", p.ChainID, p.Validator, p.Proof)
	return err
}
