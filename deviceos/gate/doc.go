// Package gate decides whether a command may move a device, has it done at most
// once, and signs what became of it. docs/spec/gate.md is its specification.
//
// It is not a transport (the same bytes get the same verdict however they
// came), not a light client (Ledger is), and it moves nothing itself (Actuator
// does). Callers use Open and Gate.Handle.
//
// What must never change: an owner's signature and the ledger's word are both
// needed; the intent is on disk before anything moves, and an intent without a
// result is never run again; who has not proven a right leaves no trace in
// memory or on disk.
package gate
