package sdk

import (
	"errors"
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Caller signs commands with one key, in one replay lane.
type Caller struct {
	Chain     codec.ChainDigest
	Key       key.Signer
	Principal key.AccountID // the owner's account; ignored with a grant
	Grant     *tx.ID        // nil: the key is one of the owner's
	Salt      uint64        // names the lane; random, kept with Nonce
	// Nonce gives the lane's next number, rising. It must be on disk before it
	// is returned: a number used twice makes a replay of the second command.
	Nonce func() (uint64, error)
	Now   func() time.Time // nil: time.Now
}

// Call says what to invoke.
type Call struct {
	Device   key.DeviceID
	Epoch    uint64
	Endpoint string
	Method   string
	Params   []byte
	Body     []byte        // of the caller's grant, if that is private
	Life     time.Duration // 0: the longest that is allowed
	// Notarised: it runs only when the ledger has sealed it, and may live a day.
	Notarised bool
	Seen      int64 // the highest ledger height that the caller has verified
}

// Sign makes the signed command of a call. It uses up a number of the lane even
// when the call is refused as malformed.
func (s Caller) Sign(c Call) (*command.Command, error) {
	return s.sign(c, command.New)
}

// Cancel makes the signed command that ends another one, which has not been begun.
// The right to cancel is the right to send.
func (s Caller) Cancel(of *command.Command) (*command.Command, error) {
	b := &of.Body
	c := Call{Device: b.Device, Epoch: b.Epoch, Endpoint: b.Endpoint, Method: b.Method, Body: b.GrantBody(), Seen: int64(b.Seen)}
	return s.sign(c, func(body command.Body) (*command.Command, error) {
		return command.NewCancel(body, command.Cancel{Command: of.ID(s.Chain), Until: b.Expires})
	})
}

func (s Caller) sign(c Call, build func(command.Body) (*command.Command, error)) (*command.Command, error) {
	if s.Key == nil || s.Nonce == nil {
		return nil, errors.New("a caller needs a key and a source of nonces")
	}
	nonce, err := s.Nonce()
	if err != nil {
		return nil, fmt.Errorf("next number of the replay lane: %w", err)
	}
	cmd, err := build(s.body(c, nonce))
	if err != nil {
		return nil, err
	}
	cmd.Sign(s.Chain, s.Key)
	return cmd, nil
}

func (s Caller) body(c Call, nonce uint64) command.Body {
	now := time.Now()
	if s.Now != nil {
		now = s.Now()
	}
	principal := s.Principal
	if s.Grant != nil {
		principal = s.Key.Public().AccountID()
	}
	b := command.Body{
		Chain: command.Prefix(s.Chain), Device: c.Device, Endpoint: c.Endpoint, Epoch: c.Epoch,
		Principal: principal, Key: s.Key.Public().ID(), Grant: s.Grant, Salt: s.Salt, Nonce: nonce,
		IssuedAt: uint64(now.UnixMilli()),
		Method:   c.Method, Params: c.Params, Seen: uint64(max(c.Seen, 0)),
	}
	if c.Body != nil {
		b.WithGrantBody(c.Body)
	}
	if c.Notarised {
		b.Notarise()
	}
	if c.Life == 0 {
		c.Life = time.Duration(b.MaxLife()) * time.Millisecond
	}
	b.Expires = uint64(now.Add(c.Life).UnixMilli())
	return b
}
