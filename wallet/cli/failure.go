package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	mesh "github.com/libp2p/go-libp2p/core/network" // "network" is this package's own

	"github.com/hybridos-net/hybridos/chain/audit"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/did"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/keystore"
	"github.com/hybridos-net/hybridos/wallet/phone"
	"github.com/hybridos-net/hybridos/wallet/ticket"
)

// Exit codes. They never change.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitRefused     = 5 // by the device
	exitNoReceipt   = 6
	exitInvalid     = 7 // proof or signature
	exitUnreachable = 8 // node
)

// Kinds of the command line's own failures; the others come from the packages
// below.
const (
	kindDiskFull     = "disk_full"
	kindHungUp       = "hung_up" // a connection that the other side has ended
	kindUsage        = "usage"
	kindNoLedger     = "no_ledger"
	kindPassphrase   = "no_passphrase"
	kindInsecure     = "insecure_passphrase_file"
	kindNotAsked     = "not_confirmed"
	kindDeclined     = "declined"
	kindRefused      = "refused_by_device"
	kindUnknown      = "outcome_unknown"
	kindNoFile       = "no_file"
	kindInterrupted  = "interrupted"
	kindNoPhonePage  = "no_phone_page"
	kindPhoneNotTold = "phone_not_told"
	kindTimeout      = "timeout"
	kindFailure      = "failure"
)

// failure is an error with what people and scripts need to know about it.
type failure struct {
	exit int
	kind string
	what string // what could not be done
	err  error  // why
	try  string // what to do about it
}

// Error gives what and why.
func (f *failure) Error() string {
	if f.what == "" {
		return f.why()
	}
	return f.what + ": " + f.why()
}

// why gives the cause without the kind before it, which is for scripts.
func (f *failure) why() string {
	return strings.ReplaceAll(f.err.Error(), f.kind+": ", "")
}

// Unwrap gives the cause.
func (f *failure) Unwrap() error { return f.err }

// doing says what was being done when err happened. An error that says so
// already stays as it is.
func doing(what string, err error) error {
	if err == nil {
		return nil
	}
	var f *failure
	if errors.As(err, &f) {
		return err
	}
	out := classify(err)
	out.what = "cannot " + what
	return out
}

func fail(exit int, kind, try, format string, args ...any) error {
	return &failure{exit: exit, kind: kind, try: try, err: fmt.Errorf(format, args...)}
}

