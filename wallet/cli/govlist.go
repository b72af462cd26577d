package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/explain"
)

// govInfo is the JSON of who runs the ledger.
type govInfo struct {
	header
	Height     int64           `json:"height"`
	Threshold  uint8           `json:"threshold"`
	Governors  []governorInfo  `json:"governors"`
	Validators []validatorInfo `json:"validators"`
	Proposals  []proposalInfo  `json:"proposals"` // open ones
}

type governorInfo struct {
	Name string        `json:"name"`
	ID   key.AccountID `json:"id"`
	Key  key.Public    `json:"key"`
}

type validatorInfo struct {
	Name  string `json:"name"`
	Key   string `json:"key"`
	Power uint64 `json:"power"`
}

type proposalInfo struct {
	ID        tx.ID           `json:"id"`
	Change    string          `json:"change"`
	Title     string          `json:"title"`
	Until     time.Time       `json:"until"`
	Approvals []key.AccountID `json:"approvals"`
	Lines     []explain.Line  `json:"signed"`
}

func (a *App) govList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Show governors, validators and open proposals", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSession(func(s *session) error { return s.govList(c.Context()) })
		},
	}
}

func (s *session) govList(ctx context.Context) error {
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	l, v, err := s.ledger(bounded)
	if err != nil {
		return err
	}
	out := govInfo{header: head("hos.gov.list"), Height: v.Head().Height, Governors: []governorInfo{}, Validators: []validatorInfo{}, Proposals: []proposalInfo{}}
	if err := out.read(l, s.deviceName); err != nil {
		return doing("read who governs", err)
	}
	return s.app.print(out, out.people)
}

func (g *govInfo) read(l draft.Ledger, names explain.Names) error {
	gov, err := state.GetGovernance(l.View)
	if err != nil {
		return err
	}
	g.Threshold = gov.Threshold
	for _, id := range gov.Governors {
		r, err := state.GetGovernor(l.View, id)
		if err != nil {
			return err
		}
		g.Governors = append(g.Governors, governorInfo{r.Name, id, r.Key})
	}
	set, err := state.GetValidatorSet(l.View)
	if err != nil {
		return err
	}
	for _, a := range set.Members {
		r, err := state.GetValidator(l.View, a)
		if err != nil {
			return err
		}
		g.Validators = append(g.Validators, validatorInfo{r.Name, r.Key.String(), r.Power})
	}
	for _, o := range gov.Open {
		if l.Now.Unix() >= int64(o.Until) {
			continue
		}
		p, err := readProposal(l, o.ID, names)
		if err != nil {
			return err
		}
		g.Proposals = append(g.Proposals, p)
	}
	return nil
}

func readProposal(l draft.Ledger, id tx.ID, names explain.Names) (proposalInfo, error) {
	r, t, err := l.Proposal(id)
	if err != nil {
		return proposalInfo{}, err
	}
	sum, err := explain.Tx(t, names)
	if err != nil {
		return proposalInfo{}, err
	}
	action, err := t.Payload.(*tx.Propose).Change.Action()
	if err != nil {
		return proposalInfo{}, err
	}
	return proposalInfo{ID: id, Change: action.Name(), Title: sum.Title, Until: time.Unix(int64(r.Until), 0).UTC(), Approvals: r.Approvals, Lines: sum.Lines}, nil
}

func (g *govInfo) people(o io.Writer) {
	fmt.Fprintf(o, "%d of %d governors decide\n", g.Threshold, len(g.Governors))
	for _, v := range g.Governors {
		fmt.Fprintf(o, "governor\t%s\t%s\n", clean(v.Name), v.ID)
	}
	for _, v := range g.Validators {
		fmt.Fprintf(o, "validator\t%s\t%s\n", clean(v.Name), v.Key)
	}
	if len(g.Proposals) == 0 {
		fmt.Fprintln(o, "no proposal is open")
	}
	for _, p := range g.Proposals {
		fmt.Fprintf(o, "proposal\t%s\t%s, %d of %d approvals, open until %s\n", p.ID, p.Change, len(p.Approvals), g.Threshold, p.Until.Format(time.DateTime+" UTC"))
		for _, l := range p.Lines {
			fmt.Fprintf(o, "  %s\t%s\n", l.Label, clean(l.Text))
		}
	}
}
