package guard

import "time"

// Defaults of Config.
const (
	// DefaultConnectTimeout bounds how long a socket may sit without a CONNECT:
	// idle sockets are the cheapest attack there is.
	DefaultConnectTimeout = 10 * time.Second
	// DefaultPacketTimeout bounds one packet from its first to its last byte.
	DefaultPacketTimeout = 30 * time.Second
	// DefaultWriteTimeout bounds one write: a client that does not read is cut
	// off and cannot hold a broker goroutine.
	DefaultWriteTimeout = 10 * time.Second
	// DefaultMaxPacket caps a packet after login; a camera still fits, a memory
	// attack does not.
	DefaultMaxPacket = 256 << 10
	// DefaultMaxConnectPacket caps the CONNECT packet: nobody has logged in yet.
	DefaultMaxConnectPacket = 16 << 10
	// DefaultMaxConns caps connections in total.
	DefaultMaxConns = 1024
	// DefaultMaxConnsPerAddress caps connections of one remote address.
	DefaultMaxConnsPerAddress = 256
)

const (
	// maxClientID caps the client id in bytes (MQTT asks for 23 at least).
	maxClientID = 256
	// maxUserName caps the user name in bytes.
	maxUserName = 256
	// maxPassword caps the password in bytes: argon2 reads all of it.
	maxPassword = 4 << 10
	// maxTopic caps a topic or filter in bytes.
	maxTopic = 1024
	// maxLevels caps the levels of a topic or filter: the engine walks a tree.
	maxLevels = 32
	// maxFilters caps the filters of one SUBSCRIBE or UNSUBSCRIBE.
	maxFilters = 64
	// maxUserProperties caps the user properties of one packet.
	maxUserProperties = 32
	// growStep is what is allocated ahead of received bytes, whatever the
	// declared length says.
	growStep = 4 << 10
	// readBuffer is the size of the header reader of each connection.
	readBuffer = 512
)
