package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func (a *App) govParams() *cobra.Command {
	p := state.DefaultQuota()
	period := time.Duration(p.Period) * time.Second
	c := &cobra.Command{
		Use: "params", Short: "Set how much every account may write", Args: cobra.NoArgs,
		Long: "In each period an account may write base transactions, and per-device more for each\ndevice that it owns. What is not given here becomes the default. hos gov show tells\nwhat is in force.",
	}
	c.Flags().Uint64Var(&p.Base, "base", p.Base, "transactions of every account in a period")
	c.Flags().Uint64Var(&p.PerDevice, "per-device", p.PerDevice, "more for each device that it owns")
	c.Flags().DurationVar(&period, "period", period, "length of a period, whole seconds, 1m to 720h")
	return a.proposal(c, func([]string) (ch tx.Change, err error) {
		if period < 0 || period%time.Second != 0 {
			return ch, usagef("--period: want whole seconds")
		}
		return tx.Change{SetParams: &tx.SetParams{Base: p.Base, PerDevice: p.PerDevice, Period: uint64(period / time.Second)}}, nil
	})
}

func (a *App) govUpgrade() *cobra.Command {
	var height uint64
	var hashes []string
	var url string
	c := &cobra.Command{
		Use: "upgrade NAME", Short: "Schedule another hosd for the blocks from a height on", Args: cobra.ExactArgs(1),
		Long: "Every node whose hosd has none of the given hashes halts before that block and says\nso; its operator puts the right one in place and starts it. Leave operators days.",
	}
	c.Flags().Uint64Var(&height, "height", 0, "the first block for the new hosd, at least 10 ahead of the last approval")
	c.Flags().StringSliceVar(&hashes, "hash", nil, "SHA-256 of the new hosd, 64 hex digits (repeatable: one for each platform)")
	c.Flags().StringVar(&url, "url", "", "where operators find it, https://…")
	return a.proposal(c, func(args []string) (ch tx.Change, err error) {
		u := &tx.ScheduleUpgrade{Upgrade: args[0], Height: height, URL: url}
		for _, text := range hashes {
			var h [32]byte
			if err := unhex("--hash", text, h[:]); err != nil {
				return ch, err
			}
			u.Hashes = append(u.Hashes, h)
		}
		slices.SortFunc(u.Hashes, func(x, y [32]byte) int { return bytes.Compare(x[:], y[:]) })
		return tx.Change{ScheduleUpgrade: u}, nil
	})
}

func (a *App) govCancelUpgrade() *cobra.Command {
	c := &cobra.Command{Use: "cancel-upgrade NAME", Short: "Take an upgrade off the schedule", Args: cobra.ExactArgs(1)}
	return a.proposal(c, func(args []string) (tx.Change, error) {
		return tx.Change{CancelUpgrade: &tx.CancelUpgrade{Upgrade: args[0]}}, nil
	})
}

func (a *App) govGovernors() *cobra.Command {
	var members []string
	var threshold uint8
	c := &cobra.Command{
		Use: "governors", Short: "Replace the governors and their threshold", Args: cobra.NoArgs,
		Long: "Name everybody who shall govern, also those who do already. Who does not yet gives key\nand proof with 'hos gov prove'. All open proposals end with the change.",
	}
	c.Flags().StringArrayVar(&members, "governor", nil, "name=NAME,key=hospub1…[,proof=HEX] (repeatable)")
	c.Flags().Uint8Var(&threshold, "threshold", 0, "how many of them must approve a change")
	return a.proposal(c, func([]string) (ch tx.Change, err error) {
		set := &tx.SetGovernors{Threshold: threshold}
		for _, text := range members {
			g, err := parseGovernor(text)
			if err != nil {
				return ch, err
			}
			set.Governors = append(set.Governors, g)
		}
		return tx.Change{SetGovernors: set}, nil
	})
}

func parseGovernor(text string) (g tx.NewGovernor, err error) {
	for _, part := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "name":
			g.GovernorName = value
		case "key":
			if g.Key, err = key.ParsePublic(value); err != nil {
				return g, usagef("--governor: key: %v", err)
			}
		case "proof":
			g.Proof = make(key.Signature, 64)
			if err := unhex("--governor: proof", value, g.Proof); err != nil {
				return g, err
			}
		default:
			return g, usagef("--governor: %q is none of name=, key= and proof=", part)
		}
	}
	return g, nil
}

