package key

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/hybridos-net/hybridos/chain/codec"
)

// PasskeyRecord is what the Bytes of a Passkey encode: the point, and where it
// may be used. Both names are part of the key and so of every id made of it.
//
// Evolution: the three fields are fixed for good.
type PasskeyRecord struct {
	Point   []byte   `cbor:"1,keyasint"` // 33 bytes, compressed point of P-256
	RPID    string   `cbor:"2,keyasint"` // relying party id: a domain name
	Origins []string `cbor:"3,keyasint"` // 1 to MaxOrigins, strictly ascending, each on the RPID's domain
}

// Assertion is what a Signature of a Passkey encodes (WebAuthn Level 2, section
// 6.3.3).
//
// Evolution: the three fields are fixed for good.
type Assertion struct {
	AuthData   []byte `cbor:"1,keyasint"` // authenticatorData
	ClientData []byte `cbor:"2,keyasint"` // clientDataJSON
	Sig        []byte `cbor:"3,keyasint"` // r||s over SHA-256(authenticatorData || SHA-256(clientDataJSON)), low s
}

// NewPasskey makes the public key of a record. It refuses what Validate would.
func NewPasskey(r PasskeyRecord) (Public, error) {
	p := Public{Alg: Passkey, Bytes: codec.MustMarshal(r)}
	return p, p.Validate()
}

// Passkey reads the record of a key of algorithm Passkey.
func (p Public) Passkey() (PasskeyRecord, error) {
	if p.Alg != Passkey {
		return PasskeyRecord{}, &Error{Kind: BadKey, Detail: fmt.Sprintf("algorithm %d is no passkey", p.Alg)}
	}
	r, _, err := parsePasskey(p.Bytes)
	return r, err
}

func parsePasskey(b []byte) (r PasskeyRecord, p *ecdsa.PublicKey, err error) {
	if err := codec.Unmarshal(b, &r, maxPasskey); err != nil {
		return r, nil, &Error{Kind: BadKey, Detail: err.Error()}
	}
	if !validDomain(r.RPID) {
		return r, nil, &Error{Kind: BadKey, Detail: fmt.Sprintf("relying party id %q is no domain name in lower case", r.RPID)}
	}
	if len(r.Origins) == 0 || len(r.Origins) > MaxOrigins {
		return r, nil, &Error{Kind: BadKey, Detail: fmt.Sprintf("%d origins, want 1 to %d", len(r.Origins), MaxOrigins)}
	}
	for i, o := range r.Origins {
		if !validOrigin(o, r.RPID) {
			return r, nil, &Error{Kind: BadKey, Detail: fmt.Sprintf("origin %q is not a page of %s", o, r.RPID)}
		}
		if i > 0 && r.Origins[i-1] >= o {
			return r, nil, &Error{Kind: BadKey, Detail: "origins repeated or out of order"}
		}
	}
	p, err = parseP256(r.Point)
	return r, p, err
}

