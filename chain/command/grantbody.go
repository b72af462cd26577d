package command

import (
	"maps"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// ExtGrantBody is the critical extension that brings the body of a private
// grant, as a byte string.
const ExtGrantBody = 7

// WithGrantBody adds the body of the private grant that the command uses.
func (b *Body) WithGrantBody(body []byte) {
	ext := maps.Clone(b.Ext) // a copied Body shares its map
	if ext == nil {
		ext = make(map[uint64]codec.Raw)
	}
	ext[ExtGrantBody] = codec.MustMarshal(body)
	b.Ext = ext
}

// GrantBody is the body of a private grant that came along; nil if none did.
func (b *Body) GrantBody() []byte {
	raw, ok := b.Ext[ExtGrantBody]
	if !ok {
		return nil
	}
	var body []byte
	if err := codec.Unmarshal(raw, &body, tx.MaxPrivate+4); err != nil {
		return nil
	}
	return body
}

func (b *Body) checkGrantBody() error {
	raw, ok := b.Ext[ExtGrantBody]
	if !ok {
		return nil
	}
	if n := len(b.GrantBody()); n == 0 || n > tx.MaxPrivate || b.Grant == nil {
		return refuse(Malformed, "the body of a private grant, in %d bytes, without a grant or out of its form", len(raw))
	}
	return nil
}
