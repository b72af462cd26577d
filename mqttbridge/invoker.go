package mqttbridge

import "context"

// Statuses of a receipt, as devices report them.
const (
	StatusExecuted = "executed"
	StatusRejected = "rejected"
	StatusDeferred = "deferred"
	StatusUnknown  = "unknown"
)

// Outcome is what a device answered to one command; its receipt was verified by
// the Invoker.
type Outcome struct {
	// Status is the receipt's status, one of the Status constants.
	Status string
	// Code is the receipt's code by name, for instance of a refusal.
	Code string
	// CommandID is the id of the signed command.
	CommandID []byte
	// Result is the method's result out of the receipt.
	Result []byte
	// Receipt is the receipt as signed by the device.
	Receipt []byte
}

// Invoker signs a command by the bridge's delegate key under the grant that it
// holds for the device, sends it, and verifies the receipt.
//
// A refusal by the device is an Outcome. An error means that no verified receipt
// came: the device may or may not have acted. Invoke is called by several
// goroutines, one at a time for each device, and must heed ctx.
type Invoker interface {
	Invoke(ctx context.Context, device, endpoint, method string, params []byte) (Outcome, error)
}
