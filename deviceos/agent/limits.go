package agent

import "time"

const (
	maxConfig = 64 << 10
	maxModel  = 64 // as chain/tx has it
	maxNodes  = 16
	maxRate   = 100_000

	// quiet is how long no new head may come by gossip before the agent asks:
	// validators make a block every 10 s even when nothing happens.
	quiet = 12 * time.Second
	// look is how often it looks whether that is so.
	look = 2 * time.Second
	// ask bounds one such question.
	ask = 8 * time.Second
	// redial is the pause between attempts to reach the bus or a node.
	redial = time.Second
	// announceFirst and announceMost bound the pause after which a node is told
	// again which device this is: a node that is behind, or a device that its
	// vendor has yet to register, must cost next to nothing.
	announceFirst = time.Second
	announceMost  = 30 * time.Second
	// reserveAgain is the pause after which a node that is no relay to this device
	// is asked again; reserveLeast and reserveMost bound the one after which a
	// reservation is renewed. A quarter of each is left to chance.
	reserveAgain = 4 * time.Minute
	reserveLeast = time.Minute
	reserveMost  = 30 * time.Minute
	// maxPairings is how many pairing conversations may be open; their secrets
	// have 128 bits, so this bounds work, not guesses. More peers than can be
	// connected from one address at once (8), so that those do not even make an
	// owner who thinks before signing lose the place.
	maxPairings = 12
	// pairTime bounds one conversation, in which people press buttons.
	pairTime = 3 * time.Minute
	// armTime is how long the device looks for its claim on the ledger before it
	// tells the wallet that it goes on looking by itself.
	armTime = 20 * time.Second
	// armLook is the pause between two looks.
	armLook = 250 * time.Millisecond
	// maxCodeAddrs is how many addresses a pairing code shows.
	maxCodeAddrs = 4
	// maxClaims is how many signed claims are kept until one is on the ledger.
	maxClaims = 8
	// maxClaim is the longest kept claim: a transaction and the fields around.
	maxClaim = 66 << 10
	// statusTime bounds the question to a running agent.
	statusTime = 2 * time.Second
)
