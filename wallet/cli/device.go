package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/wallet/home"
)

func (a *App) deviceCommand() *cobra.Command {
	return group("device", "Pair devices and see which you know",
		a.devicePair(), a.deviceList(), a.deviceRename(), a.deviceForget(),
		a.deviceRelease(), a.deviceLost(), a.deviceFound(),
		a.devicePolicy(), a.deviceAddresses())
}

// Owner states of a device, as shown.
const (
	ownerYou     = "you"
	ownerGuest   = "somebody else (you are a guest)"
	ownerOther   = "somebody else"
	ownerNobody  = "nobody"
	ownerUnasked = "not asked"

	saysLost   = ", reported lost"
	saysFrozen = ", account frozen"
)

// deviceInfo is the JSON about a device.
type deviceInfo struct {
	Name     string         `json:"name"`
	ID       key.DeviceID   `json:"id"`
	Key      key.Public     `json:"key"`
	Model    string         `json:"model"`
	Epoch    uint64         `json:"epoch"`
	Owner    *key.AccountID `json:"owner"`    // as proven; null if nobody, or not asked
	Owned    bool           `json:"owned"`    // by this wallet, as proven
	Guest    bool           `json:"guest"`    // known from an invitation
	Lost     bool           `json:"lost"`     // its owner has reported it lost, as proven
	Frozen   bool           `json:"frozen"`   // its owner's account is frozen, as proven
	Verified bool           `json:"verified"` // owner and epoch are proven by the ledger
	Addrs    []string       `json:"addrs"`

	says string
}

type deviceList struct {
	header
	Height  int64        `json:"height"` // of the proof; 0: the ledger was not asked
	Devices []deviceInfo `json:"devices"`
}

func localInfo(d home.Device) deviceInfo {
	return deviceInfo{Name: d.Name, ID: d.ID, Key: d.Key, Model: d.Model, Epoch: d.Epoch, Guest: d.Guest, Addrs: d.Addrs, says: ownerUnasked}
}

// prover tells what the ledger says about devices under one header.
type prover struct {
	view    state.View
	account key.AccountID // of the wallet
	frozen  map[key.AccountID]bool
}

func newProver(v state.View, account key.AccountID) *prover {
	return &prover{view: v, account: account, frozen: make(map[key.AccountID]bool)}
}

// device adds what the ledger says.
func (p *prover) device(d home.Device) (deviceInfo, error) {
	i := localInfo(d)
	r, err := state.GetDevice(p.view, d.ID)
	if errors.Is(err, state.NoDevice) {
		i.says = ownerNobody
		return i, nil
	}
	if err != nil {
		return i, err
	}
	i.Verified, i.Owner, i.Epoch, i.Lost = true, r.Owner, r.Epoch, r.Lost
	switch {
	case r.Owner == nil:
		i.says = ownerNobody
	case *r.Owner == p.account:
		i.Owned, i.says = true, ownerYou
	case d.Guest:
		i.says = ownerGuest
	default:
		i.says = ownerOther
	}
	if i.Lost {
		i.says += saysLost
	}
	if r.Owner == nil {
		return i, nil
	}
	if i.Frozen, err = p.isFrozen(*r.Owner); i.Frozen {
		i.says += saysFrozen
	}
	return i, err
}

// isFrozen reads an account once.
func (p *prover) isFrozen(id key.AccountID) (bool, error) {
	if f, ok := p.frozen[id]; ok {
		return f, nil
	}
	a, err := state.GetAccount(p.view, id)
	if err != nil {
		return false, err
	}
	p.frozen[id] = a.Frozen
	return a.Frozen, nil
}

func (a *App) deviceList() *cobra.Command {
	var offline bool
	c := &cobra.Command{
		Use: "list", Short: "List the devices that this wallet knows", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			devices, err := w.home.Devices()
			if err != nil {
				return doing("list the devices", err)
			}
			out := deviceList{header: head("hos.device.list"), Devices: []deviceInfo{}}
			for _, d := range devices {
				out.Devices = append(out.Devices, localInfo(d))
			}
			if !offline && len(devices) > 0 {
				if err := w.proveDevices(c.Context(), devices, &out); err != nil {
					return err
				}
			}
			return a.printDevices(out)
		},
	}
	c.Flags().BoolVar(&offline, "offline", false, "do not ask the ledger who owns them")
	return c
}

func (w *wallet) proveDevices(ctx context.Context, devices []home.Device, out *deviceList) error {
	s, err := w.session()
	if err != nil {
		return err
	}
	defer s.close()
	ctx, cancel := w.app.bound(ctx)
	defer cancel()
	_, v, err := s.ledger(ctx)
	if err != nil {
		return err
	}
	out.Height = v.Head().Height
	p := newProver(v, w.account())
	for i, d := range devices {
		if out.Devices[i], err = p.device(d); err != nil {
			return doing("read the record of "+d.Name, err)
		}
	}
	return nil
}

// account is the wallet's account, or none without a key.
func (w *wallet) account() key.AccountID {
	info, err := w.keys.Inspect()
	if err != nil {
		return key.AccountID{}
	}
	return info.Account
}

func (a *App) printDevices(out deviceList) error {
	return a.print(out, func(w io.Writer) {
		if len(out.Devices) == 0 {
			a.say("No device is known yet. Pair one: hos device pair CODE")
			return
		}
		fmt.Fprintln(w, "NAME\tMODEL\tOWNER\tEPOCH\tID")
		for _, d := range out.Devices {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", d.Name, clean(d.Model), d.says, d.Epoch, d.ID)
		}
	})
}

func (a *App) deviceRename() *cobra.Command {
	return &cobra.Command{
		Use: "rename DEVICE NAME", Short: "Call a device something else, in this wallet only", Args: cobra.ExactArgs(2),
		ValidArgsFunction: a.completeDevices,
		RunE: func(c *cobra.Command, args []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			d, err := w.home.FindDevice(args[0])
			if err != nil {
				return doing("find the device", err)
			}
			d.Name = args[1]
			if d, err = w.home.PutDevice(c.Context(), d); err != nil {
				return doing("rename the device", err)
			}
			return a.printDevices(deviceList{header: head("hos.device.list"), Devices: []deviceInfo{localInfo(d)}})
		},
	}
}

func (a *App) deviceForget() *cobra.Command {
	return &cobra.Command{
		Use: "forget DEVICE", Short: "Forget a device in this wallet; the ledger is not touched", Args: cobra.ExactArgs(1),
		ValidArgsFunction: a.completeDevices,
		RunE: func(c *cobra.Command, args []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			d, err := w.home.FindDevice(args[0])
			if err != nil {
				return doing("find the device", err)
			}
			if err := w.home.RemoveDevice(c.Context(), d.ID); err != nil {
				return doing("forget the device", err)
			}
			return a.printDevices(deviceList{header: head("hos.device.list"), Devices: []deviceInfo{localInfo(d)}})
		},
	}
}

// completeDevices offers the names of known devices to the shell.
func (a *App) completeDevices(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	w, err := a.wallet()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	devices, err := w.home.Devices()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []cobra.Completion
	for _, d := range devices {
		names = append(names, cobra.CompletionWithDesc(d.Name, d.Model))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
