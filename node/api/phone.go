package api

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"

	"github.com/hybridos-net/hybridos/chain/key"
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
