package state

import (
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Lengths of what follows the first byte of a key.
const (
	sizeAlone   = 0
	sizeID      = key.IDSize
	sizeCounted = sizeID + 8 // an id and a version, epoch or counter
	sizeDigest  = 32
	sizeUnder   = sizeID + sizeDigest
)

// records is the one list of what stands in the tree, by the first byte and the
// length of the key. Rows without a type hold signed transactions. Of two rows
// with the same key the value tells which one it is.
var records = []struct {
	prefix byte
	size   int
	name   string
	make   func() any
}{
	{prefixParams, sizeAlone, "params", func() any { return new(Params) }},
	{prefixVendor, sizeID, "vendor", func() any { return new(Vendor) }},
	{prefixVendor, sizeCounted, "vendor-key-change", nil},
	{prefixAccount, sizeID, "account", func() any { return new(Account) }},
	{prefixKeyChange, sizeCounted, "key-change", nil},
	{prefixDevice, sizeID, "device", func() any { return new(Device) }},
	{prefixOwnerChange, sizeCounted, "owner-change", nil},
	{prefixGrant, sizeDigest, "grant", func() any { return new(Grant) }},
	{prefixValidator, sizeAlone, "validator-set", func() any { return new(ValidatorSet) }},
	{prefixValidator, sizeID, "validator", func() any { return new(Validator) }},
	{prefixGovernance, sizeAlone, "governance", func() any { return new(Governance) }},
	{prefixGovernance, sizeID, "governor", func() any { return new(Governor) }},
	{prefixProposal, sizeDigest, "proposal", func() any { return new(Proposal) }},
	{prefixRecovery, sizeCounted, "recovery", nil},
	{prefixUpgrade, sizeAlone, "upgrades", func() any { return new(Upgrades) }},
	{prefixBatch, sizeUnder, "batch", func() any { return new(Batch) }},
	{prefixPolicy, sizeID, "policy", func() any { return new(Policy) }},
	{prefixAddresses, sizeID, "addresses", func() any { return new(Addresses) }},
	{prefixSeal, sizeUnder, "seal", func() any { return new(Seal) }},
	{prefixAnchor, sizeID, "newest-anchor", func() any { return new(Anchor) }},
	{prefixAnchor, sizeCounted, "anchor", func() any { return new(Anchor) }},
	{prefixRelease, sizeUnder, "release", func() any { return new(Publication) }},
	{prefixRelease, sizeUnder, "newest-release", func() any { return new(Newest) }},
	{prefixApp, sizeUnder, "app", func() any { return new(Publication) }},
	{prefixApp, sizeUnder, "newest-app", func() any { return new(Newest) }},
}

// Describe names the record under a key of the tree and decodes its value: a
// pointer to the record's type, or to the signed transaction that it is. It is
// for those who list a whole state; readers of single records use Get….
func Describe(k, value []byte) (name string, record any, err error) {
	err = errors.New("no record has such a key")
	for _, r := range records {
		if len(k) != 1+r.size || k[0] != r.prefix {
			continue
		}
		if r.make == nil {
			record, err = tx.Decode(value)
		} else {
			record = r.make()
			err = codec.Unmarshal(value, record, MaxRecord)
		}
		if err == nil {
			return r.name, record, nil
		}
	}
	return "", nil, fmt.Errorf("record %x: %w", k, err)
}
