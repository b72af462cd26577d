package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/audit"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// auditOptions are the flags of an audit.
type auditOptions struct {
	from           uint64
	export, verify string
	anchor, force  bool
}

func (a *App) auditCommand() *cobra.Command {
	var o auditOptions
	c := &cobra.Command{
		Use: "audit [DEVICE]", Short: "Check everything that a device has done, and who asked for it", Args: cobra.MaximumNArgs(1),
		Long: `Fetches the receipts that a device keeps, with the commands that they answer, and
holds them against the ledger: that none is missing, added or changed, and by what
right each command was given. With --export, a file is written that anybody can check
who has the genesis document and nothing else:

  hos audit --verify FILE --genesis genesis.json`,
		Example:           "  hos audit front-door\n  hos audit front-door --export march.audit\n  hos audit front-door --anchor",
		ValidArgsFunction: a.completeDevices,
		RunE: func(c *cobra.Command, args []string) error {
			if o.verify != "" {
				if len(args) > 0 || o.export != "" || o.anchor {
					return usagef("--verify checks a file and nothing else")
				}
				return a.verifyAudit(c.Context(), o.verify)
			}
			return a.withSession(func(s *session) error { return s.audit(c.Context(), strings.Join(args, ""), o) })
		},
	}
	f := c.Flags()
	f.Uint64Var(&o.from, "from", 1, "counter of the first receipt that is wanted")
	f.StringVar(&o.export, "export", "", "file to write the audit to, for somebody else to check")
	f.StringVar(&o.verify, "verify", "", "file that --export wrote, to be checked without a network")
	f.BoolVar(&o.anchor, "anchor", false, "anchor the last receipt on the ledger, which the device signs too")
	f.BoolVar(&o.force, "force", false, "replace the file")
	return c
}

// auditRow is the JSON of one receipt of an audit.
type auditRow struct {
	header
	Counter  uint64        `json:"counter"`
	Time     uint64        `json:"device_time"` // Unix milliseconds
	Epoch    uint64        `json:"epoch"`
	Status   string        `json:"status"`
	Code     string        `json:"code"`
	Command  command.ID    `json:"command"`
	Endpoint string        `json:"endpoint"`
	Method   string        `json:"method"`
	Signers  []auditSigner `json:"signers"`
	Flags    []audit.Flag  `json:"flags"` // what is wrong with it; empty if nothing is
}

type auditSigner struct {
	Key   key.KeyID `json:"key"`
	Right string    `json:"right"` // owner, or grant and its id
}

// auditEnd is the JSON of what an audit comes to, the last line of it.
type auditEnd struct {
	header
	Device   key.DeviceID `json:"device"`
	Receipts int          `json:"receipts"`
	Flagged  int          `json:"flagged"`
	Anchored uint64       `json:"anchored"` // counter of the newest anchor; 0: none
	Height   int64        `json:"height"`   // of the header under which the ledger was read
	Hash     string       `json:"hash"`
	Block    time.Time    `json:"block_time"`
}

func rowOf(r audit.Row) auditRow {
	row := auditRow{header: head("hos.audit.receipt"), Signers: []auditSigner{}, Flags: append([]audit.Flag{}, r.Flags...)}
	if r.Receipt != nil {
		b := r.Receipt.Body
		row.Counter, row.Time, row.Epoch, row.Command = b.Counter, b.Time, b.Epoch, b.Command
		row.Status, row.Code = b.Status.String(), b.Code.String()
	}
	if r.Command != nil {
		row.Endpoint, row.Method = r.Command.Body.Endpoint, r.Command.Body.Method
	}
	for _, s := range r.Signers {
		right := "owner"
		if s.Grant != nil {
			right = "grant " + s.Grant.String()
		}
		row.Signers = append(row.Signers, auditSigner{s.Key, right})
	}
	return row
}

// print writes a row for people.
func (r auditRow) print(w io.Writer) {
	var who []string
	for _, s := range r.Signers {
		who = append(who, fmt.Sprintf("%.16s (%.14s)", s.Key, s.Right))
	}
	said := r.Status
	if r.Code != command.OK.String() {
		said += " " + r.Code
	}
	wrong := ""
	for _, f := range r.Flags {
		wrong += " " + strings.ToUpper(string(f))
	}
	fmt.Fprintf(w, "%d\t%s\t%s.%s\t%s\t%s%s\n", r.Counter, time.UnixMilli(int64(r.Time)).UTC().Format("2006-01-02 15:04:05"), r.Endpoint, r.Method,
		strings.Join(who, ", "), said, wrong)
}

