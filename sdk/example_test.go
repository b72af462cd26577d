package sdk_test

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/sdk"
)

// Example opens a door: it reads the device's proven record, signs a command by
// the owner's key and prints what the device's verified receipt says. nonce
// keeps the last number on disk.
func Example() {
	_ = func(ctx context.Context, doc *genesis.Doc, h host.Host, node, lock string, id key.DeviceID, owner *key.Private, nonce func() (uint64, error)) error {
		client, err := sdk.New(sdk.Config{Genesis: doc, Host: h, Nodes: []string{node}})
		if err != nil {
			return err
		}
		defer client.Close()
		view, err := client.View(ctx)
		if err != nil {
			return err
		}
		record, err := state.GetDevice(view, id)
		if err != nil {
			return err
		}
		device, err := client.Device(record.Key, []string{lock})
		if err != nil {
			return err
		}
		caller := sdk.Caller{Chain: client.Chain(), Key: owner, Principal: owner.Public().AccountID(), Nonce: nonce}
		open, err := caller.Sign(sdk.Call{Device: id, Epoch: record.Epoch, Endpoint: "lock", Method: "open", Seen: view.Head().Height})
		if err != nil {
			return err
		}
		receipt, err := device.Send(ctx, open)
		if err != nil {
			return err
		}
		fmt.Println(receipt.Body.Status, receipt.Body.Code)
		return nil
	}
}
