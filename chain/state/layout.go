package state

import (
	"encoding/binary"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// The first byte of a record's key in the tree. Bytes are append-only.
const (
	prefixParams      = 'p'
	prefixVendor      = 'v'
	prefixAccount     = 'a'
	prefixKeyChange   = 'k'
	prefixDevice      = 'd'
	prefixOwnerChange = 'o'
	prefixGrant       = 'g'
	prefixValidator   = 'c'
	prefixGovernance  = 'n'
	prefixProposal    = 'q'
	prefixRecovery    = 'y'
	prefixUpgrade     = 'u'
)

// ParamsKey is where the parameters stand.
func ParamsKey() []byte { return []byte{prefixParams} }

// VendorKey is where a vendor stands.
func VendorKey(id key.AccountID) []byte { return append([]byte{prefixVendor}, id[:]...) }

// AccountKey is where an account stands.
func AccountKey(id key.AccountID) []byte { return append([]byte{prefixAccount}, id[:]...) }

// DeviceKey is where a device stands.
func DeviceKey(id key.DeviceID) []byte { return append([]byte{prefixDevice}, id[:]...) }

// GrantKey is where a grant stands.
func GrantKey(id tx.ID) []byte { return append([]byte{prefixGrant}, id[:]...) }

// KeyChangeKey is where the transaction stands that made an account's key set
// of the given version (1 and up; version 0 is the root key alone).
func KeyChangeKey(id key.AccountID, version uint64) []byte {
	k := append([]byte{prefixKeyChange}, id[:]...)
	return binary.BigEndian.AppendUint64(k, version)
}

// OwnerChangeKey is where the transaction stands that began a device's epoch.
func OwnerChangeKey(id key.DeviceID, epoch uint64) []byte {
	k := append([]byte{prefixOwnerChange}, id[:]...)
	return binary.BigEndian.AppendUint64(k, epoch)
}

// ValidatorSetKey is where the set of validators stands.
func ValidatorSetKey() []byte { return []byte{prefixValidator} }

// ValidatorKey is where a validator stands.
func ValidatorKey(a tx.ValidatorAddress) []byte { return append([]byte{prefixValidator}, a[:]...) }

// GovernanceKey is where the rules of governance stand.
func GovernanceKey() []byte { return []byte{prefixGovernance} }

// GovernorKey is where a governor stands.
func GovernorKey(id key.AccountID) []byte { return append([]byte{prefixGovernance}, id[:]...) }

// ProposalKey is where a proposal stands.
func ProposalKey(id tx.ID) []byte { return append([]byte{prefixProposal}, id[:]...) }

// RecoveryKey is where the transaction stands that started the recovery which
// is to make an account's key set of the given version.
func RecoveryKey(id key.AccountID, version uint64) []byte {
	k := append([]byte{prefixRecovery}, id[:]...)
	return binary.BigEndian.AppendUint64(k, version)
}

// UpgradeKey is where the schedule of upgrades stands.
func UpgradeKey() []byte { return []byte{prefixUpgrade} }
