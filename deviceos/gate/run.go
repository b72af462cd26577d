package gate

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/hybridos-net/hybridos/chain/command"
)

// run carries out a command that has passed every check.
func (g *Gate) run(ctx context.Context, r *request) []byte {
	select {
	case g.running <- struct{}{}:
		defer func() { <-g.running }()
	default:
		return g.refusal(r, refuse(command.RateLimited, "%d commands are being carried out", cap(g.running)))
	}
	e, known, err := g.journal.reserve(r, g.now())
	if err != nil {
		return g.refusal(r, err)
	}
	if known != nil {
		return g.repeat(ctx, r, known)
	}
	status, code, result := g.actuate(ctx, r)
	raw, err := g.journal.finish(e, func(counter uint64, prev []byte) *command.Receipt {
		b := g.receipt(r.id, e.epoch, r.head, status, code)
		b.Counter, b.Prev, b.Result = counter, prev, result
		return g.sign(b)
	})
	if err != nil {
		// It was done, but a restart will find an intent without a result: the
		// answer now must not be one that the device later takes back.
		g.cfg.Logger.Error("receipt lost", "command", r.id, "error", err)
		return g.answer(r, e.epoch, command.Unknown, command.Internal)
	}
	g.cfg.Logger.Info("command", "command", r.id, "endpoint", r.cmd.Body.Endpoint, "method", r.cmd.Body.Method,
		"principal", r.cmd.Body.Principal, "status", status, "code", code)
	return raw
}

// actuate has the order carried out and says in what the answer amounts to. It
// does not end with the sender's connection.
func (g *Gate) actuate(ctx context.Context, r *request) (command.Status, command.Code, []byte) {
	if r.cmd.Body.Type == command.TypeCancel {
		return command.Executed, command.OK, nil // it is remembered, which is all
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.cfg.Limits.Actuate)
	defer cancel()
	result, err := g.call(ctx, Order{Command: r.id, Body: &r.cmd.Body})
	var code command.Code
	switch {
	case err == nil && len(result) > command.MaxResult:
		g.cfg.Logger.Warn("result left out, it is too long", "command", r.id, "bytes", len(result))
		return command.Executed, command.OK, nil
	case err == nil:
		return command.Executed, command.OK, result
	case errors.As(err, &code) && code != command.OK:
		g.cfg.Logger.Warn("actuator refused", "command", r.id, "error", err)
		return command.Rejected, code, nil
	case errors.Is(err, context.DeadlineExceeded):
		g.cfg.Logger.Error("actuator did not answer", "command", r.id, "error", err)
		return command.Unknown, command.TimedOut, nil
	default:
		g.cfg.Logger.Error("actuator lost", "command", r.id, "error", err)
		return command.Unknown, command.Interrupted, nil
	}
}

// call keeps a panic of the actuator from taking the gate with it: what was done
// is as unknown as after a lost connection, and others still want in.
func (g *Gate) call(ctx context.Context, o Order) (result []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.cfg.Logger.Error("actuator panicked", "command", o.Command, "panic", p, "stack", string(debug.Stack()))
			result, err = nil, errPanicked
		}
	}()
	return g.cfg.Actuator.Actuate(ctx, o)
}

var errPanicked = errors.New("the actuator panicked")

// repeat answers a command that was taken before with the very receipt that it
// got then, waiting for it if it is still being carried out.
func (g *Gate) repeat(ctx context.Context, r *request, e *entry) []byte {
	raw, err := g.journal.receipt(ctx, e)
	switch {
	case err == nil:
		return raw
	case ctx.Err() != nil:
		return nil // nobody waits
	default:
		g.cfg.Logger.Error("receipt cannot be read", "command", e.id, "error", err)
		return g.answer(r, e.epoch, command.Unknown, command.Internal)
	}
}

// recover gives every intent that a power cut left behind its receipt. It is
// not run again: whether it was done cannot be known.
func (g *Gate) recover() error {
	for _, e := range g.journal.open() {
		g.cfg.Logger.Warn("command was interrupted", "command", e.id)
		_, err := g.journal.finish(e, func(counter uint64, prev []byte) *command.Receipt {
			b := g.receipt(e.id, e.epoch, g.cfg.Ledger.Head(), command.Unknown, command.Interrupted)
			b.Counter, b.Prev = counter, prev
			return g.sign(b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// refusal is the answer to a command that was not begun. It is signed, but has
// no place in the receipt chain: writing to disk is for those with a right.
func (g *Gate) refusal(r *request, err error) []byte {
	code := command.CodeOf(err)
	if code == command.Stale && g.cfg.Ledger.Expired() {
		code = command.AnchorExpired
	}
	if code.Challenges() {
		r.head = g.cfg.Ledger.Head() // the newest, from which evidence is to lead on
	}
	if !r.paid {
		_, ok := g.meter.spend(r.peer, r.now)
		r.over = !ok
	}
	if r.over && !g.meter.refusal(r.now) {
		return nil
	}
	level := slog.LevelDebug // strangers must not fill the log
	if r.authentic {
		level = slog.LevelInfo
	}
	g.cfg.Logger.Log(context.Background(), level, "command refused", "command", r.id, "peer", r.peer, "error", err)
	var epoch uint64
	if own, ok := g.rights.owner(); ok {
		epoch = own.Epoch
	}
	status := statusOf(code)
	switch {
	case r.begun:
		status = command.Unknown
	case r.authentic && slices.Contains(ofEnvelope, code):
		// Whoever carries it can take out of the envelope what is wrong, and the
		// rest may be enough: nothing is over for who signed the command.
		status = command.Deferred
	}
	return g.answer(r, epoch, status, code)
}

// answer is a receipt outside the chain. It names the bytes that it is about:
// without that, whoever carries a command could spoil its signature, show the
// sender the refusal, and deliver the command itself afterwards.
func (g *Gate) answer(r *request, epoch uint64, s command.Status, c command.Code) []byte {
	b := g.receipt(r.id, epoch, r.head, s, c)
	b.Envelope = r.sum[:]
	return g.sign(b).Bytes()
}

// ofEnvelope are the refusals of a signature beside the first.
var ofEnvelope = []command.Code{
	command.UnknownAlg, command.BadSignature, command.HighS, command.WrongChallenge, command.WrongOrigin,
	command.WrongRP, command.UserNotPresent, command.UserNotVerified,
}

// statusOf tells refusals that time may heal from those that stand.
func statusOf(c command.Code) command.Status {
	switch c {
	case command.NotYet, command.GrantNotYet, command.RateLimited, command.TooManyLanes, command.Stale, command.Internal,
		command.OutsideWindow, command.GrantRate, command.NotSealed, command.AnchorExpired, command.BadEvidence, command.ExtraSigner:
		return command.Deferred
	default:
		return command.Rejected
	}
}

func (g *Gate) receipt(id command.ID, epoch uint64, head Head, s command.Status, c command.Code) command.ReceiptBody {
	return command.ReceiptBody{
		Command: id, Device: g.id, Epoch: epoch, Status: s, Code: c,
		Height: head.Height, HeadHash: head.Hash, Time: uint64(g.now().UnixMilli()),
	}
}

func (g *Gate) sign(b command.ReceiptBody) *command.Receipt {
	return command.SignReceipt(g.cfg.Chain, b, g.cfg.Device)
}
