// Package did is the DID method of HybridOS: identifiers of accounts and
// devices, the documents that follow from their records, and the check that a
// document follows from a proven record.
//
// It resolves nothing: node/did asks a ledger. It does not know whether an app
// hash is to be trusted (chain/light decides that), nor whether the owners
// signed for what a record shows (chain/state checks that). Callers start at
// Parse, then Derive for a record that they believe, or Verify for a resolver's
// answer.
//
// What must never change: the text of a DID, and that one record gives one
// document, byte for byte.
package did

import (
	"fmt"
	"strings"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
)

// Method is the name of the method.
const Method = "hybridos"

// DID names an account or a device on one ledger. The zero value names nothing.
type DID struct {
	chain   string
	account key.AccountID
	device  key.DeviceID
	kind    kind
}

type kind uint8

const (
	kindAccount kind = 1
	kindDevice  kind = 2
)

// OfAccount gives an account's DID. The chain id is refused if it is not in the
// form that a genesis document may have.
func OfAccount(chain string, id key.AccountID) (DID, error) {
	return DID{chain: chain, account: id, kind: kindAccount}, checkChain(chain)
}

// OfDevice gives a device's DID, as OfAccount does.
func OfDevice(chain string, id key.DeviceID) (DID, error) {
	return DID{chain: chain, device: id, kind: kindDevice}, checkChain(chain)
}

// Parse reads the one text of a DID. What is a DID of another method gives
// MethodNotSupported, everything else that is refused InvalidDID: a DID URL,
// with a path, a query or a fragment, is no DID.
func Parse(s string) (DID, error) {
	if len(s) > MaxForeign {
		return DID{}, refuse(InvalidDID, "%d bytes, at most %d", len(s), MaxForeign)
	}
	method, specific, err := split(s)
	if err != nil {
		return DID{}, err
	}
	if method != Method {
		return DID{}, refuse(MethodNotSupported, "method %q, want %q", method, Method)
	}
	if len(s) > MaxText {
		return DID{}, refuse(InvalidDID, "%d bytes, at most %d", len(s), MaxText)
	}
	chain, id, ok := strings.Cut(specific, ":")
	if !ok {
		return DID{}, refuse(InvalidDID, "want did:%s:CHAIN:ID", Method)
	}
	if err := checkChain(chain); err != nil {
		return DID{}, err
	}
	if a, err := key.ParseAccountID(id); err == nil {
		return DID{chain: chain, account: a, kind: kindAccount}, nil
	}
	d, err := key.ParseDeviceID(id)
	if err != nil {
		return DID{}, refuse(InvalidDID, "%q is neither an account's id nor a device's", id)
	}
	return DID{chain: chain, device: d, kind: kindDevice}, nil
}

// split checks the syntax of any method's DID (DID Core 1.0, section 3.1).
func split(s string) (method, specific string, err error) {
	rest, ok := strings.CutPrefix(s, "did:")
	if !ok {
		return "", "", refuse(InvalidDID, "does not begin with did:")
	}
	method, specific, _ = strings.Cut(rest, ":")
	if method == "" || strings.Trim(method, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return "", "", refuse(InvalidDID, "the method's name is not of a to z and 0 to 9")
	}
	if specific == "" || strings.HasSuffix(specific, ":") {
		return "", "", refuse(InvalidDID, "the method-specific id is empty or ends in a colon")
	}
	for i := 0; i < len(specific); i++ {
		switch c := specific[i]; {
		case isLetterOrDigit(c), strings.IndexByte(".-_:", c) >= 0:
		case c == '%' && i+2 < len(specific) && isHex(specific[i+1]) && isHex(specific[i+2]):
			i += 2
		default:
			return "", "", refuse(InvalidDID, "byte %#02x is not allowed in a DID", c)
		}
	}
	return method, specific, nil
}

func isLetterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isHex(c byte) bool {
	return isLetterOrDigit(c) && strings.IndexByte("0123456789abcdefABCDEF", c) >= 0
}

// checkChain holds chain ids to the form that chain/genesis gives them; a test
// compares both.
func checkChain(s string) error {
	if len(s) < minChain || len(s) > maxChain || s[0] == '-' || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return refuse(InvalidDID, "%q is no chain id", s)
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return refuse(InvalidDID, "%q is no chain id", s)
		}
	}
	return nil
}

// String is the DID's text.
func (d DID) String() string {
	return fmt.Sprintf("did:%s:%s:%s", Method, d.chain, d.id())
}

func (d DID) id() string {
	if d.kind == kindDevice {
		return d.device.String()
	}
	return d.account.String()
}

// Chain is the id of the ledger that knows the subject.
func (d DID) Chain() string { return d.chain }

// Account gives the account's id, false if the subject is no account.
func (d DID) Account() (key.AccountID, bool) { return d.account, d.kind == kindAccount }

// Device gives the device's id, false if the subject is no device.
func (d DID) Device() (key.DeviceID, bool) { return d.device, d.kind == kindDevice }

// RecordKey is where the subject's record stands in the state tree.
func (d DID) RecordKey() []byte {
	if d.kind == kindDevice {
		return state.DeviceKey(d.device)
	}
	return state.AccountKey(d.account)
}
