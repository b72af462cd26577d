package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/did"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
)

func (a *App) didCommand() *cobra.Command {
	return group("did", "Decentralised identifiers of accounts and devices", a.didShow())
}

// didInfo is the JSON of a DID document that was derived here.
type didInfo struct {
	header
	DID      string          `json:"did"`
	Height   int64           `json:"height"` // of the verified header
	Signed   bool            `json:"signed"` // owners' signatures lead to these keys; of devices only the validators' word is shown
	Document json.RawMessage `json:"document"`
	Metadata did.Metadata    `json:"metadata"`
}

func (a *App) didShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show the document of a DID, an id, or a device by name", Args: cobra.ExactArgs(1),
		Long: `Show the DID document of an account or a device. It is made here, from the
record that the ledger proves; no resolver is asked.`,
		RunE: func(c *cobra.Command, args []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			s, err := w.session()
			if err != nil {
				return err
			}
			defer s.close()
			d, err := s.didOf(args[0])
			if err != nil {
				return err
			}
			ctx, cancel := a.bound(c.Context())
			defer cancel()
			_, v, err := s.ledger(ctx)
			if err != nil {
				return err
			}
			doc, out, err := s.showDID(v, d)
			if err != nil {
				return doing("read "+args[0], err)
			}
			return a.print(out, func(o io.Writer) { out.people(o, doc) })
		},
	}
}

// didOf reads what a person may call a subject.
func (s *session) didOf(text string) (did.DID, error) {
	if id, err := key.ParseAccountID(text); err == nil {
		return did.OfAccount(s.doc.ChainID, id)
	}
	if id, err := key.ParseDeviceID(text); err == nil {
		return did.OfDevice(s.doc.ChainID, id)
	}
	if !strings.HasPrefix(text, "did:") {
		d, err := s.home.FindDevice(text)
		if err != nil {
			return did.DID{}, doing("find the device", err)
		}
		return did.OfDevice(s.doc.ChainID, d.ID)
	}
	d, err := did.Parse(text)
	switch {
	case err != nil:
		return d, doing("read the DID", err)
	case d.Chain() != s.doc.ChainID:
		return d, fail(exitNotFound, "other_ledger", "use the folder that belongs to that ledger (--home)", "%s is of the ledger %s, this wallet follows %s", d, d.Chain(), s.doc.ChainID)
	}
	return d, nil
}

// showDID derives the document from the proven record. An account's keys are
// followed from its root, so that not even all validators could slip one in.
func (s *session) showDID(v View, d did.DID) (did.Document, didInfo, error) {
	account, isAccount := d.Account()
	if isAccount {
		if _, err := state.PinAccount(v, s.chain, account); err != nil {
			return did.Document{}, didInfo{}, err
		}
	}
	record, err := v.Get(d.RecordKey())
	if err != nil {
		return did.Document{}, didInfo{}, err
	}
	if record == nil {
		return did.Document{}, didInfo{}, &state.Error{Kind: state.NoDevice, Detail: d.String()}
	}
	height := v.Head().Height
	doc, meta, err := did.Derive(d, record, height-1) // a header commits to the state before it
	if err != nil {
		return did.Document{}, didInfo{}, err
	}
	return doc, didInfo{head("hos.did"), d.String(), height, isAccount, doc.Produce(did.TypeJSONLD), meta}, nil
}

func (i didInfo) people(w io.Writer, doc did.Document) {
	fmt.Fprintf(w, "did\t%s\n", i.DID)
	if doc.Controller != "" {
		fmt.Fprintf(w, "controller\t%s\n", doc.Controller)
	}
	for _, m := range doc.VerificationMethod {
		var may []string
		for _, r := range []struct {
			name string
			keys []string
		}{
			{"invoke", doc.CapabilityInvocation}, {"authenticate", doc.Authentication}, {"assert", doc.AssertionMethod},
			{"delegate", doc.CapabilityDelegation}, {"seal to", doc.KeyAgreement},
		} {
			for _, k := range r.keys {
				if k == m.ID {
					may = append(may, r.name)
				}
			}
		}
		fmt.Fprintf(w, "key\t%s  %s: %s\n", strings.TrimPrefix(m.ID, i.DID), m.Type, strings.Join(may, ", "))
	}
	word := "agreed by the validators"
	if i.Signed {
		word = "signed for by its owners"
	}
	fmt.Fprintf(w, "verified\tblock %d, %s\n", i.Height, word)
}
