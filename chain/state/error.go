package state

// ErrorKind names why a transaction or a right was refused; comparable with
// errors.Is. Kinds of chain/codec, chain/key and chain/tx pass through.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// NotAuthorised: the authorisation table has no row for the kind, or one
	// that lists other roles.
	NotAuthorised ErrorKind = "not_authorised"
	// TxExpired: block time has reached the transaction's expiry.
	TxExpired ErrorKind = "tx_expired"
	// TxLifeTooLong: the expiry lies further ahead than MaxTxLife.
	TxLifeTooLong ErrorKind = "tx_life_too_long"
	// BadSequence: not the account's next number; build it again and retry.
	BadSequence ErrorKind = "bad_sequence"
	// WrongSigner: a signature by a key that has no say in this transaction.
	WrongSigner ErrorKind = "wrong_signer"
	// MissingSigner: a required signature or part of a threshold is missing.
	MissingSigner ErrorKind = "missing_signer"
	// NoVendor: the vendor is not admitted.
	NoVendor ErrorKind = "no_vendor"
	// NoAccount: the account does not exist.
	NoAccount ErrorKind = "no_account"
	// AccountExists: a root key was sent for an account that exists.
	AccountExists ErrorKind = "account_exists"
	// NoDevice: the device is not registered.
	NoDevice ErrorKind = "no_device"
	// DeviceExists: the device is registered already.
	DeviceExists ErrorKind = "device_exists"
	// DeviceOwned: the device has an owner and cannot be claimed.
	DeviceOwned ErrorKind = "device_owned"
	// NotOwner: the acting account does not own the device.
	NotOwner ErrorKind = "not_owner"
	// StaleEpoch: the epoch is not the one that the device's record asks for.
	StaleEpoch ErrorKind = "stale_epoch"
	// QuotaExceeded: the vendor has registered as many devices as it may.
	QuotaExceeded ErrorKind = "quota_exceeded"
	// BadKeyVersion: not the account's next key version.
	BadKeyVersion ErrorKind = "bad_key_version"
	// NoGrant: the grant does not exist.
	NoGrant ErrorKind = "no_grant"
	// GrantRevoked: the grant is dead.
	GrantRevoked ErrorKind = "grant_revoked"
	// NotIssuer: the acting account did not give the grant.
	NotIssuer ErrorKind = "not_issuer"
	// NoChange: no transaction stands behind a claimed change of keys or owner.
	NoChange ErrorKind = "no_change"
	// Forged: a record claims a right that its signed transaction does not give.
	Forged ErrorKind = "forged"
	// GovernanceOff: the ledger's genesis document names no governors.
	GovernanceOff ErrorKind = "governance_off"
	// NoGovernor: the actor is not a governor.
	NoGovernor ErrorKind = "no_governor"
	// NoProposal: the proposal does not exist.
	NoProposal ErrorKind = "no_proposal"
	// ProposalClosed: the proposal has been carried out.
	ProposalClosed ErrorKind = "proposal_closed"
	// ProposalExpired: block time has reached the proposal's end.
	ProposalExpired ErrorKind = "proposal_expired"
	// ProposalTooLong: the end lies further ahead than MaxProposalLife.
	ProposalTooLong ErrorKind = "proposal_too_long"
	// TooManyProposals: MaxOpenProposals of the governor are open.
	TooManyProposals ErrorKind = "too_many_proposals"
	// AlreadyApproved: the governor has approved the proposal before.
	AlreadyApproved ErrorKind = "already_approved"
	// NoValidator: no validator with this key has power.
	NoValidator ErrorKind = "no_validator"
	// ValidatorExists: the key is or was a validator's; each is used once.
	ValidatorExists ErrorKind = "validator_exists"
	// TooManyValidators: there are MaxValidators already.
	TooManyValidators ErrorKind = "too_many_validators"
	// LastValidator: a ledger without validators would stand still for good.
	LastValidator ErrorKind = "last_validator"
	// PowerLimit: more than a third of the power would change in one block; the
	// same transaction passes in a later one.
	PowerLimit ErrorKind = "power_limit"
	// BadProof: the proof of a validator's key is not that key's signature.
	BadProof ErrorKind = "bad_proof"
	// VendorExists: the vendor is admitted already.
	VendorExists ErrorKind = "vendor_exists"
	// VendorSuspended: the vendor may not do this until it is admitted again.
	VendorSuspended ErrorKind = "vendor_suspended"
	// DeviceLost: the device is reported lost, and changes no hands until it is
	// reported found.
	DeviceLost ErrorKind = "device_lost"
	// NotLost: the device is not reported lost.
	NotLost ErrorKind = "not_lost"
	// Released: the owner has signed a release of the device; whoever followed
	// the ownership must let go of it.
	Released ErrorKind = "released"
	// NoGuardians: the account has named nobody who could recover it.
	NoGuardians ErrorKind = "no_guardians"
	// RecoveryOpen: a recovery is open; it is cancelled or finished first.
	RecoveryOpen ErrorKind = "recovery_open"
	// NoRecovery: no recovery is open.
	NoRecovery ErrorKind = "no_recovery"
	// RecoveryEarly: the delay is not over; try again when it is.
	RecoveryEarly ErrorKind = "recovery_early"
	// RecoveryDue: the delay is over, and the recovery cannot be cancelled.
	RecoveryDue ErrorKind = "recovery_due"
	// AccountFrozen: the account is frozen, and may not do this.
	AccountFrozen ErrorKind = "account_frozen"
	// NotFrozen: the account is not frozen.
	NotFrozen ErrorKind = "not_frozen"
	// NoBatch: the vendor has registered no batch with this root.
	NoBatch ErrorKind = "no_batch"
	// BatchExists: the vendor has registered this root already.
	BatchExists ErrorKind = "batch_exists"
	// BatchIndex: the batch has not so many devices.
	BatchIndex ErrorKind = "batch_index"
	// BatchPath: not as many hashes as the tree has levels at this index.
	BatchPath ErrorKind = "batch_path"
	// NotInBatch: the path does not lead from this device to the batch's root.
	NotInBatch ErrorKind = "not_in_batch"
	// BadPolicyVersion: not the next version of the device's policy.
	BadPolicyVersion ErrorKind = "bad_policy_version"
	// NoPolicy: the device has never had a policy.
	NoPolicy ErrorKind = "no_policy"
	// BadPolicy: the record of a policy holds something else than it says.
	BadPolicy ErrorKind = "bad_policy"
	// NoAddresses: the device has never had addresses on the ledger.
	NoAddresses ErrorKind = "no_addresses"
	// NotNarrower: a grant that is given on allows more than the one above it.
	NotNarrower ErrorKind = "not_narrower"
	// TooManyGrants: MaxGiven grants were given on under the owner's one.
	TooManyGrants ErrorKind = "too_many_grants"
	// NoSeal: nobody has opened a seal for the command.
	NoSeal ErrorKind = "no_seal"
	// SealExists: a seal was opened for the command before.
	SealExists ErrorKind = "seal_exists"
	// SealClosed: the seal takes no more approvals.
	SealClosed ErrorKind = "seal_closed"
	// NotSealed: too few keys have approved the command yet, or its seal has ended
	// so.
	NotSealed ErrorKind = "not_sealed"
	// SealExpired: block time has reached the seal's end.
	SealExpired ErrorKind = "seal_expired"
	// SealTooLong: the end lies further ahead than MaxSealLife.
	SealTooLong ErrorKind = "seal_too_long"
	// TooFewKeys: the account has fewer admin keys than the seal needs.
	TooFewKeys ErrorKind = "too_few_keys"
	// NoAnchor: no receipts of the device are anchored.
	NoAnchor ErrorKind = "no_anchor"
	// BadCounter: the receipts do not begin where the last anchor ended.
	BadCounter ErrorKind = "bad_counter"
	// NoRelease: the version was never published.
	NoRelease ErrorKind = "no_release"
	// ReleaseExists: the version is published already.
	ReleaseExists ErrorKind = "release_exists"
	// ReleaseRevoked: the version is dead.
	ReleaseRevoked ErrorKind = "release_revoked"
	// AccountQuotaExceeded: the account has written what it may in this period;
	// try again in the next.
	AccountQuotaExceeded ErrorKind = "account_quota_exceeded"
	// TooManyMoves: the device got MaxMoves owners in this period; try again in
	// the next.
	TooManyMoves ErrorKind = "too_many_moves"
	// UpgradeLate: the upgrade's height is reached, or too near.
	UpgradeLate ErrorKind = "upgrade_late"
	// UpgradeExists: another upgrade is to come, or one had the name.
	UpgradeExists ErrorKind = "upgrade_exists"
	// NoUpgrade: no upgrade of this name is to come.
	NoUpgrade ErrorKind = "no_upgrade"
)

// Error is a refusal with its kind and detail for people.
type Error struct {
	Kind   ErrorKind
	Detail string
}

// Error gives kind and detail.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }
