// Package bench measures HybridOS side by side with what people use today, in
// one run on one machine: the command path against raw TLS and mosquitto, the
// ledger against CometBFT's kvstore, the device agent against its limits.
//
// It is not a test: nothing here fails because a machine is slow; it prints
// ratios and says whether the bars of the project hold. Callers use Run.
//
// What must never change: peers do the same work for the same bytes, in turn
// with ours, and every figure is a median of at least five rounds.
package bench

import (
	"context"
	"fmt"
	"io"
)

// Options says how much is measured.
type Options struct {
	Bin      string // folder of the built binaries
	Rounds   int    // at least 5
	Commands int    // round trips per transport and round
}

// Run measures everything, tells the progress to talk and writes the report to
// out.
func Run(ctx context.Context, o Options, out, talk io.Writer) error {
	if o.Rounds < 5 {
		return fmt.Errorf("%d rounds: medians need at least 5", o.Rounds)
	}
	report := Report{Rounds: o.Rounds}
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"round trips with the device's gate", func() (err error) {
			report.Gate, err = roundTrips(ctx, o, true)
			return err
		}},
		{"round trips of the transports alone", func() (err error) {
			report.Bare, err = roundTrips(ctx, o, false)
			return err
		}},
		{"the ledger beside kvstore", func() (err error) {
			report.Ledgers, err = ledgers(ctx, o)
			return err
		}},
		{"the device agent", func() (err error) {
			report.Agent, err = agentFigures(ctx, o)
			return err
		}},
		{"verdicts by algorithm", func() (err error) {
			report.Verdicts, err = verdicts(o)
			return err
		}},
		{"the phone page", func() (err error) {
			report.Phone, err = phoneFigures(ctx, o)
			return err
		}},
	} {
		fmt.Fprintf(talk, "measuring %s\n", part.name)
		if err := part.run(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return report.write(out)
}
