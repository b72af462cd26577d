package api

import (
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// grantRecords adds a grant that was given on, with all that narrows it, and a
// private one.
func grantRecords(t *testing.T, records map[string][]byte, dev key.Public) (ids []tx.ID) {
	t.Helper()
	for _, p := range []tx.Payload{
		&tx.DelegateGrant{Parent: tx.ID{9}, Grant: &tx.CreateGrant{
			Grantee: dev, NotBefore: 1, NotAfter: 99, Targets: []tx.Target{{Device: dev.DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
			Windows: []tx.Window{{Day: 1, From: 480, To: 1080}}, Zone: "Europe/Berlin", Uses: 3, Rate: &tx.Rate{Count: 5, Period: 3600}, Depth: 1,
		}},
		&tx.CreateGrant{Private: &tx.Private{Digest: [32]byte{5}, Devices: []tx.DeviceEpoch{{Device: dev.DeviceID(), Epoch: 1}}}},
	} {
		x, err := tx.New(key.AccountID{1}, 1, 100, p)
		if err != nil {
			t.Fatal(err)
		}
		x.Sign(codec.ChainDigest{}, tx.RoleAccount, secret(t, 'o'))
		id := x.ID(codec.ChainDigest{})
		records[string(state.GrantKey(id))] = codec.MustMarshal(state.Grant{Issuer: key.AccountID{1}, Status: state.Active, Tx: x.Bytes()})
		ids = append(ids, id)
	}
	return ids
}
