// Package explain says in words what a transaction does, so that an owner
// knows what is signed.
//
// It judges nothing and shows nothing that is not in the signed bytes: it
// decodes them again rather than trust what the builder meant. Callers use Tx.
//
// For a change of keys, Change also tells what is new about it, from the key set
// that the caller has proven.
//
// What must never change: a transaction that cannot be said in words is
// refused, never signed in the dark.
package explain

import (
	"errors"
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// ErrUnknown means that there are no words for a transaction.
var ErrUnknown = errors.New("this wallet cannot say what the transaction does, and does not sign it")

// Line is one fact about a transaction.
type Line struct {
	Label string `json:"label"`
	Text  string `json:"text"`
}

// Names gives the names that the wallet has for devices; empty for unknown.
type Names func(key.DeviceID) string

// Summary is a transaction in words.
type Summary struct {
	Title       string
	Lines       []Line
	GivesRights bool // somebody can do more afterwards, or the signer less
}

// Tx puts the signed bytes of t into words.
func Tx(t *tx.Tx, names Names) (Summary, error) { return Change(t, nil, names) }

// Change is Tx; a change of keys is told as what it adds, removes and keeps of
// the account's keys before it, if these are not nil.
func Change(t *tx.Tx, before []tx.AccountKey, names Names) (Summary, error) {
	// A transaction without its last signature has no envelope that Decode
	// takes, so the body's payload is read again here.
	s, err := payload(t.Body, before, names)
	if err != nil {
		return s, err
	}
	s.Lines = append(s.Lines,
		Line{"signed as", t.Body.Account.String()},
		Line{"number", fmt.Sprintf("%d, void after %s", t.Body.Sequence, moment(t.Body.Expires))})
	return s, nil
}

func payload(b tx.Body, before []tx.AccountKey, names Names) (Summary, error) {
	switch b.Kind {
	case tx.KindRegisterDevice:
		return words(b, func(p *tx.RegisterDevice) Summary { return registerDevice(p) })
	case tx.KindClaim:
		return words(b, func(p *tx.Claim) Summary { return claim(p, names) })
	case tx.KindTransfer:
		return words(b, func(p *tx.Transfer) Summary { return transfer(p, names) })
	case tx.KindRotateKeys:
		return words(b, func(p *tx.RotateKeys) Summary { return rotateKeys(p, before) })
	case tx.KindCreateGrant:
		return words(b, func(p *tx.CreateGrant) Summary { return createGrant(p, names) })
	case tx.KindRevokeGrant:
		return words(b, func(p *tx.RevokeGrant) Summary { return revokeGrant(p) })
	case tx.KindPropose:
		s, err := words(b, func(p *tx.Propose) Summary { return propose(p) })
		if err == nil && s.Title == "" {
			err = fmt.Errorf("%w: a change that it does not know", ErrUnknown)
		}
		return s, err
	case tx.KindApprove:
		return words(b, func(p *tx.Approve) Summary { return approve(p) })
	case tx.KindRelease:
		return words(b, func(p *tx.Release) Summary { return release(p, names) })
	case tx.KindReportLost:
		return words(b, func(p *tx.ReportLost) Summary { return reportLost(p, names) })
	case tx.KindReportFound:
		return words(b, func(p *tx.ReportFound) Summary { return reportFound(p, names) })
	case tx.KindSetGuardians:
		return words(b, func(p *tx.SetGuardians) Summary { return setGuardians(p) })
	case tx.KindStartRecovery:
		return words(b, func(p *tx.StartRecovery) Summary { return startRecovery(p) })
	case tx.KindCancelRecovery:
		return words(b, func(p *tx.CancelRecovery) Summary { return cancelRecovery(p) })
	case tx.KindFinishRecovery:
		return words(b, func(p *tx.FinishRecovery) Summary { return finishRecovery(p) })
	case tx.KindFreeze:
		return words(b, func(*tx.Freeze) Summary { return freeze() })
	case tx.KindUnfreeze:
		return words(b, func(*tx.Unfreeze) Summary { return unfreeze() })
	case tx.KindRegisterBatch:
		return words(b, func(p *tx.RegisterBatch) Summary { return registerBatch(p) })
	case tx.KindSetPolicy:
		return words(b, func(p *tx.SetPolicy) Summary { return setPolicy(p, names) })
	case tx.KindSetAddresses:
		return words(b, func(p *tx.SetAddresses) Summary { return setAddresses(p, names) })
	case tx.KindDelegateGrant:
		return words(b, func(p *tx.DelegateGrant) Summary { return delegateGrant(p, names) })
	case tx.KindOpenSeal:
		return words(b, func(p *tx.OpenSeal) Summary { return openSeal(p, names) })
	case tx.KindApproveSeal:
		return words(b, func(p *tx.ApproveSeal) Summary { return approveSeal(p, names) })
	case tx.KindAnchorReceipts:
		return words(b, func(p *tx.AnchorReceipts) Summary { return anchorReceipts(p, names) })
	case tx.KindPublishRelease:
		return words(b, func(p *tx.PublishRelease) Summary { return publishRelease(p) })
	case tx.KindRevokeRelease:
		return words(b, func(p *tx.RevokeRelease) Summary { return revokeRelease(p) })
	case tx.KindPublishApp:
		return words(b, func(p *tx.PublishApp) Summary { return publishApp(p) })
	case tx.KindRevokeApp:
		return words(b, func(p *tx.RevokeApp) Summary { return revokeApp(p) })
	case tx.KindRotateVendorKeys:
		return words(b, func(p *tx.RotateVendorKeys) Summary { return rotateVendorKeys(p) })
	default:
		return Summary{}, fmt.Errorf("%w: %s", ErrUnknown, b.Kind)
	}
}

// words decodes a payload strictly and puts it into words.
func words[P any](b tx.Body, say func(*P) Summary) (Summary, error) {
	p := new(P)
	if err := codec.Unmarshal(b.Payload, p, tx.MaxBytes); err != nil {
		return Summary{}, fmt.Errorf("%w: %v", ErrUnknown, err)
	}
	return say(p), nil
}

func registerDevice(p *tx.RegisterDevice) Summary {
	return Summary{Title: "Register a device that you made", Lines: []Line{
		{"device", p.Key.DeviceID().String()},
		{"its key", p.Key.String()},
		{"seal key", fmt.Sprintf("%x", p.SealKey)},
		{"model", fmt.Sprintf("%q", p.Model)},
	}}
}

func claim(p *tx.Claim, names Names) Summary {
	s := Summary{Title: "Become the owner of a device", Lines: []Line{
		{"device", named(p.Device, names)},
		{"epoch", fmt.Sprintf("%d", p.Epoch)},
	}}
	if p.Batch != nil {
		s.Lines = append(s.Lines, Line{"from the batch", fmt.Sprintf("%s of vendor %s, device %d", p.Batch.Root, p.Batch.Vendor, p.Batch.Index)})
	}
	if p.Root != nil {
		s.Lines = append(s.Lines, Line{"new account", "made by this, with the key " + p.Root.String()})
	}
	return s
}

func transfer(p *tx.Transfer, names Names) Summary {
	s := Summary{Title: "Give a device to another owner, for good", GivesRights: true, Lines: []Line{
		{"device", named(p.Device, names)},
		{"to", p.To.String()},
		{"epoch", fmt.Sprintf("%d; every grant and command of earlier epochs ends", p.Epoch)},
	}}
	if p.Root != nil {
		s.Lines = append(s.Lines, Line{"new account", "made by this, with the key " + p.Root.String()})
	}
	return s
}

func revokeGrant(p *tx.RevokeGrant) Summary {
	return Summary{Title: "End a grant for good", Lines: []Line{{"grant", p.Grant.String()}}}
}

func named(id key.DeviceID, names Names) string {
	if names != nil {
		if n := names(id); n != "" {
			return fmt.Sprintf("%s (%s)", n, id)
		}
	}
	return id.String()
}

// moment is a time that people can check; far ones are shown as they are.
func moment(unix uint64) string {
	const year9999 = 253402300799
	if unix > year9999 {
		return fmt.Sprintf("%d s after 1970", unix)
	}
	return time.Unix(int64(unix), 0).UTC().Format("2006-01-02 15:04:05 UTC")
}