// governorProof is the JSON of what somebody hands in to become a governor.
type governorProof struct {
	header
	Key   key.Public `json:"key"`
	Proof string     `json:"proof"` // hex
}

func (a *App) govProve() *cobra.Command {
	var keyFile string
	c := &cobra.Command{
		Use: "prove", Short: "Print the proof that you hold a key, to become a governor with it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSession(func(s *session) error { return s.govProve(c.Context(), keyFile) })
		},
	}
	keyFileFlag(c, &keyFile)
	return c
}

func (s *session) govProve(ctx context.Context, keyFile string) error {
	r, err := s.unlockGovernor(ctx, keyFile)
	if err != nil {
		return err
	}
	defer r.Zero()
	k := r.Active()
	proof := k.Sign(tx.GovernorDigest(s.chain, k.Public()))
	out := governorProof{header: head("hos.gov.prove"), Key: k.Public(), Proof: hex.EncodeToString(proof)}
	return s.app.print(out, func(o io.Writer) { fmt.Fprintf(o, "key=%s,proof=%s\n", out.Key, out.Proof) })
}

// settingsInfo is the JSON of the ledger's own settings.
type settingsInfo struct {
	header
	Height  int64         `json:"height"`
	Quota   quotaInfo     `json:"quota"`
	Rules   uint64        `json:"rules"` // version in force
	Upgrade *upgradeInfo  `json:"upgrade,omitempty"`
	Done    []doneUpgrade `json:"done"` // upgrades of before
}

type quotaInfo struct {
	Base      uint64 `json:"base"`
	PerDevice uint64 `json:"per_device"`
	Period    uint64 `json:"period"` // seconds
}

type upgradeInfo struct {
	Name   string   `json:"name"`
	Height int64    `json:"height"`
	Hashes []string `json:"hashes"`
	URL    string   `json:"url,omitempty"`
}

type doneUpgrade struct {
	Name   string `json:"name"`
	Height int64  `json:"height"`
}

func (a *App) govShow() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show quotas and upgrades", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSession(func(s *session) error { return s.govShow(c.Context()) })
		},
	}
}

func (s *session) govShow(ctx context.Context) error {
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	_, v, err := s.ledger(bounded)
	if err != nil {
		return err
	}
	out := settingsInfo{header: head("hos.gov.show"), Height: v.Head().Height, Done: []doneUpgrade{}}
	if err := out.read(v); err != nil {
		return doing("read the ledger's settings", err)
	}
	return s.app.print(out, out.people)
}

func (i *settingsInfo) read(v state.View) error {
	p, err := state.GetParams(v)
	if err != nil {
		return err
	}
	q := p.AccountQuota()
	i.Quota = quotaInfo{q.Base, q.PerDevice, q.Period}
	u, err := state.GetUpgrades(v)
	if err != nil {
		return err
	}
	i.Rules = u.Rules(i.Height)
	for _, d := range u.Done {
		i.Done = append(i.Done, doneUpgrade{d.Name, d.Height})
	}
	next := u.Pending(i.Height)
	switch {
	case next != nil:
		i.Upgrade = &upgradeInfo{Name: next.Name, Height: next.Height, URL: next.URL}
		for _, h := range next.Hashes {
			i.Upgrade.Hashes = append(i.Upgrade.Hashes, hex.EncodeToString(h[:]))
		}
	case u.Next != nil:
		i.Done = append(i.Done, doneUpgrade{u.Next.Name, u.Next.Height})
	}
	return nil
}

func (i *settingsInfo) people(o io.Writer) {
	fmt.Fprintf(o, "an account may write\t%d transactions, and %d for each device, in %s\n", i.Quota.Base, i.Quota.PerDevice, time.Duration(i.Quota.Period)*time.Second)
	fmt.Fprintf(o, "rules\tversion %d at height %d\n", i.Rules, i.Height)
	for _, d := range i.Done {
		fmt.Fprintf(o, "upgraded\t%s at height %d\n", clean(d.Name), d.Height)
	}
	if i.Upgrade == nil {
		fmt.Fprintln(o, "no upgrade is to come")
		return
	}
	fmt.Fprintf(o, "upgrade\t%s at height %s\n", clean(i.Upgrade.Name), strconv.FormatInt(i.Upgrade.Height, 10))
	for _, h := range i.Upgrade.Hashes {
		fmt.Fprintf(o, "  program\tSHA-256 %s\n", h)
	}
	if i.Upgrade.URL != "" {
		fmt.Fprintf(o, "  from\t%s\n", clean(i.Upgrade.URL))
	}
}
