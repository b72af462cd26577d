package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/clock"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/vault"
	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// keptClaim is a claim that the device has signed.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type keptClaim struct {
	Owner    key.AccountID `cbor:"1,keyasint"`
	Envelope []byte        `cbor:"2,keyasint"`
}

// pairer lets somebody who holds the pairing code become the first owner, and
// arms the gate once the ledger says so.
type pairer struct {
	host   host.Host
	keep   func(peer.ID)
	home   *Home
	model  string
	chain  codec.ChainDigest
	vault  *vault.Vault
	gate   *gate.Gate
	light  *light.Client
	clock  *clock.Clock
	log    *slog.Logger
	places *places
	owned  func() // called when the device has got its owner

	mu     sync.Mutex
	closed bool
	open   sync.WaitGroup
}

// handle is the stream handler; run ends what it began.
func (p *pairer) handle(ctx context.Context, s network.Stream) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		_ = s.Reset()
		return
	}
	p.open.Add(1)
	p.mu.Unlock()
	defer p.open.Done()
	p.serve(ctx, s)
}

// run takes pairing conversations until ctx ends.
func (p *pairer) run(ctx context.Context) error {
	p.host.SetStreamHandler(topic.Pair, func(s network.Stream) { p.handle(ctx, s) })
	<-ctx.Done()
	p.host.RemoveStreamHandler(topic.Pair)
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.open.Wait()
	return nil
}

// serve is one pairing conversation.
func (p *pairer) serve(ctx context.Context, s network.Stream) {
	ctx, place, ok := p.places.take(ctx, s.Conn().RemotePeer())
	if !ok {
		_ = s.ResetWithError(network.StreamResourceLimitExceeded)
		return
	}
	defer place.leave()
	ctx, cancel := context.WithTimeout(ctx, pairTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = s.ResetWithError(network.StreamResourceLimitExceeded) })
	defer stop()
	_ = s.SetDeadline(time.Now().Add(pairTime))
	if err := pairing.Device(s, p.claimed(ctx, place)); err != nil {
		level := slog.LevelDebug // strangers must not fill the log
		if place.isProven() {
			level = slog.LevelWarn
		}
		p.log.Log(ctx, level, "pairing failed", "peer", s.Conn().RemotePeer(), "error", err)
		_ = s.CloseWrite() // what was sent last says why
	} else {
		p.log.Info("paired")
	}
	_ = s.Close()
}

func (p *pairer) claimed(ctx context.Context, place *place) pairing.Claimed {
	return pairing.Claimed{
		Chain: p.chain, Key: p.home.ID.Device, SealKey: [32]byte(p.home.ID.Seal.PublicKey().Bytes()),
		Model: p.model, Secret: [pairing.SecretSize]byte(p.home.ID.Secret), Batch: p.home.Batch,
		Owned: func() bool { _, owned := p.gate.Owner(); return owned },
		Keep: func(owner key.AccountID, envelope []byte) error {
			place.prove() // asked only of who knows the secret
			p.keep(place.from)
			return p.store(owner, envelope)
		},
		Arm: func(owner key.AccountID, envelope []byte, height uint64) (pairing.Armed, error) {
			return p.await(ctx, keptClaim{owner, envelope}, height)
		},
	}
}

// store keeps a claim before its signature leaves the device. Those that can no
// longer be committed make room.
func (p *pairer) store(owner key.AccountID, envelope []byte) error {
	writes, count, err := p.expired()
	if err != nil {
		return err
	}
	if count-len(writes) >= maxClaims {
		return fmt.Errorf("%d claims wait for the ledger", count)
	}
	sum := sha256.Sum256(envelope)
	return p.vault.Commit(append(writes, vault.Write{
		Key: vault.FamilyClaim.Key(sum[:]...), Value: codec.MustMarshal(keptClaim{owner, envelope}),
	})...)
}

func (p *pairer) expired() (writes []vault.Write, count int, err error) {
	// A claim just expired may be in a block that is not proven yet.
	limit := uint64(p.clock.Now().Unix()) - uint64(time.Hour/time.Second)
	err = p.vault.Each(vault.FamilyClaim, func(rest, value []byte) error {
		count++
		var k keptClaim
		if err := codec.Unmarshal(value, &k, maxClaim); err != nil {
			return fmt.Errorf("stored claim: %w", err)
		}
		if t, err := tx.Decode(k.Envelope); err != nil || t.Body.Expires < limit {
			writes = append(writes, vault.Write{Key: vault.FamilyClaim.Key(rest...)})
		}
		return nil
	})
	return writes, count, err
}

// await looks for a claim until the ledger has come past the height that the
// wallet named.
func (p *pairer) await(ctx context.Context, k keptClaim, height uint64) (pairing.Armed, error) {
	ctx, cancel := context.WithTimeout(ctx, armTime)
	defer cancel()
	for {
		_, err := p.light.Update(ctx)
		if err == nil {
			err = p.arm(ctx, k)
		}
		if own, ok := p.gate.Owner(); ok {
			if own.Owner.Account != k.Owner {
				return pairing.Armed{}, errors.New("somebody else became the owner")
			}
			return pairing.Armed{Epoch: own.Epoch, Height: uint64(p.light.Head().Height)}, nil
		}
		// What a block did is proven by the header after it.
		if err != nil && uint64(p.light.Head().Height) > height+1 {
			return pairing.Armed{}, fmt.Errorf("the claim is not on the ledger: %w", err)
		}
		select {
		case <-ctx.Done():
			return pairing.Armed{}, errors.Join(errors.New("not seen on the ledger yet"), err)
		case <-time.After(armLook):
		}
	}
}

// late arms a device whose pairing was cut off after it had signed.
func (p *pairer) late(ctx context.Context) {
	if _, owned := p.gate.Owner(); owned {
		return
	}
	var claims []keptClaim
	err := p.vault.Each(vault.FamilyClaim, func(_, value []byte) error {
		var k keptClaim
		err := codec.Unmarshal(value, &k, maxClaim)
		claims = append(claims, k)
		return err
	})
	if err != nil {
		p.log.Error("claims cannot be read", "error", err)
		return
	}
	for _, k := range claims {
		if err := p.arm(ctx, k); err != nil {
			p.log.Debug("claim not found", "owner", k.Owner, "error", err)
		}
	}
}

// arm makes the owner of a claim the device's owner, if the ledger shows that
// very claim and all that came after it was signed for.
func (p *pairer) arm(ctx context.Context, k keptClaim) error {
	view := p.light.View(ctx)
	pin, err := state.PinAccount(view, p.chain, k.Owner)
	if err != nil {
		return err
	}
	own, err := state.VerifyClaim(p.chain, p.home.ID.Device.Public(), pin, k.Envelope)
	if err != nil {
		return err
	}
	seen, err := state.GetOwnerChange(view, own.Device, own.Epoch)
	if err != nil {
		return err
	}
	if !bytes.Equal(seen, k.Envelope) {
		return errors.New("the ledger shows another claim")
	}
	if own, err = state.FollowOwner(view, p.chain, own); err != nil {
		return err
	}
	if err := p.gate.Arm(own); err != nil {
		return err
	}
	p.log.Info("owned", "owner", own.Owner.Account, "epoch", own.Epoch)
	p.owned()
	return p.forget()
}

func (p *pairer) forget() error {
	var writes []vault.Write
	err := p.vault.Each(vault.FamilyClaim, func(rest, _ []byte) error {
		writes = append(writes, vault.Write{Key: vault.FamilyClaim.Key(rest...)})
		return nil
	})
	if err != nil || len(writes) == 0 {
		return err
	}
	return p.vault.Commit(writes...)
}
