package state

import "github.com/hybridos-net/hybridos/chain/tx"

const (
	// MaxRecord is the longest record: the longest transaction, kept whole, and
	// the fields around it.
	MaxRecord = tx.MaxBytes + 1<<10
	// MaxTxLife is how far ahead of block time a transaction may expire, in
	// seconds.
	MaxTxLife = 24 * 60 * 60
	// MaxFollow is how many key changes a verifier follows in one go, so that a
	// liar cannot keep it busy.
	MaxFollow = 1024
	// MaxGiven is how many grants may be given on under one of an owner, on every
	// level: they are written at the owner's expense.
	MaxGiven = 256
	// MaxValidators bounds commits, which carry a signature of each validator.
	MaxValidators = 128
	// MaxGovernors is how many governors a ledger may have.
	MaxGovernors = 16
	// MaxProposalLife is how far ahead of block time a proposal may end, in
	// seconds: governors on several continents need days, not months.
	MaxProposalLife = 30 * 24 * 60 * 60
	// MaxOpenProposals is how many of a governor's proposals may be open at a
	// time, so that one whose key was stolen cannot fill the list for all.
	MaxOpenProposals = 8
	// maxRecalled is how many decoded records one transaction remembers; those of
	// now touch at most seven.
	maxRecalled = 16
	// MaxSealLife is how far ahead of block time a seal may end, in seconds: a
	// command that waits longer for the other owners is signed anew.
	MaxSealLife = 7 * 24 * 60 * 60
	// QuotaUnit is how many bytes of payload make one more unit of an account's
	// quota: a transaction costs one unit, and a long one more.
	QuotaUnit = 4 << 10
	// MaxMoves is how many owners a device may get in a period of the quota. Each
	// new owner may be a new account with a quota of its own, and without this
	// bound one device could make any number of them.
	MaxMoves = 16
	// MinUpgradeNotice is how many blocks at least lie between the block that
	// carries a schedule out and the upgrade, against slips; governors should
	// leave operators days.
	MinUpgradeNotice = 10
	// MaxUpgrades is how many upgrades a ledger can have: their names are kept,
	// so that none is used twice.
	MaxUpgrades = 512
)
