package state

import (
	"encoding/binary"

	"github.com/hybridos-net/hybridos/chain/batch"
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
	prefixBatch       = 'b'
	prefixPolicy      = 'l'
	prefixAddresses   = 'z'
	prefixSeal        = 's'
	prefixAnchor      = 'r'
	prefixRelease     = 'f'
	prefixApp         = 'x'
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

// BatchKey is where the batch of a vendor and a root stands.
func BatchKey(vendor key.AccountID, root batch.Hash) []byte {
	return append(append([]byte{prefixBatch}, vendor[:]...), root[:]...)
}

// PolicyKey is where the policy of a device stands.
func PolicyKey(id key.DeviceID) []byte { return append([]byte{prefixPolicy}, id[:]...) }

// AddressesKey is where the addresses of a device stand.
func AddressesKey(id key.DeviceID) []byte { return append([]byte{prefixAddresses}, id[:]...) }

// SealKey is where the seal of a command to a device stands.
func SealKey(device key.DeviceID, command tx.ID) []byte {
	return append(append([]byte{prefixSeal}, device[:]...), command[:]...)
}

// AnchorKey is where a device's newest anchor stands.
func AnchorKey(device key.DeviceID) []byte { return append([]byte{prefixAnchor}, device[:]...) }

// AnchorAtKey is where the anchor stands that ends with the given counter.
func AnchorAtKey(device key.DeviceID, counter uint64) []byte {
	return binary.BigEndian.AppendUint64(AnchorKey(device), counter)
}

// VendorChangeKey is where the transaction stands that made a vendor's keys of
// the given version (1 and up; version 0 is what governance admitted).
func VendorChangeKey(id key.AccountID, version uint64) []byte {
	return binary.BigEndian.AppendUint64(VendorKey(id), version)
}

// UpgradeKey is where the schedule of upgrades stands.
func UpgradeKey() []byte { return []byte{prefixUpgrade} }
