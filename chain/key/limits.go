package key

// Caps of the decoders. A passkey's parts are capped one by one, so that its
// record, its signature and its text are too.
const (
	// MaxSignature is the longest signature of any algorithm: an assertion with
	// both parts at their caps takes 972 bytes.
	MaxSignature = 1024
	// MaxOrigins is how many pages one passkey may be used on.
	MaxOrigins = 4
	// MaxName is the longest relying party id and the longest origin.
	MaxName = 128

	// maxAuthData is the longest authenticator data: 37 bytes, and extensions
	// that some authenticators add unasked.
	maxAuthData = 256
	minAuthData = 37
	// maxClientData is the longest client data: 114 fixed bytes, a challenge of
	// 43, an origin, and room for what browsers add behind.
	maxClientData = 640

	// maxPasskey is the longest record of a passkey: the map's head, a point (36
	// bytes with key and head), a relying party id (131), and origins (522).
	maxPasskey = 1 + 36 + 131 + 522
	// maxIDText is the longest text of an id that is looked at; BIP-173 caps
	// bech32 at 90 characters.
	maxIDText = 90
	// maxPublicText is the text of the longest passkey: prefix and separator, an
	// algorithm byte and the record in fives, a checksum of 6.
	maxPublicText = len(prefixPublic) + 1 + ((1+maxPasskey)*8+4)/5 + 6
)
