package api

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Devices reaches devices over the mesh. Methods are called concurrently.
type Devices interface {
	// Online reports whether the device is connected to this node.
	Online(id key.DeviceID) bool
	// Forward sends a command and gives the receipt's bytes as they came. Errors
	// wrap ErrOffline, ErrNoReceipt or ErrDeviceBusy.
	Forward(ctx context.Context, id key.DeviceID, command []byte) ([]byte, error)
	// Watch returns at once; f is then called on each change until ctx ends. f
	// must not block.
	Watch(ctx context.Context, f func(id key.DeviceID, online bool))
}

// The errors of Devices.Forward.
var (
	// ErrOffline: the device is not reached, and nothing was sent.
	ErrOffline = errors.New("the device is not connected to this node")
	// ErrNoReceipt: the command was sent, and no answer came; its outcome is
	// unknown, and sending the same bytes again is safe.
	ErrNoReceipt = errors.New("the device sent no receipt")
	// ErrDeviceBusy: too many commands are under way to the device, and nothing
	// was sent.
	ErrDeviceBusy = errors.New("too many commands are under way to the device")
)

// Index answers what the tree cannot: lists. Methods are called concurrently.
type Index interface {
	// Head is the newest block that the lists take into account.
	Head() Head
	// DevicesOf lists the devices of an account after the block given with them,
	// sorted by id.
	DevicesOf(id key.AccountID) ([]OwnedDevice, Head)
	// GrantsTo lists the grants whose grantee is the key, sorted by id.
	GrantsTo(id key.KeyID) ([]GrantRef, Head)
	// Watch returns at once; f is then called after each block, with the accounts
	// whose rights it changed, until ctx ends. f must not block and must not
	// change the slice.
	Watch(ctx context.Context, f func(head Head, accounts []key.AccountID))
}

// Head names a committed block.
type Head struct {
	Height int64     `json:"height"`
	Time   time.Time `json:"time"`
}

// OwnedDevice is a device in an account's list.
type OwnedDevice struct {
	ID    key.DeviceID `json:"id"`
	Model string       `json:"model"`
	Epoch uint64       `json:"epoch"`
}

// GrantRef is a grant in a key's list.
type GrantRef struct {
	ID     tx.ID         `json:"id"`
	Issuer key.AccountID `json:"issuer"`
	Status string        `json:"status"` // active or revoked
}

// Phone configures the interface that phones reach: the page and the paths that
// it needs, under names of its own.
type Phone struct {
	// Page answers everything that is not an API path.
	Page http.Handler
	// Hosts are the names under which phones reach the node. Empty: only
	// localhost and loopback addresses.
	Hosts []string
	// TLS is nil for plain HTTP.
	TLS *tls.Config
}
