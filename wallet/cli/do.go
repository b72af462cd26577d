package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
)

// doOptions are the flags of commands to devices.
type doOptions struct {
	params, paramsFile string
	grant              string
	receiptOut         string
	newLane, force     bool
	vouch              bool
	seal               sealOptions
}

func (o *doOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.grant, "grant", "", "grant to use, or the beginning of its id (default: yours, as owner or guest)")
	f.StringVar(&o.receiptOut, "receipt-out", "", "file to write the device's signed receipt to")
	f.BoolVar(&o.force, "force", false, "replace the file")
	f.BoolVar(&o.newLane, "new-lane", false, "begin numbering anew, after this folder was put back from an old copy")
	f.BoolVar(&o.vouch, "vouch", false, "give your word for the ledger's newest header to a device that was without news for two weeks")
	o.seal.flags(c)
}

func (a *App) doCommand() *cobra.Command {
	var o doOptions
	c := &cobra.Command{
		Use: "do DEVICE METHOD", Short: "Let a device do something", Args: cobra.ExactArgs(2),
		Long:              "Signs a command, sends it and prints the device's signed answer.",
		Example:           "  hos do front-door lock.state\n  hos do lamp light.set --params '{\"level\":40}'",
		ValidArgsFunction: a.completeDevices,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := draft.ParseMethod(args[1])
			if err != nil {
				return usage(err)
			}
			params, err := a.readParams(o)
			if err != nil {
				return err
			}
			return a.withSession(func(s *session) error { return s.do(c.Context(), args[0], m, params, o) })
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.params, "params", "", "parameters, JSON")
	c.Flags().StringVar(&o.paramsFile, "params-file", "", "file that holds the parameters, sent as they are; - for standard input")
	return c
}

func (a *App) doorCommand() *cobra.Command {
	verb := func(method, short string) *cobra.Command {
		var o doOptions
		c := &cobra.Command{
			Use: method + " [DEVICE]", Short: short, Args: cobra.MaximumNArgs(1),
			ValidArgsFunction: a.completeDevices,
			RunE: func(c *cobra.Command, args []string) error {
				device := ""
				if len(args) > 0 {
					device = args[0]
				}
				return a.withSession(func(s *session) error {
					return s.do(c.Context(), device, draft.Method{Endpoint: "lock", Name: method}, nil, o)
				})
			},
		}
		o.flags(c)
		return c
	}
	return group("door", "Open and lock doors",
		verb("open", "Open a door; without DEVICE, the only one"), verb("lock", "Lock a door"),
		verb("unlock", "Unlock a door"), verb("state", "Ask a door for its state"))
}

func (a *App) readParams(o doOptions) ([]byte, error) {
	switch {
	case o.params != "" && o.paramsFile != "":
		return nil, usagef("--params and --params-file exclude each other")
	case o.paramsFile != "":
		text, err := a.readText(o.paramsFile, command.MaxBytes)
		return []byte(text), err
	case o.params != "" && !json.Valid([]byte(o.params)):
		return nil, usagef("--params is not JSON; other bytes go through --params-file")
	default:
		return []byte(o.params), nil
	}
}

// receiptInfo is the JSON of a device's answer.
type receiptInfo struct {
	header
	Device   key.DeviceID `json:"device"`
	Name     string       `json:"name"`
	Endpoint string       `json:"endpoint"`
	Method   string       `json:"method"`
	Command  command.ID   `json:"command"`
	Grant    *tx.ID       `json:"grant"`
	Status   string       `json:"status"` // executed, rejected, deferred, unknown
	Code     string       `json:"code"`
	Counter  uint64       `json:"counter"`     // 0: the device did not persist the receipt
	Time     uint64       `json:"device_time"` // Unix milliseconds
	Epoch    uint64       `json:"epoch"`
	Height   uint64       `json:"height"` // the device's verified head
	Result   []byte       `json:"result"` // base64
	Text     string       `json:"text"`   // the result, if it is printable
}

func newReceiptInfo(name string, r *command.Receipt) receiptInfo {
	b := r.Body
	return receiptInfo{header: head("hos.receipt"), Device: b.Device, Name: name, Command: b.Command, Status: b.Status.String(),
		Code: b.Code.String(), Counter: b.Counter, Time: b.Time, Epoch: b.Epoch, Height: b.Height, Result: b.Result, Text: printableText(b.Result)}
}

// printableText gives a result as text, if it is one that cannot steer a
// terminal.
func printableText(b []byte) string {
	s := string(b)
	if !utf8.ValidString(s) || clean(s) != strings.NewReplacer("\n", " ", "\t", " ").Replace(s) {
		return ""
	}
	return s
}

func (i receiptInfo) people(w io.Writer, a *App) {
	status := i.Status
	if status == command.Executed.String() {
		status = a.green(status)
	}
	fmt.Fprintf(w, "%s: %s (%s)\n", i.Name, status, i.Code)
	if i.Text != "" {
		fmt.Fprintf(w, "result\t%s\n", i.Text)
	} else if len(i.Result) > 0 {
		fmt.Fprintf(w, "result\t%d bytes: %.64x\n", len(i.Result), i.Result)
	}
	fmt.Fprintf(w, "receipt\t%d\ndevice time\t%s\ncommand\t%s\n", i.Counter,
		time.UnixMilli(int64(i.Time)).UTC().Format("2006-01-02 15:04:05.000 UTC"), i.Command)
}

