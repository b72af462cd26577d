package command

import "github.com/hybridos-net/hybridos/chain/codec"

// Cancel says which command must not be begun any more: the params of a command
// of TypeCancel, whose endpoint and method are those of the command that it
// ends. It needs no more right than that one, and ends only commands of the same
// key, or any if an owner's key signs it.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Cancel struct {
	Command ID     `cbor:"1,keyasint"`
	Until   uint64 `cbor:"2,keyasint"` // when that command expires, Unix milliseconds; the device remembers it as long
}

// maxCancel bounds the params of a cancel: an id, a number and their heads.
const maxCancel = 64

// NewCancel builds an unsigned cancel of a command: b is its body but for type
// and params, which are filled in.
func NewCancel(b Body, of Cancel) (*Command, error) {
	b.Type, b.Params = TypeCancel, codec.MustMarshal(of)
	return build(b)
}

// Cancel is which command this one ends; false for a command of another type.
func (b *Body) Cancel() (Cancel, bool) {
	if b.Type != TypeCancel {
		return Cancel{}, false
	}
	var c Cancel
	err := codec.Unmarshal(b.Params, &c, maxCancel)
	return c, err == nil
}

func (b *Body) checkCancel() error {
	if b.Type != TypeCancel {
		return nil
	}
	if c, ok := b.Cancel(); !ok || c.Command == (ID{}) || c.Until == 0 || b.Notarised() {
		return refuse(Malformed, "a cancel that names no command and its end, or is itself to be sealed")
	}
	return nil
}
