package engine

import (
	"errors"
	"fmt"
	"log/slog"
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
}

// consensusFailure is the message with which CometBFT reports the panic that
// ended consensus, under "err".
const consensusFailure = "CONSENSUS FAILURE!!!"

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
	switch {
	case msg == consensusFailure:
		l.keep(kv)
	case l.seen.stopping.Load():
	default:
		l.to.Error(msg, kv...)
		return
	}
	l.to.Debug(msg, kv...)
}

func (l logger) keep(kv []any) {
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i] != "err" {
			continue
		}
		err, ok := kv[i+1].(error)
		if !ok {
			err = fmt.Errorf("%v", kv[i+1])
		}
		l.seen.cause.CompareAndSwap(nil, &err)
	}
}

func (l logger) With(kv ...any) log.Logger { return logger{l.to.With(kv...), l.seen} }
