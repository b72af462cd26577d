package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// rotateKeys tells the whole new key set: keys that are not in it lose every
// right, whether the wallet knows of them or not.
func rotateKeys(p *tx.RotateKeys, before []tx.AccountKey) Summary {
	s := Summary{Title: "Replace the keys of the account", GivesRights: true}
	for _, k := range p.Keys {
		s.Lines = append(s.Lines, Line{change(k, before), fmt.Sprintf("%s: may %s", holder(k.Key), rights(k))})
	}
	for _, k := range before {
		if !slices.ContainsFunc(p.Keys, func(o tx.AccountKey) bool { return o.Key.Equal(k.Key) }) {
			s.Lines = append(s.Lines, Line{"removes", holder(k.Key) + ends(k.Rights)})
		}
	}
	s.Lines = append(s.Lines,
		Line{"all others", "lose every right, and the grants that they signed end"},
		Line{"needed", fmt.Sprintf("%d signature(s) per transaction", p.Threshold)},
		Line{"version", fmt.Sprintf("%d", p.Version)})
	return s
}

// change says in a word what happens to a key that stands in the account
// afterwards.
func change(k tx.AccountKey, before []tx.AccountKey) string {
	i := slices.IndexFunc(before, func(o tx.AccountKey) bool { return o.Key.Equal(k.Key) })
	switch {
	case before == nil:
		return "key"
	case i < 0:
		return "adds"
	case before[i].Rights != k.Rights:
		return "changes"
	default:
		return "keeps"
	}
}

// ends says what goes with a key.
func ends(r tx.Rights) string {
	if r&tx.RightAdmin == 0 {
		return ": can command nothing from the next block on"
	}
	return ": loses every right, and the grants that it signed end"
}

// holder names a key so that people know what holds it. A phone's key is named
// by its id, since its text is longer than a line.
func holder(p key.Public) string {
	switch p.Alg {
	case key.Passkey:
		r, err := p.Passkey()
		if err != nil {
			return fmt.Sprintf("the unreadable phone key %s", p.ID())
		}
		return fmt.Sprintf("the phone key %s (passkey for %s, used on %s)", p.ID(), r.RPID, strings.Join(r.Origins, ", "))
	case key.P256:
		return fmt.Sprintf("the browser key %s (%s)", p.ID(), p)
	default:
		return fmt.Sprintf("the key %s (%s)", p.ID(), p)
	}
}

func rights(k tx.AccountKey) string {
	var out []string
	if k.Rights&tx.RightAdmin != 0 {
		out = append(out, "sign for the account (give, transfer, rotate)")
	}
	if k.Rights&tx.RightInvoke != 0 {
		out = append(out, "command the devices (open doors)")
	}
	if rest := k.Rights &^ (tx.RightAdmin | tx.RightInvoke); rest != 0 {
		out = append(out, fmt.Sprintf("use unknown rights %#x", uint8(rest)))
	}
	text := strings.Join(out, " and ")
	if k.Rights&tx.RightAdmin == 0 {
		text += ", cannot give rights away"
	}
	return text
}
