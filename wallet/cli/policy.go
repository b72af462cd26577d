package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
)

// policyFlags are those of hos device policy.
type policyFlags struct {
	methods []string
	class   string
	signers uint8
	asMade  bool
}

func (a *App) devicePolicy() *cobra.Command {
	var f policyFlags
	c := &cobra.Command{
		Use: "policy DEVICE", Short: "Show or set what a device of yours asks of commands", Args: cobra.ExactArgs(1),
		Long: "Without a --method it shows the policy. With one it sets the method's class: how old\nthe ledger's word may be when the device obeys (R0 a day, R1 an hour, R2 a minute, R3\nonly what is sealed in a block), and how many of your keys must sign the same command.\nNo class makes a device obey on an older word than its maker allows.",
		Example: `  hos device policy front-door
  hos device policy front-door --method lock.open --class R1
  hos device policy front-door --method lock.open --as-made`,
		ValidArgsFunction: a.completeDevices,
		RunE: func(c *cobra.Command, args []string) error {
			if len(f.methods) == 0 {
				if f.asMade || f.class != "" || f.signers != 0 {
					return usagef("--method is missing, for instance --method lock.open")
				}
				return a.showPolicy(c.Context(), args[0])
			}
			change, err := f.change()
			if err != nil {
				return err
			}
			return a.withSession(func(s *session) error { return s.setPolicy(c.Context(), args[0], change) })
		},
	}
	c.Flags().StringSliceVar(&f.methods, "method", nil, "method, such as lock.open (repeatable)")
	c.Flags().StringVar(&f.class, "class", "", "R0, R1, R2 or R3")
	c.Flags().Uint8Var(&f.signers, "signers", 0, "how many of your keys must sign (default 1)")
	c.Flags().BoolVar(&f.asMade, "as-made", false, "take back what was set for the method")
	return c
}

// change checks the flags and gives what they do to a policy.
func (f policyFlags) change() (func([]tx.MethodPolicy) []tx.MethodPolicy, error) {
	if f.asMade == (f.class != "") {
		return nil, usagef("want --class or --as-made, one of them")
	}
	var class tx.Freshness
	var err error
	if f.class != "" {
		if class, err = tx.ParseFreshness(f.class); err != nil {
			return nil, usagef("--class: %v", err)
		}
	}
	var set []tx.MethodPolicy
	for _, m := range f.methods {
		method, err := draft.ParseMethod(m)
		if err != nil {
			return nil, usagef("--method: %v", err)
		}
		set = append(set, tx.MethodPolicy{Endpoint: method.Endpoint, Method: method.Name, Class: class, Signers: max(1, f.signers)})
	}
	return func(rules []tx.MethodPolicy) []tx.MethodPolicy {
		for _, r := range set {
			rules = slices.DeleteFunc(rules, func(o tx.MethodPolicy) bool { return o.Endpoint == r.Endpoint && o.Method == r.Method })
			if !f.asMade {
				rules = append(rules, r)
			}
		}
		slices.SortFunc(rules, func(a, b tx.MethodPolicy) int {
			return cmp.Or(strings.Compare(a.Endpoint, b.Endpoint), strings.Compare(a.Method, b.Method))
		})
		return rules
	}, nil
}

// ownershipOf is a device's owner as the ledger proves it, with keys that are
// followed from the account's id.
func (s *session) ownershipOf(v state.View, id key.DeviceID) (state.Ownership, state.Device, error) {
	d, err := state.GetDevice(v, id)
	if err != nil {
		return state.Ownership{}, d, err
	}
	if d.Owner == nil {
		return state.Ownership{}, d, &state.Error{Kind: state.NotOwner, Detail: id.String() + " has no owner"}
	}
	pin, err := state.PinAccount(v, s.chain, *d.Owner)
	return state.Ownership{Device: id, Epoch: d.Epoch, Owner: pin}, d, err
}

