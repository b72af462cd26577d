package cli

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
)

type genesisFlags struct {
	chainID, out        string
	time                int64
	validators, vendors []string
	governors           []string
	threshold           uint8
}

// defaultQuota is how many devices a vendor may register, if not said.
const defaultQuota = 1_000_000

func genesisCommand() *cobra.Command {
	var f genesisFlags
	c := &cobra.Command{
		Use: "genesis", Short: "Make the genesis document of a new ledger", Args: noArgs,
		Example: "  hosd genesis --chain-id hos-1 --validator name=one,key=HEX --vendor name=maker,key=hospub1…,quota=1000 --out genesis.json",
		RunE: func(c *cobra.Command, _ []string) error {
			return runGenesis(c.OutOrStdout(), c.ErrOrStderr(), f)
		},
	}
	c.Flags().StringVar(&f.chainID, "chain-id", "", "name of the ledger")
	c.Flags().StringVar(&f.out, "out", "", "file to write; standard output if empty")
	c.Flags().Int64Var(&f.time, "time", 0, "Unix time of the start; now if 0")
	c.Flags().StringArrayVar(&f.validators, "validator", nil, "name=NAME,key=HEX as printed by hosd init; one flag each")
	c.Flags().StringArrayVar(&f.vendors, "vendor", nil, "name=NAME,key=hospub1…[,key=…][,threshold=N][,quota=N]; one flag each")
	c.Flags().StringArrayVar(&f.governors, "governor", nil, "name=NAME,key=hospub1… of who may change validators and vendors; one flag each, none: nobody ever can")
	c.Flags().Uint8Var(&f.threshold, "governor-threshold", 0, "how many governors must approve a change; more than half of them if 0")
	return c
}

func runGenesis(stdout, stderr io.Writer, f genesisFlags) error {
	doc := &genesis.Doc{ChainID: f.chainID, Time: f.time}
	if doc.Time == 0 {
		doc.Time = time.Now().Unix()
	}
	for _, s := range f.validators {
		v, err := parseValidator(s)
		if err != nil {
			return hint(fmt.Errorf("--validator %s: %w", s, err), "--validator name=NAME,key=HEX")
		}
		doc.Validators = append(doc.Validators, v)
	}
	for _, s := range f.vendors {
		v, err := parseVendor(s)
		if err != nil {
			return hint(fmt.Errorf("--vendor %s: %w", s, err), "--vendor name=NAME,key=hospub1…,threshold=1,quota=1000")
		}
		doc.Vendors = append(doc.Vendors, v)
	}
	if err := f.govern(doc); err != nil {
		return err
	}
	if err := doc.Validate(); err != nil {
		return hint(err, "hosd genesis --help")
	}
	hash := doc.Hash()
	if f.out == "" {
		if _, err := stdout.Write(doc.JSON()); err != nil {
			return err
		}
	} else if err := writeNew(f.out, doc.JSON()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stderr, "genesis hash %s\n", hex.EncodeToString(hash[:]))
	return err
}

// govern adds the governors, if there are any.
func (f genesisFlags) govern(doc *genesis.Doc) error {
	if len(f.governors) == 0 {
		if f.threshold > 0 {
			return hint(errors.New("--governor-threshold without a governor"), "add --governor name=NAME,key=hospub1…")
		}
		return nil
	}
	g := &genesis.Governance{Threshold: f.threshold}
	if g.Threshold == 0 {
		g.Threshold = uint8(min(len(f.governors)/2+1, 255))
	}
	for _, s := range f.governors {
		v, err := parseGovernor(s)
		if err != nil {
			return hint(fmt.Errorf("--governor %s: %w", s, err), "--governor name=NAME,key=hospub1…")
		}
		g.Governors = append(g.Governors, v)
	}
	doc.Governance = g
	return nil
}

func writeNew(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return hint(err, "choose another --out, or remove the file yourself")
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// pairs reads name=value lists; names may come again.
func pairs(s string, each func(name, value string) error) error {
	for _, item := range strings.Split(s, ",") {
		name, value, ok := strings.Cut(item, "=")
		if !ok || value == "" {
			return fmt.Errorf("%q is not name=value", item)
		}
		if err := each(name, value); err != nil {
			return err
		}
	}
	return nil
}

func parseValidator(s string) (v genesis.Validator, err error) {
	err = pairs(s, func(name, value string) (err error) {
		switch name {
		case "name":
			v.Name = value
		case "key":
			v.PubKey, err = hex.DecodeString(value)
		default:
			err = fmt.Errorf("unknown name %q", name)
		}
		return err
	})
	return v, err
}

func parseGovernor(s string) (v genesis.Governor, err error) {
	err = pairs(s, func(name, value string) (err error) {
		switch name {
		case "name":
			v.Name = value
		case "key":
			v.Key, err = key.ParsePublic(value)
		default:
			err = fmt.Errorf("unknown name %q", name)
		}
		return err
	})
	return v, err
}

func parseVendor(s string) (v genesis.Vendor, err error) {
	v.Threshold, v.Quota = 1, defaultQuota
	err = pairs(s, func(name, value string) (err error) {
		switch name {
		case "name":
			v.Name = value
		case "key":
			var k key.Public
			k, err = key.ParsePublic(value)
			v.Keys = append(v.Keys, k)
		case "threshold":
			var n uint64
			n, err = strconv.ParseUint(value, 10, 8)
			v.Threshold = uint8(n)
		case "quota":
			v.Quota, err = strconv.ParseUint(value, 10, 64)
		default:
			err = fmt.Errorf("unknown name %q", name)
		}
		return err
	})
	return v, err
}
