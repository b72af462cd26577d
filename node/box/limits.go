package box

import "time"

const (
	// MaxMessage is the longest sealed message: an offer with its device list,
	// or a handful of grants.
	MaxMessage = 16 << 10
	// Life is how long a box lives from its first message: longer than a wallet
	// waits for the phone.
	Life = 15 * time.Minute
	// MaxBoxes bounds the boxes in all.
	MaxBoxes = 1024
	// MaxOfClient bounds those that one client has made: a family adds a few
	// phones at once.
	MaxOfClient = 16
	// maxBytes bounds the messages in all boxes: all of them with the usual
	// 10 KiB, and not with the 80 KiB that each could hold.
	maxBytes = 16 << 20
)