// presentPolicy is the policy of a device's epoch, nil for none, and whether the
// owner's present keys signed it.
func (s *session) presentPolicy(v state.View, id key.DeviceID) (*tx.SetPolicy, bool, error) {
	own, d, err := s.ownershipOf(v, id)
	if err != nil || d.Policy == 0 {
		return nil, true, err
	}
	rec, err := state.GetPolicy(v, id)
	if err != nil {
		return nil, false, err
	}
	p, err := state.VerifyPolicy(s.chain, own, rec)
	if errors.Is(err, state.Forged) && p != nil {
		return p, false, nil
	}
	return p, err == nil, err
}

func (s *session) setPolicy(ctx context.Context, device string, change func([]tx.MethodPolicy) []tx.MethodPolicy) error {
	d, err := s.home.FindDevice(device)
	if err != nil {
		return doing("find the device", err)
	}
	return s.simple(ctx, "set the policy", d.Name+" has another policy", func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
		present, signed, err := s.presentPolicy(l.View, d.ID)
		if err != nil && !errors.Is(err, state.BadPolicy) {
			return nil, err
		}
		var rules []tx.MethodPolicy
		if present != nil && signed {
			rules = slices.Clone(present.Rules)
		} else if present != nil || err != nil {
			s.app.say("Your present keys did not sign the policy on the ledger; this one replaces it whole.")
		}
		return l.SetPolicy(p, d.ID, change(rules))
	})
}

// policyRule is the JSON of a rule.
type policyRule struct {
	Method  string `json:"method"` // endpoint.method
	Class   string `json:"class"`
	Signers uint8  `json:"signers"`
}

// policyInfo is the JSON about a device's policy.
type policyInfo struct {
	header
	Device key.DeviceID `json:"device"`
	Epoch  uint64       `json:"epoch"`
	Policy uint64       `json:"policy"` // version; 0: as made
	Signed bool         `json:"signed"` // by the owner's present keys; else it only narrows
	Rules  []policyRule `json:"rules"`
	Height int64        `json:"height"`
}

func (a *App) showPolicy(ctx context.Context, device string) error {
	return a.aboutProven(ctx, device, func(s *session, v View, id key.DeviceID) error {
		own, _, err := s.ownershipOf(v, id)
		if err != nil {
			return doing("read the device's record", err)
		}
		p, signed, err := s.presentPolicy(v, id)
		if err != nil {
			return doing("read the policy", err)
		}
		out := policyInfo{header: head("hos.policy"), Device: id, Epoch: own.Epoch, Signed: signed, Rules: []policyRule{}, Height: v.Head().Height}
		if p != nil {
			out.Policy = p.Version
			for _, r := range p.Rules {
				out.Rules = append(out.Rules, policyRule{r.Endpoint + "." + r.Method, r.Class.String(), r.Signers})
			}
		}
		return a.print(out, func(w io.Writer) {
			if len(out.Rules) == 0 {
				a.say("Every method is as the device's maker made it.")
				return
			}
			if !signed {
				a.say("Your present keys did not sign this policy: the device takes from it what is stricter. Set it again.")
			}
			fmt.Fprintln(w, "METHOD\tCLASS\tSIGNERS")
			for _, r := range out.Rules {
				fmt.Fprintf(w, "%s\t%s\t%d\n", r.Method, r.Class, r.Signers)
			}
		})
	})
}

// aboutProven runs f on a known device and the newest proven state.
func (a *App) aboutProven(ctx context.Context, device string, f func(*session, View, key.DeviceID) error) error {
	return a.withSession(func(s *session) error {
		d, err := s.home.FindDevice(device)
		if err != nil {
			return doing("find the device", err)
		}
		ctx, cancel := a.bound(ctx)
		defer cancel()
		_, v, err := s.ledger(ctx)
		if err != nil {
			return err
		}
		return f(s, v, d.ID)
	})
}
