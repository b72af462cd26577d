// Package delegate lets the bridge invoke devices with its own key, under the
// grants that owners gave to it.
//
// It has no rights of its own: without a grant on the ledger every device
// refuses, and this package reports that refusal. Callers use Open and
// Invoker.Invoke.
//
// What must never change: an answer that is not the device's verified receipt is
// an error, and no two commands to a device share a replay lane and a nonce. A
// lane ends with the process at the latest: its salt is 64 random bits, so nothing
// need be kept.
package delegate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/mqttbridge"
	"github.com/hybridos-net/hybridos/mqttbridge/settings"
	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/mux"
	"github.com/hybridos-net/hybridos/sdk"
)

// Config is what the bridge signs with.
type Config struct {
	Settings settings.Settings
	Key      *key.Private // the caller wipes it after Close
	Random   io.Reader    // a cryptographic source
	Logger   *slog.Logger
}

// Invoker invokes the configured devices. It is safe for concurrent use.
type Invoker struct {
	cfg    Config
	host   *host.Host
	client *sdk.Client
	lanes  lanes
}

var _ mqttbridge.Invoker = (*Invoker)(nil)

// Open joins the mesh as a dialling host. The caller calls Close.
func Open(cfg Config) (*Invoker, error) {
	if cfg.Settings.Genesis == "" || len(cfg.Settings.Nodes) == 0 {
		return nil, errors.New("settings: genesis and nodes are needed to reach devices")
	}
	if cfg.Key == nil || cfg.Random == nil {
		return nil, errors.New("delegate: a key and a source of randomness are needed")
	}
	doc, err := readGenesis(cfg.Settings.Genesis)
	if err != nil {
		return nil, err
	}
	h, err := dialler(cfg.Random)
	if err != nil {
		return nil, err
	}
	c, err := sdk.New(sdk.Config{Genesis: doc, Host: h, Nodes: cfg.Settings.Nodes, Logger: cfg.Logger})
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return &Invoker{
		cfg: cfg, host: h, client: c, lanes: lanes{random: cfg.Random, of: make(map[key.DeviceID]*lane)},
	}, nil
}

// readGenesis reads a document of a length that can be one.
func readGenesis(path string) (*genesis.Doc, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open genesis document: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, genesis.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read genesis document: %w", err)
	}
	doc, err := genesis.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("genesis document %s: %w", path, err)
	}
	return doc, nil
}

// dialler makes a host with a transport key of its own that accepts nobody.
func dialler(random io.Reader) (*host.Host, error) {
	seed, err := mux.NewSeed(random)
	if err != nil {
		return nil, err
	}
	transport, err := mux.Key(seed)
	if err != nil {
		return nil, err
	}
	return host.Listen(host.Config{Key: transport, DialOnly: true})
}

// Close leaves the mesh.
func (i *Invoker) Close() error { return errors.Join(i.client.Close(), i.host.Close()) }

// Invoke signs one command under the device's grant, sends it and returns what
// the device's receipt says.
func (i *Invoker) Invoke(ctx context.Context, device, endpoint, method string, params []byte) (mqttbridge.Outcome, error) {
	dev, err := i.device(device)
	if err != nil {
		return mqttbridge.Outcome{}, err
	}
	call, target, err := i.find(ctx, dev)
	if err != nil {
		return mqttbridge.Outcome{}, err
	}
	call.Endpoint, call.Method, call.Params = endpoint, method, params
	grant, err := grantOf(dev)
	if err != nil {
		return mqttbridge.Outcome{}, err
	}
	r, salt, err := i.send(ctx, target, call, grant, 0)
	if err == nil && r.Body.Code == command.JumpTooFar {
		// The device has missed too many commands, or has forgotten the lane. It says
		// so under its signature, hence has not executed the command.
		r, _, err = i.send(ctx, target, call, grant, salt)
	}
	if err != nil {
		return mqttbridge.Outcome{}, err
	}
	return mqttbridge.Outcome{
		Status: r.Body.Status.String(), Code: r.Body.Code.String(),
		CommandID: r.Body.Command[:], Result: r.Body.Result, Receipt: r.Bytes(),
	}, nil
}

// send signs and sends a command of the device's lane, which is a new one if the
// present one has the salt givenUp. It returns the lane's salt.
func (i *Invoker) send(ctx context.Context, to *sdk.Device, call sdk.Call, grant *tx.ID, givenUp uint64) (*command.Receipt, uint64, error) {
	at, err := i.lanes.next(call.Device, givenUp)
	if err != nil {
		return nil, 0, err
	}
	caller := sdk.Caller{
		Chain: i.client.Chain(), Key: i.cfg.Key, Grant: grant, Principal: i.cfg.Key.Public().AccountID(),
		Salt: at.salt, Nonce: func() (uint64, error) { return at.last, nil },
	}
	cmd, err := caller.Sign(call)
	if err != nil {
		return nil, 0, err
	}
	r, err := to.Send(ctx, cmd)
	if errors.Is(err, sdk.NoReceipt) && ctx.Err() == nil {
		// The stream may have been dead for long. The same bytes are executed once at
		// most; if they bring no receipt either, the first error stays true: not even
		// a device that is away now is known not to have acted.
		if again, err := to.Send(ctx, cmd); err == nil {
			return again, at.salt, nil
		}
	}
	return r, at.salt, err
}

// find reads the device's proven record, which gives its key and epoch.
func (i *Invoker) find(ctx context.Context, dev settings.Device) (sdk.Call, *sdk.Device, error) {
	id, err := key.ParseDeviceID(dev.ID)
	if err != nil {
		return sdk.Call{}, nil, err
	}
	view, err := i.client.View(ctx)
	if err != nil {
		return sdk.Call{}, nil, err
	}
	record, err := state.GetDevice(view, id)
	if err != nil {
		return sdk.Call{}, nil, err
	}
	target, err := i.client.Device(record.Key, dev.Addrs)
	return sdk.Call{Device: id, Epoch: record.Epoch, Seen: view.Head().Height}, target, err
}

func (i *Invoker) device(id string) (settings.Device, error) {
	for _, d := range i.cfg.Settings.Devices {
		if d.ID == id {
			return d, nil
		}
	}
	return settings.Device{}, fmt.Errorf("device %s is not configured", id)
}

// grantOf reads the configured grant. Without one the command goes out all the
// same, so that the refusal is the device's own.
func grantOf(d settings.Device) (*tx.ID, error) {
	if d.Grant == "" {
		return nil, nil
	}
	id, err := tx.ParseID(d.Grant)
	if err != nil {
		return nil, err
	}
	return &id, nil
}
