package gate

import "time"

const (
	// window is how many nonces below the highest of a lane may still come, for
	// commands that overtake each other.
	window = 64
	// MaxJump is how far a nonce may run ahead of its lane, and where a lane may
	// begin. A sender counts from 1 under a fresh salt.
	MaxJump = 1024
	// MaxLanesPerKey is how many senders (phones, tabs) may use one key within
	// the life of a command.
	MaxLanesPerKey = 16
	// MaxLanes bounds all lanes together.
	MaxLanes = 1024
	// MaxAhead is how far ahead of the device's time a command may have been
	// issued: a device without a clock knows the time by headers, and the time in
	// the newest one may be 20 s in the past (docs/spec/abci.md).
	MaxAhead = 25 * time.Second
	// keep is how long a receipt outlives its command, where there is room.
	keep = 10 * time.Minute
	// maxLong bounds the commands that are remembered for longer than commands
	// usually live, because they are notarised or cancel one that is, and
	// maxLongPerKey those of one key, so that no guest takes the owner's room.
	maxLong       = 1024
	maxLongPerKey = 32
	// pruneBatch is how many old records one commit removes at most, so that no
	// command pays for all.
	pruneBatch = 8
	// maxGrants bounds the verified grants held in memory.
	maxGrants = 256
	// maxCounted bounds the grants whose uses are counted, 700 bytes each on the
	// disk. Each takes a signature of the owner that the ledger has taken.
	maxCounted = 1024
	// maxPeers and maxKeys bound the token buckets.
	maxPeers = 256
	maxKeys  = 256
	// maxSessions bounds the peers whose streams end with their rights, twice as
	// many as have streams at once; maxRights the rights that are remembered of
	// one: a phone uses one or two. Together 1 MiB at most.
	maxSessions = 64
	maxRights   = 4
	// strangerShare is into how many parts the strangers' common rate is cut:
	// none of them gets more than one part.
	strangerShare = 8
	// hotGrant is how long after its last use a grant is proven anew with every
	// head, ahead of the next command.
	hotGrant = 10 * time.Minute
	// maxStored is the longest record: a receipt or a command, and the fields around
	// it.
	maxStored = 9 << 10
	// Trail is how many receipts are kept with their commands, for audits: some
	// 600 bytes each. The oldest go first, whether anchored or not: a door does not
	// stay shut because nobody fetched its receipts.
	Trail = 2048
	// maxOwner is the longest record of the pinned owner: tx.MaxKeys keys, and a
	// passkey has up to 700 bytes.
	maxOwner = 16 << 10
	// maxPolicy is the longest stored policy: tx.MaxRules rules of two names.
	maxPolicy = 16 << 10
)

// Limits are the device's own bounds. A zero means the default.
type Limits struct {
	// Records is how many commands are remembered at once; at least as many as
	// can be accepted within a command's life. Default 16384.
	Records int
	// Running is how many commands are carried out at once. Default 32.
	Running int
	// PerKey is how many commands a second one key may have executed.
	// Default 100, bursts of twice that.
	PerKey float64
	// PerPeer is how many signatures a second are checked for a peer that has
	// sent an authentic command before. Default 200, bursts of twice that.
	PerPeer float64
	// Strangers is the same for all other peers together, of which each gets an
	// eighth at most; the first command of each is counted apart when that is
	// used up. Default 50, bursts of twice that.
	Strangers float64
	// Lookups is how many ledger look-ups a second strangers may cause, shared
	// in the same way. Default 10, bursts of twice that.
	Lookups float64
	// Update is how long a command waits for a fresher ledger head. Default 3 s.
	Update time.Duration
	// Actuate is how long an actuator may take. Default 10 s.
	Actuate time.Duration
}

func (l Limits) withDefaults() Limits {
	def(&l.Records, 16384)
	def(&l.Running, 32)
	def(&l.PerKey, 100)
	def(&l.PerPeer, 200)
	def(&l.Strangers, 50)
	def(&l.Lookups, 10)
	def(&l.Update, 3*time.Second)
	def(&l.Actuate, 10*time.Second)
	return l
}

func def[T int | float64 | time.Duration](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}
