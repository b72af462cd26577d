package sdk_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/p2p/slim"
	"github.com/hybridos-net/hybridos/p2p/topic"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/sdk/sdktest"
)

// couple is a wallet and an unowned device.
type couple struct {
	ledger *sdktest.Ledger
	client *sdk.Client
	owner  *key.Private
	device pairing.Claimed
	host   *slim.Host
	code   pairing.Code
	wallet pairing.Owner
	ended  chan error // of the device's side
}

func newCouple(t *testing.T) *couple {
	t.Helper()
	l, dev := sdktest.New(t), sdktest.Key(t)
	l.Register(dev.Public())
	p := &couple{ledger: l, owner: sdktest.Key(t), host: p2ptest.Slim(t), ended: make(chan error, 4)}
	p.client = newClient(t, l, nil, sdktest.Serve(t, l).Addr)
	p.code = pairing.Code{
		Version: pairing.Version, Device: dev.Public().DeviceID(), ChainID: l.Doc.ChainID, Chain: l.Doc.Chain(),
		Secret: [pairing.SecretSize]byte{3}, Addrs: []string{p.host.Addrs()[0].String() + "/p2p/" + p.host.ID().String()},
	}
	p.device = pairing.Claimed{
		Chain: l.Doc.Chain(), Key: dev, SealKey: [32]byte{7}, Model: "Lock 1", Secret: p.code.Secret,
		Owned: func() bool { return false },
		Keep:  func(key.AccountID, []byte) error { return nil },
		Arm: func(owner key.AccountID, _ []byte, height uint64) (pairing.Armed, error) {
			d, err := state.GetDevice(l, dev.Public().DeviceID())
			if err == nil && (d.Owner == nil || *d.Owner != owner) {
				err = errors.New("not owned")
			}
			return pairing.Armed{Epoch: d.Epoch, Height: height}, err
		},
	}
	p.serve(t, func(st network.Stream) error { return pairing.Device(st, p.device) })
	root := p.owner.Public()
	p.wallet = pairing.Owner{
		Chain: l.Doc.Chain(), Account: root.AccountID(),
		Claim: func(q pairing.Peer) (*tx.Tx, error) {
			x, err := p.client.Build(patience(t), root.AccountID(), false, &tx.Claim{Device: q.Device.DeviceID(), Epoch: 1, Root: &root})
			if err == nil {
				x.Sign(p.client.Chain(), tx.RoleAccount, p.owner)
			}
			return x, err
		},
		Commit: func(x *tx.Tx) (uint64, error) {
			h, err := p.client.Submit(patience(t), x)
			return uint64(h), err
		},
	}
	return p
}

// serve answers pairing streams until the test ends.
func (p *couple) serve(t *testing.T, answer func(network.Stream) error) {
	var work sync.WaitGroup
	p.host.SetStreamHandler(topic.Pair, func(st network.Stream) {
		work.Go(func() {
			p.ended <- answer(st)
			_ = st.Close()
		})
	})
	t.Cleanup(func() {
		_ = p.host.Close()
		work.Wait()
	})
}

func TestPair_MakesAnOwner(t *testing.T) {
	p := newCouple(t)
	peer, armed, err := p.client.Pair(patience(t), p.code, p.wallet)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-p.ended; err != nil {
		t.Fatal(err)
	}
	if !peer.Device.Equal(p.device.Key.Public()) || armed.Epoch != 1 {
		t.Fatalf("%+v, %+v", peer, armed)
	}
	v, err := p.client.ViewAfter(patience(t), int64(armed.Height))
	if err != nil {
		t.Fatal(err)
	}
	d, err := state.GetDevice(v, p.code.Device)
	if err != nil || d.Owner == nil || *d.Owner != p.wallet.Account {
		t.Fatalf("%+v, %v", d, err)
	}
}

// TestPair_LaterAddress: an address that leads nowhere is not the end.
func TestPair_LaterAddress(t *testing.T) {
	p := newCouple(t)
	p.code.Addrs = append([]string{nobody}, p.code.Addrs...)
	if _, _, err := p.client.Pair(patience(t), p.code, p.wallet); err != nil {
		t.Fatal(err)
	}
}

