package cli

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

func (a *App) govCommand() *cobra.Command {
	propose := group("propose", "Propose a change of validators, vendors, or the ledger itself",
		a.govAddValidator(), a.govRemoveValidator(), a.govReplaceKey(), a.govAdmitVendor(), a.govSuspendVendor(), a.govSetQuota(),
		a.govParams(), a.govUpgrade(), a.govCancelUpgrade(), a.govGovernors())
	return group("gov", "For governors: who runs the ledger, and who makes devices", propose, a.govApprove(), a.govList(), a.govShow(), a.govProve())
}

// motion is the flags of a proposal.
type motion struct {
	keyFile string
	open    time.Duration
}

// defaultOpen is how long a proposal is open, if not said.
const defaultOpen = 7 * 24 * time.Hour

// proposal is a command that proposes the change that its make gives.
func (a *App) proposal(c *cobra.Command, make func(args []string) (tx.Change, error)) *cobra.Command {
	var m motion
	c.RunE = func(c *cobra.Command, args []string) error {
		change, err := make(args)
		if err != nil {
			return err
		}
		return a.withSession(func(s *session) error { return s.propose(c.Context(), m, change) })
	}
	keyFileFlag(c, &m.keyFile)
	c.Flags().DurationVar(&m.open, "for", defaultOpen, "how long the other governors have to approve, at most 720h")
	return c
}

func keyFileFlag(c *cobra.Command, into *string) {
	c.Flags().StringVar(into, "key-file", "", "the governor's key file (default: the wallet's)")
}

func (s *session) propose(ctx context.Context, m motion, change tx.Change) error {
	c, err := s.govern(ctx, m.keyFile, "propose the change", func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
		return l.Propose(p, change, m.open)
	})
	if err != nil {
		return err
	}
	return s.printGoverned(c, c.id)
}

// printGoverned tells what has become of a proposal.
func (s *session) printGoverned(c committed, id tx.ID) error {
	p, err := state.GetProposal(c.view, id)
	if err != nil {
		return doing("read the proposal", err)
	}
	sentence := fmt.Sprintf("proposal %s has %d approval(s); the next governor: hos gov approve %s", id, len(p.Approvals), id)
	if p.Status == state.Applied {
		sentence = "proposal " + id.String() + " is carried out"
	}
	return s.printTx(c, sentence)
}

// govern unlocks a governor's key and commits a transaction of it.
func (s *session) govern(ctx context.Context, keyFile, what string, build func(draft.Ledger, draft.Party) (*tx.Tx, error)) (committed, error) {
	r, err := s.unlockGovernor(ctx, keyFile)
	if err != nil {
		return committed{}, err
	}
	defer r.Zero()
	p := draft.Party{Account: r.Account(), Key: r.Active()}
	return s.commit(ctx, what, func(l draft.Ledger) (*tx.Tx, error) { return build(l, p) })
}

// unlockGovernor unlocks the wallet's keys, or those of another file.
func (s *session) unlockGovernor(ctx context.Context, keyFile string) (*keystore.Ring, error) {
	keys := s.keys
	if keyFile != "" {
		var err error
		if keys, err = keystore.New(keystore.Config{Path: keyFile, Random: s.app.cfg.Random}); err != nil {
			return nil, err
		}
	}
	r, _, err := s.unlockWith(ctx, keys)
	return r, err
}

func (a *App) govApprove() *cobra.Command {
	var keyFile string
	c := &cobra.Command{
		Use: "approve ID", Short: "Approve a proposal of another governor", Args: cobra.ExactArgs(1),
		Long: "Shows what the proposal would change, from what its proposer signed, and asks. The\nbeginning of the id is enough. hos gov list shows what is open.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error { return s.approve(c.Context(), keyFile, args[0]) })
		},
	}
	keyFileFlag(c, &keyFile)
	return c
}

func (s *session) approve(ctx context.Context, keyFile, name string) error {
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	l, v, err := s.ledger(bounded)
	if err != nil {
		return err
	}
	id, err := findProposal(v, name)
	if err != nil {
		return doing("find the proposal", err)
	}
	_, t, err := l.Proposal(id)
	if err != nil {
		return doing("read the proposal", err)
	}
	if _, err := s.app.show(t, s.deviceName); err != nil {
		return doing("read the proposal", err)
	}
	c, err := s.govern(ctx, keyFile, "approve the proposal", func(l draft.Ledger, p draft.Party) (*tx.Tx, error) { return l.Approve(p, id) })
	if err != nil {
		return err
	}
	return s.printGoverned(c, id)
}

