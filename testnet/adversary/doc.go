// Package adversary attacks a device in every way that we know, over every
// transport, and asserts what it says, what it does and what it keeps.
//
// It is not a model: behind each transport stands the real gate with its vault
// on disk, and its ledger is the real light client over signed headers and
// Merkle proofs. Only the bolt is a counter. The attacks stand in tables, one
// file for each kind; their names are listed in docs/security-tests.md, which
// `go test ./testnet/adversary -update` writes. TestHostile plays random
// histories against peers that do as they like. Start at newWorld and attack.
//
// What must never change: each attack is judged by what the device does, and for
// each kind there are commands that must still be obeyed.
package adversary
