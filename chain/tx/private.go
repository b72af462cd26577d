package tx

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/codec"
)

// Private is all that the ledger gets to know of a private grant: a digest of
// its body, and the devices, so that the ledger can check whose they are. The
// owner's signature covers the digest and thereby the body, which travels with
// the grantee's commands.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Private struct {
	Digest  [32]byte      `cbor:"1,keyasint"`
	Devices []DeviceEpoch `cbor:"2,keyasint"` // 1 to MaxTargets, in rising order of device
}

// PrivateBody is the body of a private grant. The salt keeps who knows the
// devices from guessing it by its digest.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type PrivateBody struct {
	Salt  [32]byte    `cbor:"1,keyasint"`
	Grant CreateGrant `cbor:"2,keyasint"`
}

// ErrNotTheBody means that bytes are not the body of a private grant.
var ErrNotTheBody = errors.New("not the body of the private grant")

// Seal gives the payload that stands for g on the ledger, and the body that the
// grantee gets.
func Seal(chain codec.ChainDigest, salt [32]byte, g *CreateGrant) (*CreateGrant, []byte, error) {
	if err := g.StaticValidate(); err != nil {
		return nil, nil, err
	}
	if g.Private != nil || g.Depth > 0 {
		return nil, nil, malformed("a private grant within another, or one that is given on")
	}
	body := codec.MustMarshal(PrivateBody{Salt: salt, Grant: *g})
	if len(body) > MaxPrivate {
		return nil, nil, malformed(fmt.Sprintf("body of a private grant of %d bytes, at most %d", len(body), MaxPrivate))
	}
	p := &CreateGrant{Private: &Private{Digest: codec.Digest(codec.LabelGrant, chain, body), Devices: sortDevices(g.Devices())}}
	return p, body, p.StaticValidate()
}

// Open gives the grant in a body that a private grant stands for. The body must
// be the very bytes, and name no device that the ledger has not seen.
func (p *CreateGrant) Open(chain codec.ChainDigest, body []byte) (*CreateGrant, error) {
	if p.Private == nil || codec.Digest(codec.LabelGrant, chain, body) != p.Private.Digest {
		return nil, ErrNotTheBody
	}
	var b PrivateBody
	if err := codec.Unmarshal(body, &b, MaxPrivate); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotTheBody, err)
	}
	if err := b.Grant.StaticValidate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotTheBody, err)
	}
	if b.Grant.Private != nil || b.Grant.Depth > 0 {
		return nil, fmt.Errorf("%w: another within it, or one that is given on", ErrNotTheBody)
	}
	for _, d := range b.Grant.Devices() {
		if !p.Private.names(d) {
			return nil, fmt.Errorf("%w: %s is not on the ledger's list", ErrNotTheBody, d.Device)
		}
	}
	return &b.Grant, nil
}

func (p *Private) names(d DeviceEpoch) bool {
	return slices.Contains(p.Devices, d)
}

// validatePrivate checks a grant of which the ledger gets to know nothing else.
func (p *CreateGrant) validatePrivate() error {
	rest := *p
	rest.Private = nil
	if !bytes.Equal(codec.MustMarshal(rest), codec.MustMarshal(CreateGrant{})) {
		return malformed("a private grant with more than its digest and devices")
	}
	d := p.Private.Devices
	if len(d) == 0 || len(d) > MaxTargets || p.Private.Digest == [32]byte{} {
		return malformed(fmt.Sprintf("a private grant of %d devices, or without digest", len(d)))
	}
	for i := range d {
		if d[i].Device.IsZero() || d[i].Epoch == 0 {
			return malformed("a private grant without device or epoch")
		}
		if i > 0 && bytes.Compare(d[i-1].Device[:], d[i].Device[:]) >= 0 {
			return malformed("devices repeated or out of order")
		}
	}
	return nil
}

// sortDevices gives the devices in the one order that a list of them has.
func sortDevices(d []DeviceEpoch) []DeviceEpoch {
	slices.SortFunc(d, func(a, b DeviceEpoch) int { return bytes.Compare(a.Device[:], b.Device[:]) })
	return d
}
