// Package topic holds every protocol id and every gossip topic name of the
// mesh, and the caps of what travels under each.
//
// It is not a router and opens nothing: it is pure, and imports nothing of
// libp2p. Entry points: the protocol constants, and Checkpoint and Event for
// gossip topics.
//
// What must never change: a name that was ever released. A new form of a
// protocol gets a new number at the end of its name. No name carries the id of
// an owner or of a device: whoever watches the mesh must not learn from a topic
// which house a message belongs to.
package topic

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Protocol ids of streams.
const (
	// Command is the persistent, pipelined stream of signed commands.
	Command = "/hybridos/command/1"
	// Fetch answers light blocks and proofs.
	Fetch = "/hybridos/fetch/1"
	// Submit takes transactions and answers when they are committed.
	Submit = "/hybridos/submit/1"
	// Pair is the pairing conversation.
	Pair = "/hybridos/pair/1"
	// Presence tells a node which device is at the other end of a connection.
	Presence = "/hybridos/presence/1"
	// Receipts brings an owner what a device has answered.
	Receipts = "/hybridos/receipts/1"
)

// Protocols lists every protocol id above.
func Protocols() []string { return []string{Command, Fetch, Submit, Pair, Presence, Receipts} }

// Shards is the number of event topics of a chain. A topic per device would
// break near 6 500 topics, and would tell who talks to which device.
const Shards = 256

// shardLabel separates the shard hash from every other hash of a device id.
const shardLabel = "hybridos/shard/v1\x00"

// Checkpoint is the topic of signed headers of the chain with this digest.
func Checkpoint(chain [32]byte) string {
	return fmt.Sprintf("hybridos/%s/checkpoint/1", prefix(chain))
}

// Event is the topic of one shard of sealed events of the chain.
func Event(chain [32]byte, shard uint8) string {
	return fmt.Sprintf("hybridos/%s/event/%02x/1", prefix(chain), shard)
}

// Shard tells which event topic a device uses: the first byte of
// SHA-256("hybridos/shard/v1" || 0x00 || device id).
func Shard(device [20]byte) uint8 {
	sum := sha256.Sum256(append([]byte(shardLabel), device[:]...))
	return sum[0]
}

// prefix names a chain in a topic: the first 8 bytes of its digest in hex.
func prefix(chain [32]byte) string { return hex.EncodeToString(chain[:8]) }
