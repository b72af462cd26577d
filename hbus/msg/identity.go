package msg

import (
	"crypto/ed25519"
	"encoding/hex"
	"math"
)

// Identity is who a peer is, as the broker knows it: uid, gid and pid come from
// the kernel, Key only after a proof, Agent only when both the agent's uid and
// its key hold. A peer cannot write its own.
type Identity struct {
	App   string
	UID   uint32
	GID   uint32
	PID   uint32
	Key   ed25519.PublicKey // nil without a proof
	Agent bool              // may mark calls as verified
}

func (m *Identity) check() error { return CheckApp(m.App) }

// AppendJSON writes m as it stands on the wire.
func (m *Identity) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"app":`...)
	dst = appendString(dst, m.App)
	dst = uintMember(dst, "uid", uint64(m.UID))
	dst = uintMember(dst, "gid", uint64(m.GID))
	dst = uintMember(dst, "pid", uint64(m.PID))
	if m.Key != nil {
		dst = append(member(dst, "key"), '"')
		dst = append(hex.AppendEncode(dst, m.Key), '"')
	}
	return append(flagMember(dst, "agent", m.Agent), '}')
}

// MarshalJSON gives the form of the wire.
func (m Identity) MarshalJSON() ([]byte, error) { return m.AppendJSON(nil), nil }

func readIdentity(f *fields, key string, raw []byte) Identity {
	var id Identity
	f.object(key, raw, func(in *fields) {
		id = Identity{
			App: in.str("app"),
			UID: uint32(in.uint("uid", math.MaxUint32)),
			GID: uint32(in.uint("gid", math.MaxUint32)),
			PID: uint32(in.uint("pid", math.MaxUint32)),
			Key: in.hex("key", ed25519.PublicKeySize), Agent: in.flag("agent"),
		}
	})
	return id
}
