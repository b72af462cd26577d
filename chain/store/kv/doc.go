// Package kv is the one place that opens pebble: an ordered key-value store in
// a directory, with atomic batches, durable writes and honest errors.
//
// It is not the authenticated state tree (that is chain/store, above it) and it
// knows nothing of what it stores. Callers start at Open and at DB.NewBatch.
//
// What must never change: a write made with Sync is on disk when the call
// returns; a batch is applied wholly or not at all; no fault of a disk or of a
// file ends the process. Pebble ends it by itself on a fatal fault; here the
// first fault closes the store instead: Failed is closed, and every later call
// returns the same error, so that the owner can say why and stop.
package kv
