// Package durable writes small files so that a crash leaves either the old or
// the new content, reads private ones, and locks a path so that two processes
// never write at once. Wallet, bridge, node and device keep their keys and
// settings with it.
//
// It is not a database (chain/store/kv is) and knows no format. Callers use
// Write, Create, ReadPrivate and Lock.
//
// What must never change: a file that Write has returned for survives a power
// cut, nobody but its owner can read it, and Create never writes over a file.
package durable