// audit fetches, checks and, if that is wanted, keeps and anchors.
func (s *session) audit(ctx context.Context, device string, o auditOptions) error {
	d, err := s.home.FindDevice(device)
	if err != nil {
		return doing("find the device", err)
	}
	t := target{name: d.Name, id: d.ID, key: d.Key, addrs: d.Addrs, epoch: d.Epoch}
	r, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	defer r.Zero()
	entries, err := s.trail(ctx, r, t, o.from)
	if err != nil {
		return err
	}
	if o.export != "" {
		if err := s.exportAudit(ctx, t, entries, o); err != nil {
			return err
		}
	}
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	_, v, err := s.ledger(bounded)
	if err != nil {
		return err
	}
	h, err := audit.Read(v, s.chain, t.id, entries)
	if err != nil {
		return doing("read the device's history", err)
	}
	last, err := s.app.showAudit(audit.NewChecker(s.chain, t.key, h), h, t.id, entries, v.Head())
	if err != nil || !o.anchor {
		return err
	}
	return s.anchorTrail(ctx, r, t, last)
}

// trail fetches what the device keeps.
func (s *session) trail(ctx context.Context, r *keystore.Ring, t target, from uint64) ([][]byte, error) {
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	done := s.app.progress("fetching the receipts of " + t.name)
	defer done()
	cmd, err := s.signCommand(bounded, r, t, ownMethod("receipts"), s.net.TrailRequest(from), false)
	if err != nil {
		return nil, doing("write the command", err)
	}
	receipt, entries, err := s.net.Trail(bounded, t.key, t.addrs, cmd)
	if err != nil {
		return nil, doing("fetch the receipts", err)
	}
	return entries, outcome(receipt, t)
}

func ownMethod(name string) draft.Method { return draft.Method{Endpoint: "device", Name: name} }

// exportAudit writes the file.
func (s *session) exportAudit(ctx context.Context, t target, entries [][]byte, o auditOptions) error {
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	done := s.app.progress("gathering proofs")
	defer done()
	f, err := s.net.Audited(bounded, t.key, t.addrs, entries)
	if err != nil {
		return doing("gather the proofs", err)
	}
	var b bytes.Buffer
	if err := f.Write(&b, s.chain); err != nil {
		return err
	}
	return writeFile(o.export, b.Bytes(), o.force)
}

// showAudit prints each row and what it comes to. Anything that is wrong makes it
// fail.
func (a *App) showAudit(c *audit.Checker, h *audit.History, device key.DeviceID, entries [][]byte, at light.Head) (*command.Receipt, error) {
	end := auditEnd{header: head("hos.audit"), Device: device, Receipts: len(entries), Height: at.Height, Hash: fmt.Sprintf("%x", at.Hash), Block: at.Time.UTC()}
	var last *command.Receipt
	var rows []auditRow
	anchored := h.Anchor == nil
	for _, raw := range entries {
		r := c.Next(raw)
		if n, hash := c.Last(); h.Anchor != nil && n == h.Anchor.Counter && hash == h.Anchor.Head {
			anchored = true
		}
		if len(r.Flags) > 0 {
			end.Flagged++
		}
		last = r.Receipt
		rows = append(rows, rowOf(r))
	}
	if h.Anchor != nil {
		end.Anchored = h.Anchor.Counter
		first, _ := firstCounter(rows)
		anchored = anchored || h.Anchor.Counter < first // what it covers is gone
	}
	if err := a.printAudit(rows, end); err != nil {
		return last, err
	}
	switch {
	case end.Flagged > 0:
		return last, fail(exitInvalid, "audit_failed", "docs/spec/audit.md says what each word means", "%d of %d receipts are not in order", end.Flagged, end.Receipts)
	case !anchored:
		return last, fail(exitInvalid, "anchor_broken", "the device has another past than the one that it anchored", "the anchor at receipt %d does not fit", end.Anchored)
	}
	return last, nil
}

func firstCounter(rows []auditRow) (uint64, bool) {
	if len(rows) == 0 {
		return 0, false
	}
	return rows[0].Counter, true
}

func (a *App) printAudit(rows []auditRow, end auditEnd) error {
	if a.opts.json {
		for _, r := range rows {
			if err := a.line(r); err != nil {
				return err
			}
		}
		return a.line(end)
	}
	return a.print(end, func(w io.Writer) {
		fmt.Fprintf(w, "RECEIPT\tDEVICE TIME (UTC)\tMETHOD\tSIGNED BY\tOUTCOME\n")
		for _, r := range rows {
			r.print(w)
		}
		fmt.Fprintf(w, "\n%d receipts, %d not in order; anchored up to %d; ledger at block %d of %s, %s\n", end.Receipts, end.Flagged, end.Anchored,
			end.Height, end.Block.Format(time.RFC3339), end.Hash)
	})
}

// verifyAudit checks a file with nothing but the genesis document.
func (a *App) verifyAudit(ctx context.Context, path string) error {
	w, err := a.wallet()
	if err != nil {
		return err
	}
	doc, err := w.genesis()
	if err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return doing("read the audit", err)
	}
	defer in.Close()
	f, err := audit.ReadFile(in, doc.Chain())
	if err != nil {
		return doing("read the audit", err)
	}
	h, at, err := f.History(ctx, doc, a.cfg.Now)
	if err != nil {
		return doing("verify the audit", err)
	}
	_, err = a.showAudit(audit.NewChecker(doc.Chain(), h.Device.Key, h), h, f.Device, f.Entries, at)
	return err
}