func usage(err error) error {
	var f *failure
	if errors.As(err, &f) {
		return err
	}
	return &failure{exit: exitUsage, kind: kindUsage, err: err, try: "hos help, or the command with --help"}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// verdicts maps the kinds of the packages below to exit codes and advice. The
// first that fits counts, so causes stand before what wraps them.
var verdicts = []struct {
	is   error
	exit int
	try  string
}{
	{keystore.NotFound, exitNotFound, "hos key new, or hos key restore with your 24 words"},
	{keystore.Exists, exitFailure, "hos key show; another key needs another folder (--home)"},
	{keystore.Insecure, exitFailure, "chmod 600 on the key file; if others could read it, hos key rotate"},
	{keystore.WrongPassphrase, exitDenied, "type it again; if it is lost, hos key restore in a new folder (--home)"},
	{keystore.Corrupt, exitFailure, "put a copy of the key file back, or hos key restore in a new folder (--home)"},
	{keystore.TooNew, exitFailure, "use the version of hos that wrote it, or a later one"},
	{keystore.BadCost, exitFailure, "this file was not made by hos; put a copy of yours back"},
	{keystore.BadPassphrase, exitUsage, "choose another passphrase"},
	{keystore.BadWords, exitUsage, "compare the words with your paper, one by one"},
	{keystore.NoKey, exitNotFound, "hos key show"},
	{keystore.Full, exitFailure, "restore the present key in a new folder (--home)"},
	{keystore.Locked, exitFailure, "wait until the other hos has ended"},

	{home.NoHome, exitUsage, "set HOS_HOME"},
	{home.BadFile, exitFailure, "put a copy of the file back, or move it away"},
	{home.NewerFile, exitFailure, "use the version of hos that wrote it, or a later one"},
	{home.Busy, exitFailure, "wait until the other hos has ended"},
	{home.NoDevice, exitNotFound, "hos device list, or hos device pair CODE"},
	{home.Ambiguous, exitUsage, "say which one; hos device list shows the names"},
	{home.NameTaken, exitUsage, "choose another --name"},
	{home.NoGrant, exitNotFound, "hos grant list"},
	{home.BadValue, exitUsage, "see the command with --help"},
	{home.OtherLedger, exitFailure, "use another folder for the other ledger (--home)"},
	{home.Full, exitFailure, "use another folder (--home)"},

	{ticket.BadInvite, exitUsage, "copy the whole line again"},
	{ticket.BadOffer, exitUsage, "ask for the file again"},
	{ticket.OtherLedger, exitFailure, "use the folder that belongs to that ledger (--home)"},
	{ticket.NotForUs, exitDenied, "hos key show prints the key that it must be made for"},
	{draft.ErrNotForUs, exitDenied, "hos key show prints the key that it must be made for"},
	{draft.ErrKeyOfAccount, exitFailure, "hos key list; nothing is to be done"},
	{draft.ErrMoreSigners, exitDenied, "this version signs for accounts with a threshold of one"},

	{phone.BadOrigin, exitUsage, "a name over https, such as https://home.example; on this machine http://localhost:PORT, as hosd status shows it"},
	{phone.BadLink, exitUsage, "copy the whole link"},
	{phone.BadMessage, exitInvalid, "nothing was sent to the ledger; the page is of another version than this wallet: update both, and begin anew"},
	{phone.NotSealed, exitInvalid, "nothing was sent to the ledger; somebody without the link has used the box: begin anew"},
	{phone.WrongKey, exitInvalid, "nothing was sent to the ledger; open a new link, on that very page"},
	{phone.Unreachable, exitUnreachable, "check that hosd runs with a phone_listen, and that --url is its address as the phone sees it"},
	{phone.NotANode, exitUnreachable, "check --url: it must lead to a hosd with a phone_listen"},
	{phone.SlotTaken, exitInvalid, "nothing was sent to the ledger; somebody else may have seen the link: begin anew"},
	{phone.TooManyBoxes, exitUnreachable, "wait 15 minutes, or use another node's page with --url"},
	{phone.RateLimited, exitUnreachable, "wait a minute and do it again"},
	{phone.Refused, exitUnreachable, "the operator of the node sets which names it answers to (phone_hosts)"},
	{phone.Expired, exitFailure, "nothing was sent to the ledger; begin anew, and open the link sooner or say a longer --wait"},

	{pairing.BadCode, exitUsage, "copy the whole code again, or use --code-file"},
	{pairing.WrongChain, exitFailure, "use the genesis document of the device's ledger (hos init in another --home)"},
	{pairing.AlreadyOwned, exitDenied, "its owner can hand it on with hos transfer"},
	{pairing.WrongDevice, exitInvalid, "do not trust this connection; stand beside the device and scan its code again"},
	{pairing.WrongSecret, exitInvalid, "scan the code that the device shows now"},
	{pairing.NotArmed, exitFailure, "the ledger has the claim; wait until the device has caught up"},

	{light.Fork, exitInvalid, "stop and ask the operators of the ledger: validators have signed twice"},
	{audit.ErrFile, exitInvalid, "ask for the file again; --genesis names the ledger that it is about"},
	{light.AnchorExpired, exitInvalid, "the last verified header is too old; begin anew from the genesis document in a new folder (--home)"},
	{light.FromFuture, exitInvalid, "check the clock of this machine"},
	{light.WrongChain, exitInvalid, "the node serves another ledger; use another --node"},
	{light.BadHeader, exitInvalid, "the node lies or is broken; use another --node"},
	{light.BadCommit, exitInvalid, "the node lies or is broken; use another --node"},
	{light.TooFewKnown, exitInvalid, "the node lies or is broken; use another --node"},
	{light.BadProof, exitInvalid, "the node lies or is broken; use another --node"},
	{light.NoHead, exitUnreachable, "hos status"},

	{did.InvalidDID, exitUsage, "a DID looks like did:hybridos:CHAIN:hosacc1… or did:hybridos:CHAIN:hosdev1…"},
	{did.MethodNotSupported, exitUsage, "a DID looks like did:hybridos:CHAIN:hosacc1… or did:hybridos:CHAIN:hosdev1…"},
	{did.BadRecord, exitInvalid, "stop and ask the operators of the ledger: the record is damaged or another's"},

	{state.Forged, exitInvalid, "stop and ask the operators of the ledger: it shows rights that nobody signed"},
	{state.NotAuthorised, exitDenied, ""},
	{state.WrongSigner, exitDenied, "hos key show prints the key of this wallet"},
	{state.MissingSigner, exitDenied, "hos key show prints the key of this wallet"},
	{state.NoVendor, exitDenied, "the operators of the ledger admit vendors"},
	{state.NoAccount, exitNotFound, "an account begins with the first device: hos device pair CODE"},
	{state.NoDevice, exitNotFound, "the device's maker registers it (hos vendor register)"},
	{state.DeviceExists, exitFailure, "it is registered already"},
	{state.DeviceOwned, exitDenied, "its owner can hand it on with hos transfer, or give it up with hos device release"},
	{state.NoGuardians, exitDenied, "name some while you have the keys: hos recover guardians set"},
	{state.RecoveryOpen, exitDenied, "hos recover cancel, or hos recover finish"},
	{state.NoRecovery, exitNotFound, "hos recover guardians show tells what is open"},
	{state.RecoveryEarly, exitDenied, "wait until the delay is over; hos recover guardians show"},
	{state.RecoveryDue, exitDenied, "it can no longer be cancelled"},
	{state.AccountFrozen, exitDenied, "hos recover unfreeze ends that"},
	{state.NotFrozen, exitFailure, "it is not frozen"},
	{state.NoBatch, exitNotFound, "the device's maker registers its batch (hos vendor batch)"},
	{state.BatchExists, exitFailure, "it is registered already; --proofs-only writes the proofs again"},
	{state.BatchIndex, exitInvalid, "the device's proof is damaged; ask its maker for it again"},
	{state.BatchPath, exitInvalid, "the device's proof is damaged; ask its maker for it again"},
	{state.NotInBatch, exitInvalid, "the device's proof is damaged or another's; ask its maker for it again"},
	{state.BadPolicyVersion, exitFailure, "the policy has changed since; do it again"},
	{state.NoPolicy, exitNotFound, "hos device policy DEVICE --method METHOD --class R2 sets one"},
	{state.BadPolicy, exitInvalid, "stop and ask the operators of the ledger: the record is damaged or another's"},
	{state.NoAddresses, exitNotFound, "hos device addresses DEVICE ADDRESS… sets some"},
	{state.DeviceLost, exitDenied, "it is reported lost; hos device found DEVICE ends that"},
	{state.NotLost, exitFailure, "nobody has reported it lost"},
	{state.Released, exitDenied, "its owner has given it up; hos device pair CODE claims it"},
	{state.NotOwner, exitDenied, "hos device list shows what this wallet owns"},
	{state.StaleEpoch, exitFailure, "the device has changed hands; make the offer or grant again"},
	{state.QuotaExceeded, exitDenied, "the operators of the ledger raise quotas"},
	{state.AccountQuotaExceeded, exitDenied, "wait for the next period; hos gov show tells how long one is"},
	{state.TooManyMoves, exitDenied, "wait for the next period; hos gov show tells how long one is"},
	{state.UpgradeLate, exitUsage, "choose a --height further ahead; hos status shows where the ledger is"},
	{state.UpgradeExists, exitDenied, "hos gov show tells what is scheduled and what was; hos gov propose cancel-upgrade, or another name"},
	{state.NoUpgrade, exitNotFound, "hos gov show"},
	{state.BadKeyVersion, exitFailure, "the keys have changed since; make the offer again"},
	{state.BadSequence, exitFailure, "another transaction came first; do it again"},
	{state.TxExpired, exitFailure, "check the clock of this machine, or make the offer again"},
	{state.TxLifeTooLong, exitFailure, "check the clock of this machine"},
	{state.AccountExists, exitFailure, "do it again"},
	{state.NoGrant, exitNotFound, "hos grant list"},
	{state.GrantRevoked, exitFailure, "it has ended already; hos grant list"},
	{state.NotIssuer, exitDenied, "only who gave a grant can end it"},
	{state.NotNarrower, exitDenied, "what is given on allows less, never more; hos grant list shows what the grant allows"},
	{state.TooManyGrants, exitDenied, "ask the owner for another grant"},

	{state.GovernanceOff, exitDenied, "the genesis document of this ledger names no governors; only a new ledger can have them"},
	{state.NoGovernor, exitDenied, "hos gov list shows the governors; --key-file is the file of a governor's key"},
	{state.NoProposal, exitNotFound, "hos gov list"},
	{state.ProposalClosed, exitFailure, "it has been carried out, or ended with a change of governors; hos gov list"},
	{state.ProposalExpired, exitFailure, "propose it again, with a longer --for"},
	{state.ProposalTooLong, exitUsage, "say a --for of at most 720h"},
	{state.TooManyProposals, exitDenied, "wait until one of yours is carried out or ends; hos gov list"},
	{state.AlreadyApproved, exitFailure, "another governor must approve it; hos gov list"},
	{state.NoValidator, exitNotFound, "hos gov list shows the validators"},
	{state.ValidatorExists, exitFailure, "no validator's key is used twice; make a new one (hosd init in another --home)"},
	{state.TooManyValidators, exitDenied, "remove a validator first"},
	{state.LastValidator, exitDenied, "add another validator first"},
	{state.PowerLimit, exitFailure, "another change came in the same block; do it again"},
	{state.BadProof, exitInvalid, "ask for key and proof again: hosd validator prove, or hos gov prove for a governor"},
	{state.VendorExists, exitFailure, "it is admitted already; hos gov propose set-quota changes its quota"},
	{state.NoSeal, exitNotFound, "hos seal open DEVICE COMMAND"},
	{state.SealExists, exitFailure, "hos seal show DEVICE COMMAND; after its end, sign the command anew"},
	{state.SealClosed, exitFailure, "hos seal show DEVICE COMMAND"},
	{state.NotSealed, exitDenied, "hos seal show DEVICE COMMAND"},
	{state.SealExpired, exitFailure, "say a longer --for, or sign the command anew and open its seal"},
	{state.SealTooLong, exitUsage, "at most --for 168h"},
	{state.TooFewKeys, exitDenied, "say a lower --needed; hos key list shows the account's keys"},
	{state.NoAnchor, exitNotFound, "hos receipt anchor"},
	{state.BadCounter, exitFailure, "hos receipt anchored DEVICE tells where the last anchor ended"},
	{state.NoRelease, exitNotFound, "hos vendor release list MODEL, or hos vendor app list APP"},
	{state.ReleaseExists, exitFailure, "publish another version; the same again only after the vendor's keys have changed"},
	{state.ReleaseRevoked, exitDenied, "it is dead for good; publish another version"},
	{state.VendorSuspended, exitDenied, "the governors of the ledger admit it again"},

	{tx.InvokeOnly, exitUsage, "keys of phones and browsers may command devices and nothing else (--rights invoke)"},
	{tx.Malformed, exitUsage, "an account keeps at least one admin key; times and names must make sense"},

	{sdk.NoNode, exitUnreachable, "check the network and --node; hos status shows who is asked"},
	{sdk.BadAddress, exitUsage, "an address looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…"},
	{sdk.BadReceipt, exitInvalid, "somebody else answers at the device's address; do not trust this connection"},
	{sdk.NoReceipt, exitNoReceipt, "look at the door, then do it again; hos watch shows its state"},
	{sdk.Unreachable, exitNoReceipt, "nothing was done; check that the device is on and reachable"},
	{sdk.Refused, exitDenied, ""},
	{sdk.Undecided, exitUnreachable, "it may still come into a block: look with hos status or hos watch before you do it again"},

	{command.BadSignature, exitInvalid, "this is not a receipt of that device"},
	{command.HighS, exitInvalid, "this is not a receipt of that device"},
	{command.WrongDevice, exitInvalid, "say which device with --device"},
	{command.TooLarge, exitUsage, "send less"},
	{command.NotCanonical, exitInvalid, "this is not a receipt"},
	{command.Malformed, exitInvalid, ""},
	{fs.ErrNotExist, exitNotFound, "check the path"},
	{fs.ErrPermission, exitFailure, "check who owns the file"},
}

// classify finds the exit code, kind and advice for an error.
func classify(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	if k, ok := ledgerKind(err); ok {
		out := classify(k)
		return &failure{exit: out.exit, kind: string(k), err: err, try: out.try}
	}
	for _, v := range verdicts {
		if errors.Is(err, v.is) {
			return &failure{exit: v.exit, kind: kindOf(v.is), err: err, try: v.try}
		}
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return &failure{exit: exitFailure, kind: kindDiskFull, err: err, try: "free space on the disk and do it again"}
	case errors.Is(err, mesh.ErrReset):
		return &failure{exit: exitUnreachable, kind: kindHungUp, err: err, try: "wait a moment and do it again; the other side may have too much to do"}
	case errors.Is(err, context.Canceled):
		return &failure{exit: exitFailure, kind: kindInterrupted, err: errors.New("interrupted"), try: ""}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{exit: exitUnreachable, kind: kindTimeout, err: err, try: "do it again, with a longer --timeout"}
	}
	return &failure{exit: exitFailure, kind: kindFailure, err: err}
}

func kindOf(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return kindNoFile
	case errors.Is(err, draft.ErrNotForUs):
		return string(ticket.NotForUs)
	case errors.Is(err, draft.ErrMoreSigners):
		return "more_signers"
	case errors.Is(err, draft.ErrKeyOfAccount):
		return "key_exists"
	default:
		return strings.ReplaceAll(err.Error(), " ", "_")
	}
}

