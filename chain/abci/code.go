package abci

import (
	"errors"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Codespace qualifies every code of this application.
const Codespace = "hybridos"

// Codes that stand for no refusal of the rules.
const (
	// CodeOK: accepted.
	CodeOK uint32 = 0
	// CodeInternal: this node could not decide, because its store failed. It
	// never stands in a block.
	CodeInternal uint32 = 1
	// CodeBadQuery: a query with an unknown path, a bad key or a bad height.
	CodeBadQuery uint32 = 2
	// CodeNoHeight: a query at a height that is not there yet or was pruned.
	CodeNoHeight uint32 = 3
)

// Row binds a kind of refusal to its number.
type Row struct {
	Kind error
	Code uint32
}

// rows is the one list. Codes are part of the results hash in headers, so that
// all validators must agree on them: numbers are append-only and never reused.
var rows = []Row{
	{codec.TooLarge, 10},
	{codec.Malformed, 11},
	{codec.NotCanonical, 12},

	{key.UnknownAlg, 20},
	{key.BadKey, 21},
	{key.BadSignature, 22},
	{key.HighS, 23},
	{key.BadText, 24},
	{key.WrongChallenge, 25},
	{key.WrongOrigin, 26},
	{key.WrongRP, 27},
	{key.UserNotPresent, 28},
	{key.UserNotVerified, 29},

	{tx.Malformed, 30},
	{tx.BadVersion, 31},
	{tx.UnknownKind, 32},
	{tx.InvokeOnly, 33},

	{state.NotAuthorised, 40},
	{state.TxExpired, 41},
	{state.TxLifeTooLong, 42},
	{state.BadSequence, 43},
	{state.WrongSigner, 44},
	{state.MissingSigner, 45},
	{state.NoVendor, 46},
	{state.NoAccount, 47},
	{state.AccountExists, 48},
	{state.NoDevice, 49},
	{state.DeviceExists, 50},
	{state.DeviceOwned, 51},
	{state.NotOwner, 52},
	{state.StaleEpoch, 53},
	{state.QuotaExceeded, 54},
	{state.BadKeyVersion, 55},
	{state.NoGrant, 56},
	{state.GrantRevoked, 57},
	{state.NotIssuer, 58},
	{state.NoChange, 59},
	{state.Forged, 60},
	{state.GovernanceOff, 61},
	{state.NoGovernor, 62},
	{state.NoProposal, 63},
	{state.ProposalClosed, 64},
	{state.ProposalExpired, 65},
	{state.ProposalTooLong, 66},
	{state.TooManyProposals, 67},
	{state.AlreadyApproved, 68},
	{state.NoValidator, 69},
	{state.ValidatorExists, 70},
	{state.TooManyValidators, 71},
	{state.LastValidator, 72},
	{state.PowerLimit, 73},
	{state.BadProof, 74},
	{state.VendorExists, 75},
	{state.VendorSuspended, 76},
	{state.DeviceLost, 77},
	{state.NotLost, 78},
	{state.Released, 79},
	{state.NoGuardians, 80},
	{state.RecoveryOpen, 81},
	{state.NoRecovery, 82},
	{state.RecoveryEarly, 83},
	{state.RecoveryDue, 84},
	{state.AccountFrozen, 85},
	{state.NotFrozen, 86},

	{state.NoBatch, 110},
	{state.BatchExists, 111},
	{state.BatchIndex, 112},
	{state.BatchPath, 113},
	{state.NotInBatch, 114},
	{state.BadPolicyVersion, 115},
	{state.NoPolicy, 116},
	{state.BadPolicy, 117},
	{state.NoAddresses, 118},
	{state.NotNarrower, 120},
	{state.TooManyGrants, 121},
	{state.NoSeal, 130},
	{state.SealExists, 131},
	{state.SealClosed, 132},
	{state.NotSealed, 133},
	{state.SealExpired, 134},
	{state.SealTooLong, 135},
	{state.TooFewKeys, 136},
	{state.NoAnchor, 137},
	{state.BadCounter, 138},
	{state.NoRelease, 139},
	{state.ReleaseExists, 140},
	{state.ReleaseRevoked, 141},
	{state.AccountQuotaExceeded, 160},
	{state.TooManyMoves, 161},
	{state.UpgradeLate, 162},
	{state.UpgradeExists, 163},
	{state.NoUpgrade, 164},
}

// Rows lists every refusal with its code, in order.
func Rows() []Row { return append([]Row(nil), rows...) }

// CodeOf gives the code of a refusal; CodeInternal if err is none of ours, and
// CodeOK if it is nil.
func CodeOf(err error) uint32 {
	if err == nil {
		return CodeOK
	}
	for _, r := range rows {
		if errors.Is(err, r.Kind) {
			return r.Code
		}
	}
	return CodeInternal
}

// KindOf gives the kind of a code as text, "internal", "bad_query" and
// "no_height" included; "" if there is none.
func KindOf(code uint32) string {
	switch code {
	case CodeInternal:
		return "internal"
	case CodeBadQuery:
		return "bad_query"
	case CodeNoHeight:
		return "no_height"
	}
	for _, r := range rows {
		if r.Code == code {
			return r.Kind.Error()
		}
	}
	return ""
}
