package msg

import (
	"crypto/ed25519"
	"encoding/hex"
)

// ChallengeSize is the size of the broker's challenge, fresh per connection.
const ChallengeSize = 32

// proofLabel is the domain of a proof: an app key signs nothing else that
// starts so.
const proofLabel = "hybridos/hbus-auth/v1"

// ProofMessage is what an app key signs: label, a zero byte, the challenge,
// the app name. The name is inside so that a proof for one app is none for
// another.
func ProofMessage(challenge []byte, app string) []byte {
	b := make([]byte, 0, len(proofLabel)+1+len(challenge)+len(app))
	b = append(b, proofLabel...)
	b = append(b, 0)
	b = append(b, challenge...)
	return append(b, app...)
}

// Hello is the broker's first message.
//
// Evolution (holds for every message): fields are never renamed or re-typed;
// a new field is sent only to a peer whose version has it.
type Hello struct {
	Version   uint64
	Challenge []byte // ChallengeSize bytes
}

// Type implements Message.
func (*Hello) Type() string { return "hello" }

// Check implements Message.
func (m *Hello) Check() error {
	if len(m.Challenge) != ChallengeSize {
		return Refuse(BadValue, "challenge of %d bytes", len(m.Challenge))
	}
	return nil
}

func (m *Hello) append(dst []byte) []byte {
	dst = uintMember(open(dst, "hello", 0), "version", m.Version)
	dst = strMember(dst, "challenge", hex.EncodeToString(m.Challenge))
	return append(dst, '}')
}

func readHello(f *fields) Message {
	return &Hello{Version: f.uint("version", MaxID), Challenge: f.hex("challenge", ChallengeSize)}
}

// Auth is the client's first message: who it says it is, and optionally the
// proof that it holds the key registered for that name.
type Auth struct {
	Version uint64
	App     string
	Key     ed25519.PublicKey // with Proof or not at all
	Proof   []byte            // signature over ProofMessage
}

// Type implements Message.
func (*Auth) Type() string { return "auth" }

// Check implements Message.
func (m *Auth) Check() error {
	if (m.Key == nil) != (m.Proof == nil) {
		return Refuse(MissingField, "key and proof go together")
	}
	if m.Key != nil && (len(m.Key) != ed25519.PublicKeySize || len(m.Proof) != ed25519.SignatureSize) {
		return Refuse(BadValue, "size of key or proof")
	}
	return CheckApp(m.App)
}

func (m *Auth) append(dst []byte) []byte {
	dst = uintMember(open(dst, "auth", 0), "version", m.Version)
	dst = strMember(dst, "app", m.App)
	if m.Key != nil {
		dst = strMember(dst, "key", hex.EncodeToString(m.Key))
		dst = strMember(dst, "proof", hex.EncodeToString(m.Proof))
	}
	return append(dst, '}')
}

func readAuth(f *fields) Message {
	return &Auth{
		Version: f.uint("version", MaxID), App: f.str("app"),
		Key: f.hex("key", ed25519.PublicKeySize), Proof: f.hex("proof", ed25519.SignatureSize),
	}
}

// Welcome answers Auth: this is how the broker sees the peer, and how callees
// will see it.
type Welcome struct {
	You Identity
}

// Type implements Message.
func (*Welcome) Type() string { return "welcome" }

// Check implements Message.
func (m *Welcome) Check() error { return m.You.check() }

func (m *Welcome) append(dst []byte) []byte {
	dst = m.You.AppendJSON(member(open(dst, "welcome", 0), "you"))
	return append(dst, '}')
}

func readWelcome(f *fields) Message {
	return &Welcome{You: readIdentity(f, "you", f.need("you"))}
}
