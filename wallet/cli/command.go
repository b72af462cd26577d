package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/explain"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

func (a *App) commandCommand() *cobra.Command {
	return group("command", "Commands in files: sign them together, send them later, cancel them",
		a.commandSign(), a.commandCosign(), a.commandShow(), a.commandSend(), a.commandCancel())
}

// commandInfo is the JSON of a command in a file.
type commandInfo struct {
	header
	Command  command.ID   `json:"command"`
	Device   key.DeviceID `json:"device"`
	Endpoint string       `json:"endpoint"`
	Method   string       `json:"method"`
	Sealed   bool         `json:"sealed"` // runs only when it is sealed
	Signed   []key.KeyID  `json:"signed"`
	Expires  time.Time    `json:"expires"`
	Says     []detail     `json:"says"`
}

func (s *session) commandInfo(c *command.Command) commandInfo {
	b := &c.Body
	info := commandInfo{header: head("hos.command"), Command: c.ID(s.chain), Device: b.Device, Endpoint: b.Endpoint, Method: b.Method,
		Sealed: b.Notarised(), Expires: time.UnixMilli(int64(b.Expires)).UTC(), Says: explain.Command(c, s.deviceName).Lines}
	for _, sig := range c.Sigs {
		info.Signed = append(info.Signed, sig.Key)
	}
	return info
}

// printCommand tells which command stands in a file now.
func (s *session) printCommand(c *command.Command, sentence string) error {
	info := s.commandInfo(c)
	return s.app.print(info, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n", sentence)
		for _, l := range info.Says {
			fmt.Fprintf(w, "%s\t%s\n", l.Label, clean(l.Text))
		}
		fmt.Fprintf(w, "command\t%s\n", info.Command)
	})
}

func (a *App) commandSign() *cobra.Command {
	var o doOptions
	var out string
	var sealed bool
	c := &cobra.Command{
		Use: "sign DEVICE METHOD --out FILE", Short: "Sign a command and keep it in a file", Args: cobra.ExactArgs(2),
		Long:              "The file holds the very bytes that would be sent. They are good for a minute, which is\nenough for owners who sit together; with --sealed for a day, and then the ledger must have\nsealed the command before it runs: hos seal open DEVICE COMMAND.",
		Example:           "  hos command sign vault lock.open --out open.cmd\n  hos command cosign open.cmd        (another owner, on another machine)\n  hos command send open.cmd",
		ValidArgsFunction: a.completeDevices,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := draft.ParseMethod(args[1])
			if err != nil {
				return usage(err)
			}
			if out == "" {
				return usagef("--out FILE says where to keep it")
			}
			params, err := a.readParams(o)
			if err != nil {
				return err
			}
			return a.withSession(func(s *session) error { return s.signInto(c.Context(), args[0], m, params, o, sealed, out) })
		},
	}
	f := c.Flags()
	f.StringVar(&out, "out", "", "file to write the command to")
	f.BoolVar(&sealed, "sealed", false, "let it run only when the ledger has sealed it, within a day")
	f.BoolVar(&o.force, "force", false, "replace the file")
	f.StringVar(&o.grant, "grant", "", "grant to use, or the beginning of its id (default: yours, as owner or guest)")
	f.StringVar(&o.params, "params", "", "parameters, JSON")
	f.StringVar(&o.paramsFile, "params-file", "", "file that holds the parameters, sent as they are; - for standard input")
	return c
}

func (s *session) signInto(ctx context.Context, device string, m draft.Method, params []byte, o doOptions, sealed bool, out string) error {
	t, err := s.target(device, m, o.grant)
	if err != nil {
		return err
	}
	r, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	defer r.Zero()
	cmd, err := s.signCommand(ctx, r, t, m, params, sealed)
	if err != nil {
		return doing("sign the command", err)
	}
	if err := writeFile(out, cmd.Bytes(), o.force); err != nil {
		return err
	}
	return s.printCommand(cmd, "written to "+out)
}

// signCommand signs a command that is not sent at once.
func (s *session) signCommand(ctx context.Context, r *keystore.Ring, t target, m draft.Method, params []byte, sealed bool) (*command.Command, error) {
	caller, err := s.caller(ctx, r.Account(), r.Active(), t)
	if err != nil {
		return nil, err
	}
	call := s.call(t, m, params)
	call.Notarised = sealed
	return caller.Sign(call)
}

// inFile makes c a verb about the command in FILE.
func (a *App) inFile(c *cobra.Command, run func(context.Context, *session, *command.Command) error) *cobra.Command {
	c.Args = cobra.ExactArgs(1)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withSession(func(s *session) error {
			raw, err := a.readText(args[0], command.MaxBytes)
			if err != nil {
				return err
			}
			cmd, err := command.Decode([]byte(raw))
			if err != nil {
				return fail(exitInvalid, "bad_command", "use a file that hos command sign wrote", "%s holds no command: %w", args[0], err)
			}
			if cmd.Body.Chain != command.Prefix(s.chain) {
				return doing("read the command", &command.Error{Code: command.WrongChain, Detail: "it is for another ledger"})
			}
			return run(c.Context(), s, cmd)
		})
	}
	return c
}

func (a *App) commandShow() *cobra.Command {
	return a.inFile(&cobra.Command{Use: "show FILE", Short: "Say in words what a command in a file does"},
		func(_ context.Context, s *session, c *command.Command) error {
			return s.printCommand(c, explain.Command(c, s.deviceName).Title)
		})
}