// do carries out one command and prints what the device says.
func (s *session) do(ctx context.Context, device string, m draft.Method, params []byte, o doOptions) error {
	t, err := s.target(device, m, o.grant)
	if err != nil {
		return err
	}
	if o.newLane {
		if err := s.home.NewLane(ctx, s.app.cfg.Random); err != nil {
			return doing("begin a new lane", err)
		}
	}
	r, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	defer r.Zero()
	if o.vouch {
		s.vouch = s.voucherFor(ctx, r, t)
	}
	if o.seal.wanted {
		return s.doSealed(ctx, r, t, m, params, o)
	}
	receipt, err := s.invoke(ctx, r, t, m, params)
	if err != nil {
		return doing("command "+t.name, err)
	}
	return s.told(t, m, receipt, o)
}

// told prints what the device says, and keeps it if that is wanted.
func (s *session) told(t target, m draft.Method, receipt *command.Receipt, o doOptions) error {
	info := newReceiptInfo(t.name, receipt)
	info.Endpoint, info.Method, info.Grant = m.Endpoint, m.Name, t.grant
	if o.receiptOut != "" {
		if err := writeFile(o.receiptOut, receipt.Bytes(), o.force); err != nil {
			return err
		}
	}
	if err := s.app.print(info, func(w io.Writer) { info.people(w, s.app) }); err != nil {
		return err
	}
	return outcome(receipt, t)
}

// outcome turns what the device says into an exit code.
func outcome(r *command.Receipt, t target) error {
	switch r.Body.Status {
	case command.Executed:
		return nil
	case command.Unknown:
		return fail(exitFailure, kindUnknown, "look at the device, then do it again",
			"%s has begun and does not know how it ended (%s)", t.name, r.Body.Code)
	case command.Deferred:
		// Whoever carried the command may have kept it, and the device takes it
		// until it has expired.
		return fail(exitRefused, kindRefused, advice(r.Body.Code), "%s refused for now: %s (%s); the command may still be carried out until it has expired",
			t.name, r.Body.Status, r.Body.Code)
	default:
		return fail(exitRefused, kindRefused, advice(r.Body.Code), "%s refused: %s (%s)", t.name, r.Body.Status, r.Body.Code)
	}
}

// advice says what can be done about a device's refusal.
func advice(c command.Code) string {
	switch c {
	case command.StaleEpoch:
		return "the device has changed hands; hos device list"
	case command.GrantRevoked, command.GrantExpired, command.NotGranted, command.UnknownGrant, command.ForgedGrant:
		return "ask the owner for a grant; hos grant list"
	case command.GrantNotYet:
		return "wait until the grant begins; hos grant list"
	case command.OutsideWindow:
		return "try at an hour at which the grant holds; hos grant list"
	case command.UsedUp:
		return "the grant's uses are spent; ask the owner for another"
	case command.GrantRate:
		return "the grant allows only so many in a time; hos grant list"
	case command.UnknownZone:
		return "ask the owner for a grant in a time zone that the device knows"
	case command.BadGrantBody:
		return "accept the invitation to the private grant again; hos grant accept INVITATION"
	case command.UnknownKey, command.NotAllowed:
		return "hos key show prints the key of this wallet; hos device list tells who owns the device"
	case command.Replayed, command.JumpTooFar:
		return "do it again; if this folder is an old copy, once with --new-lane"
	case command.Expired, command.NotYet, command.LifeTooLong:
		return "check the clock of this machine"
	case command.Stale:
		return "wait until the device has caught up with the ledger, then do it again"
	case command.RateLimited, command.TooManyLanes:
		return "wait a little, then do it again"
	case command.NoMethod:
		return "check the name of the method"
	case command.TooFewSigners:
		return "let another owner sign too: hos command sign DEVICE METHOD --out FILE"
	case command.NotSealed:
		return "have it sealed: hos do DEVICE METHOD --seal; hos seal show DEVICE COMMAND"
	case command.Superseded:
		return "something newer was done; look at the device, then do it again"
	case command.Cancelled:
		return "it was cancelled; do it again if it is still wanted"
	case command.TooLate:
		return "send the command again to see its receipt: hos command send FILE"
	case command.ExtraSigner:
		return "only keys of the owner that may invoke can sign along; hos key list"
	case command.BadEvidence:
		return "use another --node, then do it again"
	case command.AnchorExpired:
		return "the device was without news for two weeks; with --vouch you give your word for the ledger's newest header"
	case command.Untrusted:
		return "ask the operators of the ledger: the device sees rights that nobody signed"
	case command.WrongChain:
		return "use the folder that belongs to the device's ledger (--home)"
	default:
		return "do it again; hos watch shows the device's state"
	}
}

// errNoGrant is wrapped by refusals to send what no right covers.
var errNoGrant = errors.New("no grant of this wallet covers it")
