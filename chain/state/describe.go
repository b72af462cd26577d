package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// records is the one list of what stands in the tree, by the first byte of the
// key. Where a set has a record of its own beside its members, that one stands
// under the byte alone. Rows without a type hold signed transactions.
var records = []struct {
	prefix byte
	alone  bool
	name   string
	make   func() any
}{
	{prefixParams, true, "params", func() any { return new(Params) }},
	{prefixVendor, false, "vendor", func() any { return new(Vendor) }},
	{prefixAccount, false, "account", func() any { return new(Account) }},
	{prefixKeyChange, false, "key-change", nil},
	{prefixDevice, false, "device", func() any { return new(Device) }},
	{prefixOwnerChange, false, "owner-change", nil},
	{prefixGrant, false, "grant", func() any { return new(Grant) }},
	{prefixValidator, true, "validator-set", func() any { return new(ValidatorSet) }},
	{prefixValidator, false, "validator", func() any { return new(Validator) }},
	{prefixGovernance, true, "governance", func() any { return new(Governance) }},
	{prefixGovernance, false, "governor", func() any { return new(Governor) }},
	{prefixProposal, false, "proposal", func() any { return new(Proposal) }},
	{prefixRecovery, false, "recovery", nil},
}

// Describe names the record under a key of the tree and decodes its value: a
// pointer to the record's type, or to the signed transaction that it is. It is
// for those who list a whole state; readers of single records use Get….
func Describe(k, value []byte) (name string, record any, err error) {
	for _, r := range records {
		if len(k) == 0 || k[0] != r.prefix || r.alone != (len(k) == 1) {
			continue
		}
		if r.make == nil {
			record, err = tx.Decode(value)
		} else {
			record = r.make()
			err = codec.Unmarshal(value, record, MaxRecord)
		}
		if err != nil {
			return r.name, nil, fmt.Errorf("%s record %x: %w", r.name, k, err)
		}
		return r.name, record, nil
	}
	return "", nil, fmt.Errorf("record %x: no record has such a key", k)
}
