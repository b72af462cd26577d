package command

import (
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

// Code is why a device answered as it did: one list for all languages.
// Numbers are append-only; the vectors hold the list.
type Code uint16

// The codes, in the order in which a device checks.
const (
	// OK: executed.
	OK Code = 0

	// TooLarge: longer than the cap.
	TooLarge Code = 1
	// Malformed: not a command, or a field out of its range.
	Malformed Code = 2
	// NotCanonical: not the one deterministic encoding.
	NotCanonical Code = 3
	// BadVersion: a body version that the device does not know.
	BadVersion Code = 4
	// BadType: a command type that the device does not know.
	BadType Code = 5
	// UnknownExtension: a critical extension that the device does not know.
	UnknownExtension Code = 6
	// UnknownAlg: the key's algorithm is not known to the device.
	UnknownAlg Code = 7

	// WrongChain: made for another ledger.
	WrongChain Code = 10
	// WrongDevice: made for another device.
	WrongDevice Code = 11
	// StaleEpoch: made for an earlier or later ownership of the device.
	StaleEpoch Code = 12
	// Unowned: the device has no owner yet and obeys nobody.
	Unowned Code = 13

	// Expired: its time is over.
	Expired Code = 20
	// NotYet: issued in the device's future.
	NotYet Code = 21
	// LifeTooLong: lives longer than the method's class allows.
	LifeTooLong Code = 22

	// UnknownKey: no right of the named key is known.
	UnknownKey Code = 30
	// UnknownGrant: the ledger has no such grant.
	UnknownGrant Code = 31
	// Replayed: a nonce outside the lane's window, or one that another command
	// has used.
	Replayed Code = 32
	// JumpTooFar: a nonce too far ahead of the lane.
	JumpTooFar Code = 33
	// RateLimited: too many commands; try later.
	RateLimited Code = 34
	// TooManyLanes: the key has opened as many lanes as it may.
	TooManyLanes Code = 35
	// BadGrantBody: the grant is private and the command does not bring its body,
	// or it brings the body of another, or the grant is not private.
	BadGrantBody Code = 36
	// Superseded: a later command to the same part of the device has been begun.
	Superseded Code = 37
	// Cancelled: its sender or the owner has cancelled it before it was begun.
	Cancelled Code = 38
	// TooLate: the command to be cancelled has been begun; its receipt tells how
	// it ended.
	TooLate Code = 39

	// BadSignature: does not match key and bytes.
	BadSignature Code = 40
	// HighS: a signature in its other, refused form.
	HighS Code = 41
	// WrongChallenge: a passkey's assertion over something else.
	WrongChallenge Code = 42
	// WrongOrigin: an assertion made on a page that the key does not name.
	WrongOrigin Code = 43
	// WrongRP: an assertion for another relying party than the key's.
	WrongRP Code = 44
	// UserNotPresent: an assertion that nobody touched the authenticator for.
	UserNotPresent Code = 45
	// UserNotVerified: an assertion without PIN or biometrics.
	UserNotVerified Code = 46
	// ExtraSigner: a signature besides that of the named key, by none of the
	// owner's that may invoke.
	ExtraSigner Code = 47
	// TooFewSigners: the owner's policy asks for more keys than have signed.
	TooFewSigners Code = 48

	// GrantRevoked: the grant is dead.
	GrantRevoked Code = 50
	// GrantExpired: the grant's time is over.
	GrantExpired Code = 51
	// GrantNotYet: the grant's time has not begun.
	GrantNotYet Code = 52
	// NotGranted: the grant does not cover this method.
	NotGranted Code = 53
	// NotAllowed: the key may not invoke.
	NotAllowed Code = 54
	// ForgedGrant: the ledger shows a grant that the owner did not sign.
	ForgedGrant Code = 55
	// OutsideWindow: not one of the hours of the week in which the grant holds.
	OutsideWindow Code = 56
	// UsedUp: the grant's uses are spent.
	UsedUp Code = 57
	// GrantRate: as many commands under the grant as its rate allows; later.
	GrantRate Code = 58
	// UnknownZone: the device does not know the time zone of the grant's windows.
	UnknownZone Code = 59

	// Stale: the device's view of the ledger is older than the method's class
	// allows; bring evidence or try when it has caught up.
	Stale Code = 60
	// Untrusted: the ledger's view was refused, since it shows rights that
	// nobody signed for.
	Untrusted Code = 61
	// NotSealed: the command or the owner's policy asks for a seal, and the ledger
	// has none, or one that too few have approved.
	NotSealed Code = 62
	// BadEvidence: the evidence that came with the command does not hold.
	BadEvidence Code = 63
	// AnchorExpired: the device has been without news for longer than validators
	// alone can be relied on; it wants the owner's word for a header.
	AnchorExpired Code = 64

	// NoMethod: the device has no such endpoint or method.
	NoMethod Code = 70
	// Failed: the actuator answered with an error.
	Failed Code = 71
	// TimedOut: the actuator did not answer in time.
	TimedOut Code = 72
	// Interrupted: power or process was lost between intent and result; the
	// outcome is not known and the command is never run again.
	Interrupted Code = 73
	// Internal: the device could not do its part, for instance persist.
	Internal Code = 74
)

var codeNames = []struct {
	code Code
	name string
}{
	{OK, "ok"},
	{TooLarge, "too_large"}, {Malformed, "malformed"}, {NotCanonical, "not_canonical"}, {BadVersion, "bad_version"},
	{BadType, "bad_type"}, {UnknownExtension, "unknown_extension"}, {UnknownAlg, "unknown_alg"},
	{WrongChain, "wrong_chain"}, {WrongDevice, "wrong_device"}, {StaleEpoch, "stale_epoch"}, {Unowned, "unowned"},
	{Expired, "expired"}, {NotYet, "not_yet"}, {LifeTooLong, "life_too_long"},
	{UnknownKey, "unknown_key"}, {UnknownGrant, "unknown_grant"}, {Replayed, "replayed"}, {JumpTooFar, "jump_too_far"},
	{RateLimited, "rate_limited"}, {TooManyLanes, "too_many_lanes"}, {BadGrantBody, "bad_grant_body"},
	{Superseded, "superseded"}, {Cancelled, "cancelled"}, {TooLate, "too_late"},
	{BadSignature, "bad_signature"}, {HighS, "high_s"},
	{WrongChallenge, "wrong_challenge"}, {WrongOrigin, "wrong_origin"}, {WrongRP, "wrong_rp"},
	{UserNotPresent, "user_not_present"}, {UserNotVerified, "user_not_verified"},
	{ExtraSigner, "extra_signer"}, {TooFewSigners, "too_few_signers"},
	{GrantRevoked, "grant_revoked"}, {GrantExpired, "grant_expired"}, {GrantNotYet, "grant_not_yet"},
	{NotGranted, "not_granted"}, {NotAllowed, "not_allowed"}, {ForgedGrant, "forged_grant"},
	{OutsideWindow, "outside_window"}, {UsedUp, "used_up"}, {GrantRate, "grant_rate"}, {UnknownZone, "unknown_zone"},
	{Stale, "stale"}, {Untrusted, "untrusted"}, {NotSealed, "not_sealed"},
	{BadEvidence, "bad_evidence"}, {AnchorExpired, "anchor_expired"},
	{NoMethod, "no_method"}, {Failed, "failed"}, {TimedOut, "timed_out"}, {Interrupted, "interrupted"}, {Internal, "internal"},
}

// Codes lists every code in order.
func Codes() []Code {
	out := make([]Code, len(codeNames))
	for i, row := range codeNames {
		out[i] = row.code
	}
	return out
}

// String is the code's name in logs, JSON and docs.
func (c Code) String() string {
	for _, row := range codeNames {
		if row.code == c {
			return row.name
		}
	}
	return fmt.Sprintf("code_%d", uint16(c))
}

// Error makes a code usable as a target of errors.Is.
func (c Code) Error() string { return c.String() }

// Error is a refusal with its code and detail for people.
type Error struct {
	Code   Code
	Detail string
}

// Error gives code and detail.
func (e *Error) Error() string { return e.Code.String() + ": " + e.Detail }

// Unwrap lets errors.Is find the code.
func (e *Error) Unwrap() error { return e.Code }

// Challenges reports whether a deferred receipt with this code asks the sender for
// evidence, which leads on from the head that the receipt names.
func (c Code) Challenges() bool { return c == Stale || c == NotSealed || c == AnchorExpired }

// CodeOf gives the code behind err: OK for nil, Internal for an error that is
// no refusal.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	var c Code
	if errors.As(err, &c) {
		return c
	}
	return Internal
}

func codecRefusal(err error) error {
	switch {
	case errors.Is(err, codec.TooLarge):
		return refuse(TooLarge, "%v", err)
	case errors.Is(err, codec.NotCanonical):
		return refuse(NotCanonical, "%v", err)
	default:
		return refuse(Malformed, "%v", err)
	}
}

// keyCodes are the kinds of refusal by chain/key that have a code of their own.
var keyCodes = []struct {
	kind key.ErrorKind
	code Code
}{
	{key.UnknownAlg, UnknownAlg}, {key.HighS, HighS},
	{key.WrongChallenge, WrongChallenge}, {key.WrongOrigin, WrongOrigin}, {key.WrongRP, WrongRP},
	{key.UserNotPresent, UserNotPresent}, {key.UserNotVerified, UserNotVerified},
}

func keyRefusal(err error) error {
	for _, row := range keyCodes {
		if errors.Is(err, row.kind) {
			return refuse(row.code, "%v", err)
		}
	}
	return refuse(BadSignature, "%v", err)
}
