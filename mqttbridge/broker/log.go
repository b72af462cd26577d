package broker

import (
	"context"
	"log/slog"
	"slices"
)

// engineLog passes the engine's log on: what it calls info is our debug, and
// whole packets, which hold payloads and wills, are left out.
type engineLog struct{ next slog.Handler }

var _ slog.Handler = engineLog{}

// Enabled implements slog.Handler.
func (l engineLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.next.Enabled(ctx, ours(level))
}

// Handle implements slog.Handler.
func (l engineLog) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, ours(r.Level), r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if !isSecret(a) {
			out.AddAttrs(a)
		}
		return true
	})
	return l.next.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (l engineLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return engineLog{l.next.WithAttrs(slices.DeleteFunc(slices.Clone(attrs), isSecret))}
}

// WithGroup implements slog.Handler.
func (l engineLog) WithGroup(name string) slog.Handler { return engineLog{l.next.WithGroup(name)} }

func isSecret(a slog.Attr) bool {
	switch a.Key {
	case "pk", "packet", "will", "payload":
		return true
	}
	return false
}

func ours(level slog.Level) slog.Level {
	if level < slog.LevelWarn {
		return slog.LevelDebug
	}
	return level
}
