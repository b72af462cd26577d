package tx

import "fmt"

// Kind numbers a payload. Numbers are append-only and never reused.
type Kind uint16

// The kinds. A new one gets a number here, a row in kinds, a file with its
// payload, and a row in the authorisation table of chain/state.
const (
	KindRegisterDevice Kind = 1
	KindClaim          Kind = 2
	KindTransfer       Kind = 3
	KindRotateKeys     Kind = 4
	KindCreateGrant    Kind = 5
	KindRevokeGrant    Kind = 6
	KindPropose        Kind = 7
	KindApprove        Kind = 8
	KindRelease        Kind = 9
	KindReportLost     Kind = 10
	KindReportFound    Kind = 11
	KindSetGuardians   Kind = 12
	KindStartRecovery  Kind = 13
	KindCancelRecovery Kind = 14
	KindFinishRecovery Kind = 15
	KindFreeze         Kind = 16
	KindUnfreeze       Kind = 17
	KindRegisterBatch  Kind = 18
	KindSetPolicy      Kind = 19
	KindSetAddresses   Kind = 20
	KindDelegateGrant  Kind = 21

	KindOpenSeal         Kind = 22
	KindApproveSeal      Kind = 23
	KindAnchorReceipts   Kind = 24
	KindPublishRelease   Kind = 25
	KindRevokeRelease    Kind = 26
	KindPublishApp       Kind = 27
	KindRevokeApp        Kind = 28
	KindRotateVendorKeys Kind = 29
)

// kinds is the one list of what this version decodes.
var kinds = []struct {
	kind Kind
	name string
	make func() Payload
}{
	{KindRegisterDevice, "register-device", func() Payload { return new(RegisterDevice) }},
	{KindClaim, "claim", func() Payload { return new(Claim) }},
	{KindTransfer, "transfer", func() Payload { return new(Transfer) }},
	{KindRotateKeys, "rotate-keys", func() Payload { return new(RotateKeys) }},
	{KindCreateGrant, "create-grant", func() Payload { return new(CreateGrant) }},
	{KindRevokeGrant, "revoke-grant", func() Payload { return new(RevokeGrant) }},
	{KindPropose, "propose", func() Payload { return new(Propose) }},
	{KindApprove, "approve", func() Payload { return new(Approve) }},
	{KindRelease, "release", func() Payload { return new(Release) }},
	{KindReportLost, "report-lost", func() Payload { return new(ReportLost) }},
	{KindReportFound, "report-found", func() Payload { return new(ReportFound) }},
	{KindSetGuardians, "set-guardians", func() Payload { return new(SetGuardians) }},
	{KindStartRecovery, "start-recovery", func() Payload { return new(StartRecovery) }},
	{KindCancelRecovery, "cancel-recovery", func() Payload { return new(CancelRecovery) }},
	{KindFinishRecovery, "finish-recovery", func() Payload { return new(FinishRecovery) }},
	{KindFreeze, "freeze", func() Payload { return new(Freeze) }},
	{KindUnfreeze, "unfreeze", func() Payload { return new(Unfreeze) }},
	{KindRegisterBatch, "register-batch", func() Payload { return new(RegisterBatch) }},
	{KindSetPolicy, "set-policy", func() Payload { return new(SetPolicy) }},
	{KindSetAddresses, "set-addresses", func() Payload { return new(SetAddresses) }},
	{KindDelegateGrant, "delegate-grant", func() Payload { return new(DelegateGrant) }},
	{KindOpenSeal, "open-seal", func() Payload { return new(OpenSeal) }},
	{KindApproveSeal, "approve-seal", func() Payload { return new(ApproveSeal) }},
	{KindAnchorReceipts, "anchor-receipts", func() Payload { return new(AnchorReceipts) }},
	{KindPublishRelease, "publish-release", func() Payload { return new(PublishRelease) }},
	{KindRevokeRelease, "revoke-release", func() Payload { return new(RevokeRelease) }},
	{KindPublishApp, "publish-app", func() Payload { return new(PublishApp) }},
	{KindRevokeApp, "revoke-app", func() Payload { return new(RevokeApp) }},
	{KindRotateVendorKeys, "rotate-vendor-keys", func() Payload { return new(RotateVendorKeys) }},
}

// Kinds lists every known kind in order.
func Kinds() []Kind {
	out := make([]Kind, len(kinds))
	for i, k := range kinds {
		out[i] = k.kind
	}
	return out
}

// String is the name used in logs, the CLI and docs.
func (k Kind) String() string {
	for _, row := range kinds {
		if row.kind == k {
			return row.name
		}
	}
	return fmt.Sprintf("kind-%d", uint16(k))
}

func newPayload(k Kind) (Payload, error) {
	for _, row := range kinds {
		if row.kind == k {
			return row.make(), nil
		}
	}
	return nil, &Error{Kind: UnknownKind, Detail: k.String()}
}