func (a *App) commandCosign() *cobra.Command {
	var force bool
	var out string
	c := a.inFile(&cobra.Command{
		Use: "cosign FILE", Short: "Sign a command of another owner of the same account along",
		Long: "Says what the command does and asks before it signs. The file then has both signatures.",
	}, func(ctx context.Context, s *session, c *command.Command) error { return s.cosign(ctx, c, out, force) })
	c.Flags().StringVar(&out, "out", "", "file to write the result to")
	c.Flags().BoolVar(&force, "force", false, "replace the file")
	_ = c.MarkFlagRequired("out")
	return c
}

func (s *session) cosign(ctx context.Context, c *command.Command, out string, force bool) error {
	sum := explain.Command(c, s.deviceName)
	if err := s.app.tell(sum); err != nil {
		return err
	}
	if err := s.app.confirm(ctx, "Sign it?"); err != nil {
		return err
	}
	r, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	defer r.Zero()
	k, err := s.ownersKey(ctx, r, c)
	if err != nil {
		return doing("sign the command", err)
	}
	c.Sign(s.chain, k)
	if !c.Fits() {
		return doing("sign the command", &command.Error{Code: command.TooLarge, Detail: "there is no room for another signature"})
	}
	if err := writeFile(out, c.Bytes(), force); err != nil {
		return err
	}
	return s.printCommand(c, "written to "+out)
}

// ownersKey finds a key of this wallet that the owner's account lists, may
// invoke, and has not signed.
func (s *session) ownersKey(ctx context.Context, r *keystore.Ring, c *command.Command) (*key.Private, error) {
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	_, v, err := s.ledger(bounded)
	if err != nil {
		return nil, err
	}
	d, err := state.GetDevice(v, c.Body.Device)
	if err != nil {
		return nil, err
	}
	if d.Owner == nil {
		return nil, fail(exitDenied, "no_owner", "hos device list", "the device has no owner")
	}
	a, err := state.GetAccount(v, *d.Owner)
	if err != nil {
		return nil, err
	}
	signed := false
	for _, k := range a.KeySet.Keys {
		mine, ok := r.Find(k.Key.ID())
		if !ok || k.Rights&tx.RightInvoke == 0 {
			continue
		}
		if c.VerifyBy(s.chain, k.Key) != nil {
			return mine, nil
		}
		signed = true
	}
	if signed {
		return nil, fail(exitFailure, "signed_already", "let another owner sign", "this wallet has signed the command")
	}
	return nil, fail(exitDenied, "not_owner", "hos key list", "no key of this wallet may sign for the device's owner")
}

func (a *App) commandSend() *cobra.Command {
	var o doOptions
	c := a.inFile(&cobra.Command{
		Use: "send FILE", Short: "Send a command from a file, or ask again what became of it",
		Long: "A command that was sent before is not done again: its device gives the receipt of the\nfirst time.",
	}, func(ctx context.Context, s *session, c *command.Command) error { return s.sendFile(ctx, c, o) })
	c.Flags().StringVar(&o.receiptOut, "receipt-out", "", "file to write the device's signed receipt to")
	c.Flags().BoolVar(&o.force, "force", false, "replace the file")
	return c
}

func (s *session) sendFile(ctx context.Context, c *command.Command, o doOptions) error {
	d, err := s.home.FindDevice(c.Body.Device.String())
	if err != nil {
		return doing("find the device", err)
	}
	t := target{name: d.Name, id: d.ID, key: d.Key, addrs: d.Addrs, grant: c.Body.Grant}
	receipt, err := s.deliver(ctx, t, c)
	if err != nil {
		return err
	}
	return s.told(t, draft.Method{Endpoint: c.Body.Endpoint, Name: c.Body.Method}, receipt, o)
}

// deliver sends a finished command and waits for the answer.
func (s *session) deliver(ctx context.Context, t target, c *command.Command) (*command.Receipt, error) {
	ctx, cancel := s.app.bound(ctx)
	defer cancel()
	done := s.app.progress("waiting for " + t.name)
	defer done()
	receipt, err := s.sendUntilAnswered(ctx, t, c)
	return receipt, doing("command "+t.name, err)
}

func (a *App) commandCancel() *cobra.Command {
	return a.inFile(&cobra.Command{
		Use: "cancel FILE", Short: "Cancel a command that has not been begun",
		Long: "The device remembers the cancel for as long as the command would be good. The owner can\ncancel anybody's command, a guest its own.",
	}, func(ctx context.Context, s *session, c *command.Command) error {
		m := draft.Method{Endpoint: c.Body.Endpoint, Name: c.Body.Method}
		t, err := s.target(c.Body.Device.String(), m, grantText(c))
		if err != nil {
			return err
		}
		r, err := s.unlock(ctx)
		if err != nil {
			return err
		}
		defer r.Zero()
		caller, err := s.caller(ctx, r.Account(), r.Active(), t)
		if err != nil {
			return err
		}
		cancel, err := caller.Cancel(c)
		if err != nil {
			return doing("write the cancel", err)
		}
		receipt, err := s.deliver(ctx, t, cancel)
		if err != nil {
			return err
		}
		return s.told(t, m, receipt, doOptions{})
	})
}

// grantText is the grant that a command uses, as --grant takes it; the owner
// cancels as owner.
func grantText(c *command.Command) string {
	if c.Body.Grant == nil {
		return ""
	}
	return c.Body.Grant.String()
}