// validDomain reports whether s is a domain name in lower-case ASCII and no IP
// address: the last label begins with a letter, which no form of an address
// that browsers read does (URL Standard, "ends in a number").
func validDomain(s string) bool {
	if s == "" || len(s) > MaxName {
		return false
	}
	last := ""
	for _, last = range strings.Split(s, ".") {
		if last == "" || len(last) > 63 || last[0] == '-' || last[len(last)-1] == '-' {
			return false
		}
		for i := range len(last) {
			if c := last[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return last[0] >= 'a'
}

// validOrigin reports whether s is an origin as browsers write it, on the
// relying party's domain or below. Plain http is for localhost alone, where
// browsers give passkeys too.
func validOrigin(s, rpID string) bool {
	host, ok := strings.CutPrefix(s, "https://")
	defaultPort := "443"
	if !ok {
		if host, ok = strings.CutPrefix(s, "http://"); !ok {
			return false
		}
		defaultPort = "80"
	}
	host, port, hasPort := strings.Cut(host, ":")
	if hasPort && (!validPort(port) || port == defaultPort) || defaultPort == "80" && host != "localhost" {
		return false
	}
	return len(s) <= MaxName && validDomain(host) && (host == rpID || strings.HasSuffix(host, "."+rpID))
}

func validPort(s string) bool {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n <= 65535
}

// Flags of authenticator data (WebAuthn Level 2, section 6.1).
const (
	flagUserPresent  = 1 << 0
	flagUserVerified = 1 << 2
	flagAttested     = 1 << 6
	flagExtensions   = 1 << 7
)

// verifyPasskey checks an assertion in the order that docs/spec/keys.md gives,
// so that every implementation refuses with the same kind. The counter of
// authenticator data is not looked at: passkeys that are synchronised between
// phones keep it at zero.
func verifyPasskey(pub []byte, digest [32]byte, sig Signature) error {
	a, err := decodeAssertion(sig)
	if err != nil {
		return err
	}
	record, point, err := parsePasskey(pub)
	if err != nil {
		return err
	}
	if err := checkClientData(a.ClientData, digest, record.Origins); err != nil {
		return err
	}
	if err := checkAuthData(a.AuthData, record.RPID); err != nil {
		return err
	}
	r, s, err := parseP256Signature(a.Sig)
	if err != nil {
		return err
	}
	client := sha256.Sum256(a.ClientData)
	signed := sha256.Sum256(append(bytes.Clone(a.AuthData), client[:]...))
	if !ecdsa.Verify(point, signed[:], r, s) {
		return &Error{Kind: BadSignature, Detail: "does not match key and assertion"}
	}
	return nil
}

func decodeAssertion(sig Signature) (a Assertion, err error) {
	if err := codec.Unmarshal(sig, &a, MaxSignature); err != nil {
		return a, &Error{Kind: BadSignature, Detail: err.Error()}
	}
	if len(a.AuthData) < minAuthData || len(a.AuthData) > maxAuthData || len(a.ClientData) > maxClientData || len(a.Sig) != SignatureSize {
		return a, &Error{Kind: BadSignature, Detail: fmt.Sprintf("authenticator data of %d bytes, client data of %d, r and s of %d", len(a.AuthData), len(a.ClientData), len(a.Sig))}
	}
	return a, nil
}

// checkClientData is the limited verification of WebAuthn Level 2, section
// 5.8.1.2: clients write these members first, in this order and in this form,
// and what may follow them cannot change them. No JSON parser is used, since
// parsers disagree about repeated names and odd escapes.
//
// A client that leaves crossOrigin out altogether is accepted when nothing
// follows the origin: so do the browsers of one large phone maker, and Level 3
// says that absent means false.
func checkClientData(data []byte, digest [32]byte, origins []string) error {
	rest, ok := bytes.CutPrefix(data, []byte(`{"type":"webauthn.get","challenge":"`))
	if !ok {
		return &Error{Kind: BadSignature, Detail: "client data is not of an assertion"}
	}
	challenge := base64.RawURLEncoding.EncodeToString(digest[:])
	if rest, ok = bytes.CutPrefix(rest, []byte(challenge+`"`)); !ok {
		return &Error{Kind: WrongChallenge, Detail: "made for another digest"}
	}
	if rest, ok = cutOrigin(rest, origins); !ok {
		return &Error{Kind: WrongOrigin, Detail: "made on a page that the key does not name"}
	}
	if string(rest) == "}" {
		return nil
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"crossOrigin":false`)); !ok {
		return &Error{Kind: WrongOrigin, Detail: "made in a frame of another site"}
	}
	if string(rest) == "}" || len(rest) >= 2 && rest[0] == ',' && rest[len(rest)-1] == '}' {
		return nil
	}
	return &Error{Kind: BadSignature, Detail: "client data does not end as it should"}
}

// cutOrigin takes the member off that names one of the origins. They hold
// nothing that JSON escapes, so that their encoding is themselves in quotes.
func cutOrigin(b []byte, origins []string) (rest []byte, ok bool) {
	for _, o := range origins {
		if rest, ok = bytes.CutPrefix(b, []byte(`,"origin":"`+o+`"`)); ok {
			return rest, true
		}
	}
	return nil, false
}

func checkAuthData(data []byte, rpID string) error {
	want := sha256.Sum256([]byte(rpID))
	if !bytes.Equal(data[:32], want[:]) {
		return &Error{Kind: WrongRP, Detail: "made for another relying party than " + rpID}
	}
	flags := data[32]
	if flags&flagUserPresent == 0 {
		return &Error{Kind: UserNotPresent, Detail: "nobody touched the authenticator"}
	}
	if flags&flagUserVerified == 0 {
		return &Error{Kind: UserNotVerified, Detail: "neither PIN nor biometrics"}
	}
	if flags&flagAttested != 0 || (flags&flagExtensions != 0) != (len(data) > minAuthData) {
		return &Error{Kind: BadSignature, Detail: "authenticator data of another ceremony, or of another length than its flags say"}
	}
	return nil
}
