package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/explain"
)

// committed is a transaction that the ledger has taken.
type committed struct {
	tx     *tx.Tx
	id     tx.ID
	height int64
	view   View // in which it has taken effect
}

// attempts is how often a transaction is built again when another one of the
// same account came first.
const attempts = 3

// commit drafts a transaction, shows it, asks if rights are given, submits it
// and waits until its effect is proven.
func (s *session) commit(ctx context.Context, what string, build func(draft.Ledger) (*tx.Tx, error)) (committed, error) {
	return s.commitShown(ctx, what, build, manner{question: signAndSend})
}

// signAndSend is what is asked before rights are given.
const signAndSend = "Sign and send?"

// manner is how a commit goes about it.
type manner struct {
	question string // to ask; empty: the person has seen and approved the transaction already
	sending  func() // if set, called before anything is sent
}

// commitShown is commit in another manner.
func (s *session) commitShown(ctx context.Context, what string, build func(draft.Ledger) (*tx.Tx, error), how manner) (committed, error) {
	for n := 1; ; n++ {
		c, err := s.commitOnce(ctx, what, build, how)
		how.question = ""
		again := errors.Is(err, state.BadSequence)
		if k, ok := ledgerKind(err); ok {
			again = k == state.BadSequence
		}
		if !again || n == attempts {
			return c, err
		}
	}
}

func (s *session) commitOnce(ctx context.Context, what string, build func(draft.Ledger) (*tx.Tx, error), how manner) (committed, error) {
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	l, v, err := s.ledger(bounded)
	if err != nil {
		return committed{}, err
	}
	t, err := build(l)
	if err != nil {
		return committed{}, doing(what, err)
	}
	if err := l.Rehearse(t); err != nil {
		return committed{}, doing(what, err)
	}
	if how.question != "" {
		// Reading takes the time that it takes.
		if err := s.showAndAsk(ctx, v, t, how.question); err != nil {
			return committed{}, err
		}
	}
	if how.sending != nil {
		how.sending()
	}
	return s.submit(ctx, what, t)
}

// submit sends a complete transaction and waits until a proof shows that it
// has taken effect: the node's word alone is not believed.
func (s *session) submit(ctx context.Context, what string, t *tx.Tx) (committed, error) {
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	done := s.app.progress("waiting for the block")
	defer done()
	c := committed{tx: t, id: t.ID(s.chain)}
	var err error
	if c.height, err = s.net.Submit(bounded, t); err != nil {
		return c, doing(what, err)
	}
	if _, err = s.net.ViewAfter(bounded, c.height); err != nil {
		return c, doing(what+" for sure", err)
	}
	// A view ends with its context, and the caller reads on.
	if c.view, err = s.net.View(ctx); err != nil {
		return c, doing(what+" for sure", err)
	}
	return c, doing(what, tookEffect(c.view, t))
}

// tookEffect checks that the acting account has moved past the transaction's
// number.
func tookEffect(v state.View, t *tx.Tx) error {
	next := uint64(0)
	switch t.Body.Kind {
	case tx.KindRegisterDevice, tx.KindRegisterBatch:
		r, err := state.GetVendor(v, t.Body.Account)
		if err != nil {
			return err
		}
		next = r.Sequence
	case tx.KindDelegateGrant:
		r, err := state.GetGrant(v, t.Payload.(*tx.DelegateGrant).Parent)
		if err != nil {
			return err
		}
		next = r.Next
	case tx.KindPropose, tx.KindApprove:
		r, err := state.GetGovernor(v, t.Body.Account)
		if err != nil {
			return err
		}
		next = r.Sequence
	case tx.KindPublishRelease, tx.KindRevokeRelease, tx.KindPublishApp, tx.KindRevokeApp, tx.KindRotateVendorKeys:
		r, err := state.GetVendor(v, t.Body.Account)
		if err != nil {
			return err
		}
		next = r.Sequence
	default:
		r, err := state.GetAccount(v, t.Body.Account)
		if err != nil {
			return err
		}
		next = r.Sequence
	}
	if next <= t.Body.Sequence {
		return fail(exitInvalid, "not_committed", "use another --node", "the node says that the transaction was committed, the ledger does not")
	}
	return nil
}

// showAndAsk says in words what is signed; nothing that has no words goes out.
// A change of keys is told as what it changes in the state of v.
func (s *session) showAndAsk(ctx context.Context, v state.View, t *tx.Tx, question string) error {
	var before []tx.AccountKey
	if t.Body.Kind == tx.KindRotateKeys {
		a, err := state.GetAccount(v, t.Body.Account)
		if err != nil {
			return err
		}
		before = a.KeySet.Keys
	}
	sum, err := explain.Change(t, before, s.deviceName)
	if err == nil {
		err = s.app.tell(sum)
	}
	if err != nil || !sum.GivesRights {
		return err
	}
	return s.app.confirm(ctx, question)
}

// show says in words what a transaction does.
func (a *App) show(t *tx.Tx, names explain.Names) (explain.Summary, error) {
	sum, err := explain.Tx(t, names)
	if err != nil {
		return sum, err
	}
	return sum, a.tell(sum)
}

func (a *App) tell(sum explain.Summary) error {
	if a.opts.quiet {
		return nil
	}
	fmt.Fprintf(a.cfg.Err, "%s\n", sum.Title)
	w := tabwriter.NewWriter(a.cfg.Err, 0, 0, 2, ' ', 0)
	for _, l := range sum.Lines {
		fmt.Fprintf(w, "  %s\t%s\n", l.Label, clean(l.Text))
	}
	return w.Flush()
}

// txResult is the JSON of a committed transaction.
type txResult struct {
	header
	Kind    string        `json:"kind"`
	ID      tx.ID         `json:"id"`
	Account key.AccountID `json:"account"`
	Height  int64         `json:"height"`
	Lines   []detail      `json:"signed"`
}

type detail = explain.Line

func (s *session) result(c committed) (txResult, error) {
	sum, err := explain.Tx(c.tx, s.deviceName)
	return txResult{header: head("hos.tx"), Kind: c.tx.Body.Kind.String(), ID: c.id, Account: c.tx.Body.Account,
		Height: c.height, Lines: sum.Lines}, err
}

// printTx prints a committed transaction with a sentence for people.
func (s *session) printTx(c committed, sentence string) error {
	r, err := s.result(c)
	if err != nil {
		return err
	}
	return s.app.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n", sentence)
		fmt.Fprintf(w, "transaction\t%s\nblock\t%d\n", c.id, c.height)
	})
}
