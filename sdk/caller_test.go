package sdk_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/sdk/sdktest"
)

func TestCaller_Sign(t *testing.T) {
	k := sdktest.Key(t)
	owner := sdktest.Key(t).Public().AccountID()
	now := time.UnixMilli(1_800_000_000_123)
	nonce := uint64(4)
	caller := sdk.Caller{
		Chain: codec.ChainDigest{1, 2}, Key: k, Principal: owner, Salt: 9,
		Nonce: func() (uint64, error) { nonce++; return nonce, nil }, Now: func() time.Time { return now },
	}
	call := sdk.Call{Device: key.DeviceID{7}, Epoch: 3, Endpoint: "lock", Method: "open", Params: []byte{1}, Seen: 12}
	c, err := caller.Sign(call)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.VerifyBy(caller.Chain, k.Public()); err != nil {
		t.Fatal(err)
	}
	if _, err := command.Decode(c.Bytes()); err != nil {
		t.Fatal(err)
	}
	b := c.Body
	if b.Principal != owner || b.Grant != nil || b.Key != k.Public().ID() || b.Salt != 9 || b.Nonce != 5 || b.Seen != 12 || b.Chain != command.Prefix(caller.Chain) {
		t.Errorf("%+v", b)
	}
	if b.IssuedAt != 1_800_000_000_123 || b.Expires-b.IssuedAt != command.MaxLife {
		t.Errorf("lives from %d to %d", b.IssuedAt, b.Expires)
	}
	caller.Grant, call.Life, call.Seen = &tx.ID{5}, 2*time.Second, -1
	if c, err = caller.Sign(call); err != nil {
		t.Fatal(err)
	}
	b = c.Body
	if b.Principal != k.Public().AccountID() || *b.Grant != (tx.ID{5}) || b.Nonce != 6 || b.Expires-b.IssuedAt != 2000 || b.Seen != 0 {
		t.Errorf("under a grant: %+v", b)
	}
}

// A caller may hold any kind of key.
func TestCaller_Phone(t *testing.T) {
	for _, k := range []key.Signer{keytest.P256("browser"), keytest.Phone("phone")} {
		caller := sdk.Caller{Key: k, Nonce: func() (uint64, error) { return 1, nil }}
		c, err := caller.Sign(sdk.Call{Device: key.DeviceID{7}, Epoch: 1, Endpoint: "lock", Method: "open"})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.VerifyBy(codec.ChainDigest{}, k.Public()); err != nil {
			t.Errorf("algorithm %d: %v", k.Public().Alg, err)
		}
	}
}

func TestCaller_Refusals(t *testing.T) {
	k := sdktest.Key(t)
	full := errors.New("disk full")
	one := func() (uint64, error) { return 1, nil }
	good := sdk.Call{Device: key.DeviceID{7}, Epoch: 1, Endpoint: "lock", Method: "open"}
	edit := func(f func(*sdk.Call)) sdk.Call { c := good; f(&c); return c }
	for name, c := range map[string]struct {
		caller sdk.Caller
		call   sdk.Call
		kind   error
	}{
		"no key":          {sdk.Caller{Nonce: one}, good, nil},
		"no nonces":       {sdk.Caller{Key: k}, good, nil},
		"nonce not kept":  {sdk.Caller{Key: k, Nonce: func() (uint64, error) { return 0, full }}, good, full},
		"nonce zero":      {sdk.Caller{Key: k, Nonce: func() (uint64, error) { return 0, nil }}, good, command.Malformed},
		"no epoch":        {sdk.Caller{Key: k, Nonce: one}, edit(func(c *sdk.Call) { c.Epoch = 0 }), command.Malformed},
		"bad method":      {sdk.Caller{Key: k, Nonce: one}, edit(func(c *sdk.Call) { c.Method = "Open!" }), command.Malformed},
		"negative life":   {sdk.Caller{Key: k, Nonce: one}, edit(func(c *sdk.Call) { c.Life = -time.Second }), command.Malformed},
		"params too long": {sdk.Caller{Key: k, Nonce: one}, edit(func(c *sdk.Call) { c.Params = make([]byte, command.MaxBytes) }), command.TooLarge},
	} {
		_, err := c.caller.Sign(c.call)
		if err == nil || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCaller_Sealed: what the ledger must seal lives a day.
func TestCaller_Sealed(t *testing.T) {
	caller := sdk.Caller{Key: sdktest.Key(t), Nonce: func() (uint64, error) { return 1, nil }}
	c, err := caller.Sign(sdk.Call{Device: key.DeviceID{7}, Epoch: 1, Endpoint: "lock", Method: "open", Notarised: true})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Body.Notarised() || c.Body.Expires-c.Body.IssuedAt != command.MaxSealedLife {
		t.Errorf("%+v", c.Body)
	}
}

// TestCaller_Cancel: a cancel has the rights of what it ends, and names it.
func TestCaller_Cancel(t *testing.T) {
	caller := sdk.Caller{Key: sdktest.Key(t), Grant: &tx.ID{5}, Nonce: func() (uint64, error) { return 1, nil }}
	of, err := caller.Sign(sdk.Call{Device: key.DeviceID{7}, Epoch: 3, Endpoint: "lock", Method: "open", Params: []byte{1}, Body: []byte("private")})
	if err != nil {
		t.Fatal(err)
	}
	c, err := caller.Cancel(of)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := c.Body.Cancel()
	if !ok || got.Command != of.ID(caller.Chain) || got.Until != of.Body.Expires {
		t.Errorf("cancels %+v", got)
	}
	b := c.Body
	if b.Device != of.Body.Device || b.Epoch != 3 || b.Endpoint != "lock" || b.Method != "open" || *b.Grant != *of.Body.Grant || string(b.GrantBody()) != "private" {
		t.Errorf("%+v", b)
	}
}
