package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// accountKeyInfo is the JSON about a key of an account.
type accountKeyInfo struct {
	ID      key.KeyID  `json:"id"`
	Key     key.Public `json:"key"`
	Alg     key.Alg    `json:"alg"`
	Rights  []string   `json:"rights"`  // admin, invoke
	RPID    string     `json:"rp_id"`   // of a passkey; else empty
	Origins []string   `json:"origins"` // of a passkey
	Label   string     `json:"label"`   // what a phone called itself when it was added here
	Mine    bool       `json:"mine"`    // this wallet holds it
}

type keyList struct {
	header
	Account    key.AccountID    `json:"account"`
	Height     int64            `json:"height"` // of the proof
	KeyVersion uint64           `json:"key_version"`
	Threshold  uint8            `json:"threshold"`
	Keys       []accountKeyInfo `json:"keys"`
}

func (a *App) keyList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the keys of your account on the ledger", Args: cobra.NoArgs,
		Long: "Shows every key that may act for your account, with its rights, as the account's\nown signatures give them. A phone that is lost: hos key revoke KEYID.",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSession(func(s *session) error { return s.listKeys(c.Context()) })
		},
	}
}

func (s *session) listKeys(ctx context.Context) error {
	const what = "list the keys"
	info, err := s.keys.Inspect()
	if err != nil {
		return doing("read the key file", err)
	}
	ctx, cancel := s.app.bound(ctx)
	defer cancel()
	_, v, err := s.ledger(ctx)
	if err != nil {
		return err
	}
	pin, err := state.PinAccount(v, s.chain, info.Account)
	if err != nil {
		return doing(what, err)
	}
	labels, err := s.phoneLabels()
	if err != nil {
		return doing(what, err)
	}
	out := keyList{head("hos.key.list"), info.Account, v.Head().Height, pin.Keys.Version, pin.Keys.Threshold, []accountKeyInfo{}}
	for _, k := range pin.Keys.Keys {
		i := accountKeyInfo{ID: k.Key.ID(), Key: k.Key, Alg: k.Key.Alg, Rights: rightWords(k.Rights), Origins: []string{},
			Label: labels[k.Key.ID()], Mine: k.Key.Equal(info.Active)}
		if r, err := k.Key.Passkey(); err == nil {
			i.RPID, i.Origins = r.RPID, r.Origins
		}
		out.Keys = append(out.Keys, i)
	}
	return s.app.print(out, func(o io.Writer) { out.people(o) })
}

func (s *session) phoneLabels() (map[key.KeyID]string, error) {
	list, err := s.home.Phones()
	out := make(map[key.KeyID]string, len(list))
	for _, p := range list {
		out[p.ID] = p.Label
	}
	return out, err
}

func rightWords(r tx.Rights) []string {
	out := []string{}
	if r&tx.RightAdmin != 0 {
		out = append(out, "admin")
	}
	if r&tx.RightInvoke != 0 {
		out = append(out, "invoke")
	}
	return out
}

func (l keyList) people(o io.Writer) {
	fmt.Fprintln(o, "KEY\tWHAT\tMAY\tWHERE")
	for _, k := range l.Keys {
		what := "wallet"
		switch {
		case k.Mine:
			what = "this wallet"
		case k.Alg == key.Passkey && k.Label != "":
			what = "phone " + clean(k.Label)
		case k.Alg == key.Passkey:
			what = "phone"
		case k.Alg == key.P256:
			what = "browser"
		}
		fmt.Fprintf(o, "%s\t%s\t%s\t%s\n", k.ID, what, strings.Join(k.Rights, ","), strings.Join(k.Origins, ","))
	}
}
