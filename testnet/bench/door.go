package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/clock"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/deviceos/vault"
	"github.com/hybridos-net/hybridos/sdk"
)

// door is the device behind every transport: the real gate with its real store
// on disk. Only the ledger stands still and the bolt is not there, since the
// transports are what is compared.
type door struct {
	chain  codec.ChainDigest
	owner  *key.Private
	device *key.Private
	vault  *vault.Vault
	gate   *gate.Gate
	caller sdk.Caller
	nonce  uint64
}

// still is a ledger whose head is always of now.
type still struct{ records map[string][]byte }

func (s still) Get(k []byte) ([]byte, error) { return s.records[string(k)], nil }

func (s still) Head() gate.Head {
	return gate.Head{Height: 1, Hash: make([]byte, 32), Time: time.Now()}
}

func (s still) View(context.Context) (state.View, gate.Head) { return s, s.Head() }

func (s still) Update(context.Context) (gate.Head, error) { return s.Head(), nil }

func (s still) Present([]byte, func([]byte, gate.Head) error) error { return nil }

func (s still) Expired() bool { return false }

// unlimited keeps the gate's rate limits out of the measurement.
var unlimited = gate.Limits{Records: 1 << 20, PerKey: 1e9, PerPeer: 1e9, Strangers: 1e9}

// noBolt does what it is told by doing nothing.
type noBolt struct{}

func (noBolt) Actuate(context.Context, gate.Order) ([]byte, error) { return []byte(`{}`), nil }

// openDoor makes the device of an owner who has further keys that may invoke.
func openDoor(dir string, more ...key.Public) (*door, error) {
	return openDoorWith(dir, unlimited, more...)
}

func openDoorWith(dir string, limits gate.Limits, more ...key.Public) (*door, error) {
	d := &door{chain: codec.ChainDigest{1}}
	var err error
	if d.owner, err = key.Generate(rand.Reader); err != nil {
		return nil, err
	}
	if d.device, err = key.Generate(rand.Reader); err != nil {
		return nil, err
	}
	if d.vault, err = vault.Open(dir, vault.Config{}); err != nil {
		return nil, err
	}
	root, id := d.owner.Public(), d.device.Public().DeviceID()
	account := root.AccountID()
	keys := state.RootKeySet(root)
	for _, k := range more {
		keys.Keys = append(keys.Keys, tx.AccountKey{Key: k, Rights: tx.RightInvoke})
	}
	ledger := still{records: map[string][]byte{
		string(state.AccountKey(account)): codec.MustMarshal(state.Account{Root: root, KeySet: keys, Sequence: 1}),
		string(state.DeviceKey(id)): codec.MustMarshal(state.Device{
			Key: d.device.Public(), SealKey: [32]byte{1}, Model: "bench", Epoch: 1, Owner: &account,
		}),
	}}
	d.gate, err = gate.Open(gate.Config{
		Chain: d.chain, Device: d.device, Vault: d.vault, Clock: clock.New(time.Now), Ledger: ledger,
		Actuator: noBolt{}, Class: peripheral.ClassOf, Limits: limits,
	})
	if err != nil {
		return nil, err
	}
	d.caller = sdk.Caller{
		Chain: d.chain, Key: d.owner, Principal: account, Salt: 1,
		Nonce: func() (uint64, error) { d.nonce++; return d.nonce, nil },
	}
	return d, d.gate.Arm(state.Ownership{Device: id, Epoch: 1, Owner: state.Pin{Account: account, Keys: keys}})
}

func (d *door) close() error { return d.vault.Close() }

// sign makes the next command to open the door.
func (d *door) sign() (*command.Command, error) { return d.signFor("open") }

func (d *door) signFor(method string) (*command.Command, error) {
	return d.caller.Sign(sdk.Call{Device: d.device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Method: method})
}

// handle is the device's end of every transport.
func (d *door) handle(raw []byte) []byte { return d.gate.Handle(context.Background(), "bench", raw) }

// check is what every sender does with an answer: verify the device's receipt.
func (d *door) check(answer []byte, id command.ID) error {
	if err := d.accepted(answer); err != nil {
		return err
	}
	r, err := command.DecodeReceipt(answer)
	if err != nil {
		return err
	}
	return r.Verify(d.chain, d.device.Public(), id)
}

// accepted looks whether the answer says that the command was executed.
func (d *door) accepted(answer []byte) error {
	r, err := command.DecodeReceipt(answer)
	if err == nil && r.Body.Code != command.OK {
		err = fmt.Errorf("the door answered %s", r.Body.Code)
	}
	return err
}

// echoDoor answers every command with the same bytes at once: what remains is
// the transport alone.
func echoDoor([]byte) []byte { return bytes.Repeat([]byte{7}, 300) }
