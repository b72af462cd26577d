package phone

import (
	"context"
	"time"
)

// Hurry lets a client pause without waiting and tells of each pause.
func (c *Client) Hurry(each func(time.Duration)) {
	c.pause = func(ctx context.Context, d time.Duration) error {
		each(d)
		return ctx.Err()
	}
}

// Tries is how often a client asks before it gives up.
const Tries = tries
