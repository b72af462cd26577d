package topicmap

import (
	"encoding/hex"
	"encoding/json"
)

// StatusRefused is the status of a command that the bridge itself turned away:
// the device was not asked. The other statuses are those of a device's receipt:
// executed, rejected, deferred, unknown.
const StatusRefused = "refused"

// StatusUnknown is the status of a command of which no receipt came back: the
// device may or may not have acted.
const StatusUnknown = "unknown"

// Code is a reason of the bridge itself on the result topic. Codes of a device's
// receipt are passed on as they are.
type Code string

// The bridge's own codes.
const (
	// CodeRetained: commands with the retain flag are never obeyed, as they
	// would be obeyed again at every connect.
	CodeRetained Code = "bridge-retained"
	// CodePayload: the payload is not one that the mapping knows.
	CodePayload Code = "bridge-payload"
	// CodeDuplicate: this very packet was acted on already.
	CodeDuplicate Code = "bridge-duplicate"
	// CodeBusy: too many commands of this device wait.
	CodeBusy Code = "bridge-busy"
	// CodeExpired: the command waited longer than it is worth.
	CodeExpired Code = "bridge-expired"
	// CodeNoReceipt: the device gave no verifiable answer.
	CodeNoReceipt Code = "bridge-no-receipt"
)

// Codes lists the bridge's own codes, for documents and tests.
func Codes() []Code {
	return []Code{CodeRetained, CodePayload, CodeDuplicate, CodeBusy, CodeExpired, CodeNoReceipt}
}

// Result is the payload of a result topic.
//
// Rules of evolution: JSON names are fixed, new members may be added, members
// are never reused. Receipt is the device's signed receipt, byte for byte, so
// that a client that has the device's key need not believe the bridge.
type Result struct {
	// Method is the method asked for, or empty if the payload named none.
	Method string `json:"method,omitempty"`
	// Status and Code say what became of the command.
	Status string `json:"status"`
	Code   string `json:"code,omitempty"`
	// Command is the command id in hex, if a command was signed.
	Command string `json:"command,omitempty"`
	// Receipt is the receipt in standard base64.
	Receipt []byte `json:"receipt,omitempty"`
}

// Refusal is the result of a command that the bridge turned away.
func Refusal(method string, code Code) Result {
	return Result{Method: method, Status: StatusRefused, Code: string(code)}
}

// CommandText is how a command id is written in a result.
func CommandText(id []byte) string { return hex.EncodeToString(id) }

// Encode gives the payload.
func (r Result) Encode() ([]byte, error) { return json.Marshal(r) }
