package guard

// ErrorKind names one reason for which the guard refuses a client. It is an
// error itself, so that errors.Is(err, guard.PacketTooLarge) works.
type ErrorKind string

// Error makes a kind usable as the target of errors.Is.
func (k ErrorKind) Error() string { return "mqtt guard: " + string(k) }

// The kinds of refusal. Names are stable: they are logged, counted and
// documented in docs/spec/mqtt.md.
const (
	// ConnectTimeout: no whole CONNECT within the connect deadline.
	ConnectTimeout ErrorKind = "connect-timeout"
	// PacketTimeout: a packet was begun and not finished in time.
	PacketTimeout ErrorKind = "packet-timeout"
	// KeepAliveTimeout: silence of one and a half times the keep alive.
	KeepAliveTimeout ErrorKind = "keepalive-timeout"
	// SlowReader: the client did not take what was written to it in time.
	SlowReader ErrorKind = "slow-reader"
	// FirstNotConnect: the first packet is no CONNECT.
	FirstNotConnect ErrorKind = "first-not-connect"
	// SecondConnect: a CONNECT after the first.
	SecondConnect ErrorKind = "second-connect"
	// PacketTooLarge: the declared length is over the cap of this phase.
	PacketTooLarge ErrorKind = "packet-too-large"
	// MalformedLength: the remaining length is not a minimal varint of 1-4 bytes.
	MalformedLength ErrorKind = "malformed-length"
	// MalformedFlags: reserved or impossible flag bits.
	MalformedFlags ErrorKind = "malformed-flags"
	// MalformedPacket: a field runs past the packet or bytes are left over.
	MalformedPacket ErrorKind = "malformed-packet"
	// MalformedString: text that is not UTF-8 or holds control characters.
	MalformedString ErrorKind = "malformed-string"
	// MalformedProperty: unknown, misplaced, repeated or out of range property.
	MalformedProperty ErrorKind = "malformed-property"
	// MalformedReason: a reason code that this packet cannot carry.
	MalformedReason ErrorKind = "malformed-reason"
	// UnexpectedType: a packet type that only servers send, or a reserved one.
	UnexpectedType ErrorKind = "unexpected-type"
	// UnsupportedProtocol: protocol name or level other than MQTT 4 and 5.
	UnsupportedProtocol ErrorKind = "unsupported-protocol"
	// BadClientID: an empty id where one is needed, or one too long.
	BadClientID ErrorKind = "bad-client-id"
	// BadPacketID: packet id zero.
	BadPacketID ErrorKind = "bad-packet-id"
	// BadTopic: a topic name that is empty, too long, too deep or holds wildcards.
	BadTopic ErrorKind = "bad-topic"
	// BadFilter: no filter, too many, or one that is not well formed.
	BadFilter ErrorKind = "bad-filter"
	// BadOptions: a subscription whose options are missing or impossible.
	BadOptions ErrorKind = "bad-options"
	// TopicAlias: a topic alias, which this server does not offer.
	TopicAlias ErrorKind = "topic-alias"
	// AuthMethod: enhanced authentication, which this server does not offer.
	AuthMethod ErrorKind = "auth-method"
	// TooManyConnections: the total of connections is reached.
	TooManyConnections ErrorKind = "too-many-connections"
	// TooManyFromAddress: one address holds its share of connections.
	TooManyFromAddress ErrorKind = "too-many-from-address"
	// Panicked: serving this client panicked; the connection was closed, the
	// process lives on.
	Panicked ErrorKind = "panicked"
)

// Kinds lists every kind, for documents and tests.
func Kinds() []ErrorKind {
	return []ErrorKind{
		ConnectTimeout, PacketTimeout, KeepAliveTimeout, SlowReader, FirstNotConnect, SecondConnect,
		PacketTooLarge, MalformedLength, MalformedFlags, MalformedPacket, MalformedString,
		MalformedProperty, MalformedReason, UnexpectedType, UnsupportedProtocol, BadClientID,
		BadPacketID, BadTopic, BadFilter, BadOptions, TopicAlias, AuthMethod,
		TooManyConnections, TooManyFromAddress, Panicked,
	}
}

// Error is a refusal with its kind and what was seen.
type Error struct {
	Kind   ErrorKind
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return e.Kind.Error() + ": " + e.Detail }

// Unwrap lets errors.Is compare with the kind.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind ErrorKind, detail string) *Error { return &Error{Kind: kind, Detail: detail} }

// reason is the MQTT 5 reason code with which a client is told of a refusal.
func (k ErrorKind) reason() byte {
	switch k {
	case PacketTooLarge:
		return 0x95
	case KeepAliveTimeout:
		return 0x8D
	case TopicAlias:
		return 0x94
	case AuthMethod:
		return 0x8C
	case BadTopic:
		return 0x90
	case BadFilter:
		return 0x8F
	case SecondConnect, BadPacketID, UnexpectedType, PacketTimeout:
		return 0x82
	case Panicked:
		return 0x80
	default:
		return 0x81
	}
}
