package kv

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
)

// failure keeps the first fault of a store. Pebble reports faults in three
// ways: returned errors, events of its background work, and Fatalf, after which
// it must not go on. All three end here.
type failure struct {
	dir  string
	log  *slog.Logger
	once sync.Once
	done chan struct{} // closed once err is set
	err  error
}

func newFailure(dir string, log *slog.Logger) *failure {
	return &failure{dir: dir, log: log, done: make(chan struct{})}
}

// set records the first fault; later ones follow from it and are dropped.
func (f *failure) set(err error) {
	f.once.Do(func() {
		f.err = err
		f.log.Error("store stopped", "dir", f.dir, "err", err)
		close(f.done)
	})
}

// get is the recorded fault, or nil.
func (f *failure) get() error {
	select {
	case <-f.done:
		return f.err
	default:
		return nil
	}
}

// abort unwinds a call of ours out of pebble after Fatalf; catch ends it.
type abort struct{}

// catch turns an abort into the recorded fault; so it does with an error with
// which pebble panics where its log cannot be written any more. Other panics are
// bugs and pass.
func (f *failure) catch(err *error) {
	switch r := recover(); r := r.(type) {
	case nil:
	case abort:
		*err = f.get()
	case runtime.Error:
		panic(r)
	case error:
		f.set(fault(f.dir, "write", r))
		*err = f.get()
	default:
		panic(r)
	}
}

// catchAll is catch for Open, where even a panic can only come from what the
// files hold, for no caller has done anything yet.
func (f *failure) catchAll(err *error) {
	switch r := recover(); r := r.(type) {
	case nil:
	case abort:
		*err = f.get()
	default:
		*err = &Error{Kind: Corrupt, Dir: f.dir, Detail: "open: a file cannot be read", Cause: fmt.Errorf("%v", r)}
	}
}

// Infof drops pebble's chatter.
func (f *failure) Infof(string, ...any) {}

// Errorf logs what pebble says of its own troubles.
func (f *failure) Errorf(format string, args ...any) {
	f.log.Warn("store trouble", "dir", f.dir, "detail", fmt.Sprintf(format, args...))
}

// Fatalf must not return: pebble's state is undefined behind it. In a call of
// ours it unwinds to catch; in a goroutine of pebble's it ends that goroutine,
// whose deferred unlocks still run.
func (f *failure) Fatalf(format string, args ...any) {
	var cause error = fmt.Errorf(format, args...)
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			cause = err
		}
	}
	f.set(fault(f.dir, "write", cause))
	if guarded() {
		panic(abort{})
	}
	runtime.Goexit()
}

// background handles a failed flush or compaction. Pebble would retry at once
// and forever; ending its goroutine stops that, since the store is done for.
func (f *failure) background(err error) {
	f.set(fault(f.dir, "background write", err))
	if !guarded() {
		runtime.Goexit()
	}
}

// guards are the functions that defer catch around a call into pebble.
var guards = []string{"kv.(*DB).run", "kv.(*DB).get", "kv.(*DB).iterate", "kv.(*DB).NewSnapshot", "kv.(*Iterator).step", "kv.openPebble"}

// guarded tells whether one of the guards is on this goroutine's stack, so that
// a panic would be caught. Only walked after a fatal fault.
func guarded() bool {
	pcs := make([]uintptr, 256)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		frame, more := frames.Next()
		for _, guard := range guards {
			if strings.HasSuffix(frame.Function, "chain/store/"+guard) {
				return true
			}
		}
		if !more {
			return false
		}
	}
}
