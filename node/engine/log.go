package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/cometbft/cometbft/libs/log"
)

// logger lets CometBFT log into slog.
type logger struct {
	to   *slog.Logger
	seen *seen
}

var _ log.Logger = logger{}

// seen is what CometBFT tells nowhere but in its log.
type seen struct {
	stopping atomic.Bool           // set by us
	cause    atomic.Pointer[error] // why consensus stopped
	refused  atomic.Pointer[error] // why a block that others signed does not follow from this node's state
	sync     atomic.Pointer[error] // why state sync gave up
}

// consensusFailure is the message with which CometBFT reports the panic that
// ended consensus, under "err".
const consensusFailure = "CONSENSUS FAILURE!!!"

// syncFailures are the messages with which CometBFT reports, under "err", that
// it gave state sync up; it then does nothing more.
var syncFailures = []string{
	"State sync failed", "Failed to bootstrap node with new state", "Failed to store last seen commit", "Failed to switch to block sync",
}

// unsynced is why state sync gave up, nil if it did not.
func (s *seen) unsynced() error {
	if err := s.sync.Load(); err != nil {
		return *err
	}
	return nil
}

// diverged is why a signed block was refused while catching up, nil if none was.
func (s *seen) diverged() error {
	if err := s.refused.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *seen) failure() error {
	if err := s.cause.Load(); err != nil {
		return *err
	}
	return errors.New("the log says why")
}

func (l logger) Debug(msg string, kv ...any) { l.to.Debug(msg, kv...) }

// Info goes to debug: CometBFT tells there what we tell ourselves.
func (l logger) Info(msg string, kv ...any) { l.to.Debug(msg, kv...) }

func (l logger) Warn(msg string, kv ...any) { l.to.Warn(msg, kv...) }

// Error goes to debug while we stop: then CometBFT reports each closed
// connection as an error. The end of consensus is kept for Run to return.
func (l logger) Error(msg string, kv ...any) {
	err := told(kv)
	switch {
	case msg == consensusFailure:
		keep(&l.seen.cause, err)
	case msg == blockRefused && tellsDivergence(err):
		keep(&l.seen.refused, err)
	case slices.Contains(syncFailures, msg):
		keep(&l.seen.sync, err)
	case l.seen.stopping.Load():
	default:
		l.to.Error(msg, kv...)
		return
	}
	l.to.Debug(msg, kv...)
}

// told is what stands under "err".
func told(kv []any) error {
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i] != "err" {
			continue
		}
		if err, ok := kv[i+1].(error); ok {
			return err
		}
		return fmt.Errorf("%v", kv[i+1])
	}
	return errors.New("no cause was told")
}

// keep remembers the first.
func keep(into *atomic.Pointer[error], err error) { into.CompareAndSwap(nil, &err) }

func (l logger) With(kv ...any) log.Logger { return logger{l.to.With(kv...), l.seen} }