func TestPair_Refusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, p *couple)
		kind  error
		told  error // what the device learns; nil: anything
	}{
		"owned":          {func(_ *testing.T, p *couple) { p.device.Owned = func() bool { return true } }, pairing.AlreadyOwned, pairing.AlreadyOwned},
		"secret":         {func(_ *testing.T, p *couple) { p.code.Secret[0]++ }, pairing.WrongSecret, pairing.WrongSecret},
		"another device": {func(t *testing.T, p *couple) { p.device.Key = sdktest.Key(t) }, pairing.WrongDevice, pairing.WrongDevice},
		"owner says no": {func(_ *testing.T, p *couple) {
			p.wallet.Claim = func(pairing.Peer) (*tx.Tx, error) { return nil, errors.New("no") }
		}, pairing.Cancelled, pairing.Cancelled},
		"ledger says no": {func(t *testing.T, p *couple) {
			p.ledger.Claim(sdktest.Key(t), p.device.Key) // somebody was faster
		}, state.DeviceOwned, pairing.NotCommitted},
		"not armed": {func(_ *testing.T, p *couple) {
			p.device.Arm = func(key.AccountID, []byte, uint64) (pairing.Armed, error) {
				return pairing.Armed{}, errors.New("no view")
			}
		}, pairing.NotArmed, pairing.NotArmed},
		"hangs up": {func(t *testing.T, p *couple) {
			p.serve(t, func(st network.Stream) error { return st.Reset() })
		}, network.ErrReset, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newCouple(t)
			c.spoil(t, p)
			_, _, err := p.client.Pair(patience(t), p.code, p.wallet)
			var refused *sdk.Error
			switch {
			case err == nil:
				t.Fatal("paired")
			case c.kind == state.DeviceOwned: // comes as a node's words
				if !errors.As(err, &refused) || refused.Kind != sdk.Refused {
					t.Fatal(err)
				}
			default:
				want(t, err, c.kind)
			}
			if told := <-p.ended; c.told != nil {
				want(t, told, c.told)
			}
		})
	}
}

func TestPair_NotReached(t *testing.T) {
	p := newCouple(t)
	for name, c := range map[string]struct {
		addrs []string
		kind  error
	}{
		"no address": {nil, sdk.BadAddress},
		"rubbish":    {[]string{"x"}, sdk.BadAddress},
		"nobody":     {[]string{nobody}, sdk.Unreachable},
		"no device":  {[]string{sdktest.Serve(t, p.ledger).Addr}, sdk.Unreachable},
	} {
		p.code.Addrs = c.addrs
		if _, _, err := p.client.Pair(patience(t), p.code, p.wallet); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPair_Ends: the conversation ends with its context, and with the client.
func TestPair_Ends(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(cancel func(), p *couple)
		kind error
	}{
		"cancelled": {func(cancel func(), _ *couple) { cancel() }, context.Canceled},
		"closed":    {func(_ func(), p *couple) { _ = p.client.Close() }, context.Canceled},
		"in time":   {func(func(), *couple) {}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			p := newCouple(t)
			heard := make(chan struct{})
			p.serve(t, func(st network.Stream) error {
				if _, err := st.Read(make([]byte, 1)); err != nil {
					return err
				}
				close(heard)
				_, err := io.Copy(io.Discard, st) // and says nothing
				return err
			})
			ctx, cancel := context.WithCancel(patience(t))
			defer cancel()
			if c.kind == context.DeadlineExceeded {
				ctx, cancel = context.WithTimeout(ctx, 500*time.Millisecond)
				defer cancel()
			}
			go func() { <-heard; c.end(cancel, p) }()
			_, _, err := p.client.Pair(ctx, p.code, p.wallet)
			want(t, err, c.kind)
			if err := <-p.ended; !errors.Is(err, network.ErrReset) {
				t.Errorf("the device learned %v", err)
			}
			_ = p.client.Close()
			_, _, err = p.client.Pair(patience(t), p.code, p.wallet)
			want(t, err, link.ErrClosed)
		})
	}
}