// ledgerKind finds the rule behind a refusal that came from afar as text.
func ledgerKind(err error) (state.ErrorKind, bool) {
	var remote *sdk.Error
	if !errors.As(err, &remote) || remote.Kind != sdk.Refused {
		return "", false
	}
	word, _, _ := strings.Cut(remote.Detail, ":")
	for _, v := range verdicts {
		if k, ok := v.is.(state.ErrorKind); ok && string(k) == word {
			return k, true
		}
	}
	return "", false
}

// report tells about an error on standard error and gives the exit code.
func (a *App) report(err error) int {
	f := classify(err)
	if a.opts.json {
		raw, marshalErr := json.Marshal(struct {
			header
			Exit int    `json:"exit"`
			Kind string `json:"kind"`
			What string `json:"what"`
			Why  string `json:"why"`
			Try  string `json:"try"`
		}{head("hos.error"), f.exit, f.kind, f.what, clean(f.why()), f.try})
		if marshalErr == nil {
			fmt.Fprintln(a.cfg.Err, string(raw))
			return f.exit
		}
	}
	fmt.Fprintf(a.cfg.Err, "hos: %s\n", clean(f.Error()))
	try := f.try
	if try == "" {
		try = "hos help"
	}
	fmt.Fprintf(a.cfg.Err, "try: %s\n", try)
	return f.exit
}

// clean keeps words from afar from steering the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}
