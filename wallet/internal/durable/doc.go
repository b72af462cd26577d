// Package durable writes small files so that a crash leaves either the old or
// the new content, and locks a path so that two wallets never write at once.
//
// It is not a database and knows no format. Callers use Write and Lock.
//
// What must never change: a file that Write has returned for survives a power
// cut, and nobody but its owner can read it.
package durable
