package broker

import "time"

const (
	// listenerID is the engine's name for connections that come from the guard.
	listenerID = "guard"
	// sysInterval is how often, in seconds, the engine renews its $SYS topics,
	// which no client may read.
	sysInterval = 60
	// maxWritesPending caps the messages that wait for one slow client. It has
	// room for all retained messages of 1024 devices, as a wildcard fetches them.
	maxWritesPending = 4096
	// maxSessionExpiry caps, in seconds, how long a session outlives its client.
	maxSessionExpiry = 3600
	// maxInflight caps unacknowledged deliveries to one client.
	maxInflight = 256
	// receiveMaximum caps unacknowledged publishes of one client.
	receiveMaximum = 32
	// maxSessions caps the sessions of one account, open or lingering.
	maxSessions = 32
	// loginTimeout bounds the wait for a turn at the password check.
	loginTimeout = 10 * time.Second
)
