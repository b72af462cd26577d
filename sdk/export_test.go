package sdk

import "time"

// SetSilence shortens the time after which Follow asks a node.
func (c *Client) SetSilence(d time.Duration) { c.silence = d }

// Printable is printable.
var Printable = printable