// findProposal reads an id, or finds the one open proposal that begins so.
func findProposal(v state.View, name string) (tx.ID, error) {
	if id, err := tx.ParseID(name); err == nil {
		return id, nil
	}
	gov, err := state.GetGovernance(v)
	if err != nil {
		return tx.ID{}, err
	}
	var found []tx.ID
	for _, o := range gov.Open {
		if strings.HasPrefix(o.ID.String(), name) {
			found = append(found, o.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return tx.ID{}, &state.Error{Kind: state.NoProposal, Detail: fmt.Sprintf("none is open whose id begins with %q", name)}
	default:
		return tx.ID{}, usagef("%d open proposals begin with %q", len(found), name)
	}
}

func (a *App) govAddValidator() *cobra.Command {
	var name, pub, proof string
	c := &cobra.Command{
		Use: "add-validator", Short: "Let another node sign blocks", Args: cobra.NoArgs,
		Long: "The operator of the node prints key and proof with 'hosd validator prove'. The node\nsigns from the second block after the last approval on.",
	}
	c.Flags().StringVar(&name, "name", "", "name of the validator")
	c.Flags().StringVar(&pub, "key", "", "its consensus key, 64 hex digits")
	c.Flags().StringVar(&proof, "proof", "", "its proof of possession, 128 hex digits")
	return a.proposal(c, func([]string) (ch tx.Change, err error) {
		add := &tx.AddValidator{ValidatorName: name}
		if err := unhex("--key", pub, add.Key[:]); err != nil {
			return ch, err
		}
		return tx.Change{AddValidator: add}, unhex("--proof", proof, add.Proof[:])
	})
}

func (a *App) govRemoveValidator() *cobra.Command {
	c := &cobra.Command{Use: "remove-validator KEY", Short: "Take a validator's power away for good", Args: cobra.ExactArgs(1)}
	return a.proposal(c, func(args []string) (tx.Change, error) {
		gone := new(tx.RemoveValidator)
		return tx.Change{RemoveValidator: gone}, unhex("KEY", args[0], gone.Key[:])
	})
}

func (a *App) govReplaceKey() *cobra.Command {
	var old, next, proof string
	c := &cobra.Command{
		Use: "replace-key", Short: "Give a validator another consensus key", Args: cobra.NoArgs,
		Long: "The node with the new key must run when the last approval comes; its operator prints\nkey and proof with 'hosd validator prove'.",
	}
	c.Flags().StringVar(&old, "old", "", "its present consensus key, 64 hex digits")
	c.Flags().StringVar(&next, "new", "", "its new consensus key, 64 hex digits")
	c.Flags().StringVar(&proof, "proof", "", "the new key's proof of possession, 128 hex digits")
	return a.proposal(c, func([]string) (ch tx.Change, err error) {
		r := new(tx.ReplaceKey)
		for _, f := range []struct {
			flag, text string
			into       []byte
		}{{"--old", old, r.Old[:]}, {"--new", next, r.New[:]}, {"--proof", proof, r.Proof[:]}} {
			if err := unhex(f.flag, f.text, f.into); err != nil {
				return ch, err
			}
		}
		return tx.Change{ReplaceKey: r}, nil
	})
}

func (a *App) govAdmitVendor() *cobra.Command {
	var name string
	var keys []string
	var threshold uint8
	var quota uint64
	c := &cobra.Command{
		Use: "admit-vendor", Short: "Let a maker register devices, or a suspended one again", Args: cobra.NoArgs,
		Long: "The vendor's id follows from the first key. A suspended vendor gets the name, keys,\nthreshold and quota that are given here.",
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "name of the vendor")
	f.StringSliceVar(&keys, "key", nil, "public key of the vendor, hospub1… (repeatable)")
	f.Uint8Var(&threshold, "threshold", 1, "how many of its keys must sign")
	f.Uint64Var(&quota, "quota", 0, "how many devices it may register in all")
	return a.proposal(c, func([]string) (ch tx.Change, err error) {
		admit := &tx.AdmitVendor{VendorName: name, Threshold: threshold, Quota: quota}
		for _, text := range keys {
			k, err := key.ParsePublic(text)
			if err != nil {
				return ch, usagef("--key: %v", err)
			}
			admit.Keys = append(admit.Keys, k)
		}
		return tx.Change{AdmitVendor: admit}, nil
	})
}

func (a *App) govSuspendVendor() *cobra.Command {
	c := &cobra.Command{Use: "suspend-vendor VENDOR", Short: "Stop a maker from registering devices", Args: cobra.ExactArgs(1)}
	return a.proposal(c, func(args []string) (tx.Change, error) {
		id, err := parseVendor(args[0])
		return tx.Change{SuspendVendor: &tx.SuspendVendor{Vendor: id}}, err
	})
}

func (a *App) govSetQuota() *cobra.Command {
	c := &cobra.Command{Use: "set-quota VENDOR N", Short: "Set how many devices a maker may register in all", Args: cobra.ExactArgs(2)}
	return a.proposal(c, func(args []string) (ch tx.Change, err error) {
		id, err := parseVendor(args[0])
		if err != nil {
			return ch, err
		}
		n, err := strconv.ParseUint(args[1], 10, 64)
		if err != nil {
			return ch, usagef("%q is no number of devices", args[1])
		}
		return tx.Change{SetQuota: &tx.SetQuota{Vendor: id, Quota: n}}, nil
	})
}

func parseVendor(text string) (key.AccountID, error) {
	id, err := key.ParseAccountID(text)
	if err != nil {
		return id, usagef("VENDOR: %v", err)
	}
	return id, nil
}

func unhex(what, text string, into []byte) error {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(into) {
		return usagef("%s: want %d hex digits", what, 2*len(into))
	}
	copy(into, raw)
	return nil
}
