package cometdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/config"

	"github.com/hybridos-net/hybridos/chain/store/kv"
)

// Provider opens CometBFT's stores and keeps track of them, because CometBFT
// does not tell when one of them has stopped on a fault. The zero value is
// usable; its method Open is a config.DBProvider.
type Provider struct {
	// Options is used for every store; the sizes are per store.
	Options kv.Options

	mu     sync.Mutex
	opened []*DB
}

// memTableBytes keeps five stores of a validator small; blocks are written
// through the log anyway.
const memTableBytes = 2 << 20

// NewProvider returns a Provider with small caches.
func NewProvider(logger *slog.Logger) *Provider {
	return &Provider{Options: kv.Options{MemTableBytes: memTableBytes, Logger: logger}}
}

var _ config.DBProvider = (*Provider)(nil).Open

// Open opens the store that CometBFT names, under the configured db_dir. The
// error of a directory in use names it and says what to do.
func (p *Provider) Open(ctx *config.DBContext) (db.DB, error) {
	dir := filepath.Join(ctx.Config.DBDir(), ctx.ID)
	opened, err := Open(dir, p.Options)
	if err != nil {
		return nil, explain(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened = append(p.opened, opened)
	return opened, nil
}

// explain adds the "try:" line to an error that has one.
func explain(err error) error {
	var refused *kv.Error
	if !errors.As(err, &refused) {
		return err
	}
	hint := refused.Hint()
	if refused.Kind == kv.Locked {
		hint = "stop the other hosd"
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w\ntry: %s", err, hint)
}

// Watch blocks until ctx ends (nil) or one of the stores opened so far stops on
// a fault, which it returns. Call it once the node is built.
func (p *Provider) Watch(ctx context.Context) error {
	p.mu.Lock()
	opened := append([]*DB(nil), p.opened...)
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	faults := make(chan error, len(opened))
	var running sync.WaitGroup
	for _, store := range opened {
		running.Go(func() {
			select {
			case <-store.Failed():
				faults <- explain(store.Err())
				cancel()
			case <-ctx.Done():
			}
		})
	}
	<-ctx.Done()
	running.Wait()
	select {
	case err := <-faults:
		return err
	default:
		return nil
	}
}

// Close closes every store opened; CometBFT closes some of them itself when it
// stops, which does no harm.
func (p *Provider) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, store := range p.opened {
		errs = append(errs, store.Close())
	}
	p.opened = nil
	return errors.Join(errs...)
}
