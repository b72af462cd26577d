package state

import (
	"slices"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// actor says whose sequence number a kind uses.
type actor uint8

const (
	actorAccount  actor = iota + 1 // an account on the ledger
	actorMaybeNew                  // an account that the transaction itself may create
	actorVendor                    // a vendor
	actorGovernor                  // a governor
	actorGrantee                   // whom a grant was given to; its record has the number
)

// rule is a row of the authorisation table.
type rule struct {
	kind    tx.Kind
	actor   actor
	roles   []tx.Role // exactly these roles sign, in the order of signers
	signers func(View, *tx.Tx) ([]signer, error)
	apply   func(Tree, Block, *tx.Tx) error
}

// rules is the authorisation table: a kind without a row is refused.
var rules = []rule{
	{tx.KindRegisterDevice, actorVendor, []tx.Role{tx.RoleVendor}, vendorSigners, applyRegisterDevice},
	{tx.KindClaim, actorMaybeNew, []tx.Role{tx.RoleAccount, tx.RoleDevice}, claimSigners, applyClaim},
	{tx.KindTransfer, actorAccount, []tx.Role{tx.RoleAccount, tx.RoleNewOwner}, transferSigners, applyTransfer},
	{tx.KindRotateKeys, actorAccount, []tx.Role{tx.RoleAccount, tx.RoleNewKey}, rotateKeysSigners, applyRotateKeys},
	{tx.KindCreateGrant, actorAccount, []tx.Role{tx.RoleAccount}, accountSigners, applyCreateGrant},
	{tx.KindRevokeGrant, actorAccount, []tx.Role{tx.RoleAccount}, accountSigners, applyRevokeGrant},
	{tx.KindPropose, actorGovernor, []tx.Role{tx.RoleGovernor}, governorSigners, applyPropose},
	{tx.KindApprove, actorGovernor, []tx.Role{tx.RoleGovernor}, governorSigners, applyApprove},
	{tx.KindRelease, actorAccount, []tx.Role{tx.RoleAccount}, accountSigners, applyRelease},
	{tx.KindReportLost, actorAccount, []tx.Role{tx.RoleAccount}, accountSigners, applyReportLost},
	{tx.KindReportFound, actorAccount, []tx.Role{tx.RoleAccount}, accountSigners, applyReportFound},
	{tx.KindSetGuardians, actorAccount, []tx.Role{tx.RoleAccount}, accountSigners, applySetGuardians},
	{tx.KindStartRecovery, actorAccount, []tx.Role{tx.RoleNewKey, tx.RoleGuardian}, startRecoverySigners, applyStartRecovery},
	{tx.KindCancelRecovery, actorAccount, []tx.Role{tx.RoleAccount}, accountSigners, applyCancelRecovery},
	{tx.KindFinishRecovery, actorAccount, []tx.Role{tx.RoleParty}, finishRecoverySigners, applyFinishRecovery},
	{tx.KindFreeze, actorAccount, []tx.Role{tx.RoleParty}, freezeSigners, applyFreeze},
	{tx.KindUnfreeze, actorAccount, []tx.Role{tx.RoleAccount}, accountSigners, applyUnfreeze},
	{tx.KindRegisterBatch, actorVendor, []tx.Role{tx.RoleVendor}, vendorSigners, applyRegisterBatch},
	{tx.KindSetPolicy, actorAccount, []tx.Role{tx.RoleAccount}, accountSigners, applySetPolicy},
	{tx.KindSetAddresses, actorAccount, []tx.Role{tx.RoleAccount}, accountSigners, applySetAddresses},
	{tx.KindDelegateGrant, actorGrantee, []tx.Role{tx.RoleGrantee}, delegateGrantSigners, applyDelegateGrant},

	{tx.KindOpenSeal, actorAccount, []tx.Role{tx.RoleApprover}, approverSigners, applyOpenSeal},
	{tx.KindApproveSeal, actorAccount, []tx.Role{tx.RoleApprover}, approverSigners, applyApproveSeal},
	{tx.KindAnchorReceipts, actorAccount, []tx.Role{tx.RoleAccount, tx.RoleDevice}, anchorSigners, applyAnchorReceipts},
	{tx.KindPublishRelease, actorVendor, []tx.Role{tx.RoleVendor}, vendorSigners, applyPublishRelease},
	{tx.KindRevokeRelease, actorVendor, []tx.Role{tx.RoleVendor}, vendorSigners, applyRevokeRelease},
	{tx.KindPublishApp, actorVendor, []tx.Role{tx.RoleVendor}, vendorSigners, applyPublishApp},
	{tx.KindRevokeApp, actorVendor, []tx.Role{tx.RoleVendor}, vendorSigners, applyRevokeApp},
	{tx.KindRotateVendorKeys, actorVendor, []tx.Role{tx.RoleVendor, tx.RoleNewKey}, rotateVendorKeysSigners, applyRotateVendorKeys},
}

// demands reports whether signers are for exactly the roles of the rule, so
// that the table decides and not the code beside it.
func (r rule) demands(signers []signer) bool {
	return slices.EqualFunc(r.roles, signers, func(want tx.Role, s signer) bool { return want == s.role })
}

func ruleOf(k tx.Kind) (rule, error) {
	for _, r := range rules {
		if r.kind == k {
			return r, nil
		}
	}
	return rule{}, &Error{Kind: NotAuthorised, Detail: "no rule for " + k.String()}
}
