package phone

import "github.com/hybridos-net/hybridos/chain/tx"

// Caps of the decoders and of the client.
const (
	// SecretSize is 128 bits: the link is all that keeps the box closed, and it
	// lives for minutes.
	SecretSize = 16
	// MaxSealed is the longest message that a node keeps in a box.
	MaxSealed = 16 << 10
	// MaxPlain is the longest message before it is sealed.
	MaxPlain = MaxSealed - nonceSize - tagSize
	// MaxLabel is the longest name of a phone, in bytes.
	MaxLabel = 64
	// MaxText is the longest sentence for people in a message, in bytes.
	MaxText = 512
	// MaxDevices is how many devices one message may name; a phone asks a node
	// for the others.
	MaxDevices = 32
	// MaxGrants is how many grants one message may bring.
	MaxGrants = 8

	maxLink    = 256 // an origin and a secret, with room
	maxOrigin  = 128 // as in the key (chain/key)
	maxName    = 64  // a name of a device
	maxChainID = 48  // as in the genesis document
	maxError   = 4 << 10
	maxWait    = 25 // seconds that a node holds a question
	nonceSize  = 12
	tagSize    = 16
	boxIDSize  = 16

	maxMethods   = tx.MaxMethods
	maxSignature = 1024 // the longest of any algorithm (chain/key)
)
