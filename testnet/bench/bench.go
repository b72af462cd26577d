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
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Options says how much is measured.
type Options struct {
	Bin      string // folder of the built binaries
	Rounds   int    // at least 5
	Commands int    // round trips per transport and round
	TreeKeys []int  // how many records the state tree holds, one comparison each
	// Only names the parts to measure; empty means all. The report leaves the
	// others out.
	Only []string
}

// maxTreeKeys keeps a mistyped number from filling the disk.
const maxTreeKeys = 10_000_000

// Parts are the names that Options.Only takes, in the order of the report.
var Parts = []string{"gate", "transport", "cold", "flood", "ledger", "tree", "growth", "agent", "verdict", "evidence", "phone", "sync"}

// wants tells whether a part is to be measured.
func (o Options) wants(part string) bool { return len(o.Only) == 0 || slices.Contains(o.Only, part) }

// validate refuses what would measure nothing or too little.
func (o Options) validate() error {
	if o.Rounds < 5 {
		return fmt.Errorf("%d rounds: medians need at least 5", o.Rounds)
	}
	if len(o.TreeKeys) == 0 && (o.wants("tree") || o.wants("growth")) {
		return errors.New("no size of a tree is given")
	}
	for _, n := range o.TreeKeys {
		if n < 1 || n > maxTreeKeys {
			return fmt.Errorf("%d records in a tree, want 1 to %d", n, maxTreeKeys)
		}
	}
	for _, name := range o.Only {
		if !slices.Contains(Parts, name) {
			return fmt.Errorf("there is no part %q, only %s", name, strings.Join(Parts, ", "))
		}
	}
	return nil
}

// Run measures everything, tells the progress to talk and writes the report to
// out.
func Run(ctx context.Context, o Options, out, talk io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	report := Report{Rounds: o.Rounds}
	for _, part := range []struct {
		key, name string
		run       func() error
	}{
		{"gate", "round trips with the device's gate", func() (err error) {
			report.Gate, err = roundTrips(ctx, o, true)
			return err
		}},
		{"transport", "round trips of the transports alone", func() (err error) {
			report.Bare, err = roundTrips(ctx, o, false)
			return err
		}},
		{"cold", "the first receipt after dialling", func() (err error) {
			report.Cold, err = coldRows(ctx, o)
			return err
		}},
		{"flood", "an honest sender in a flood", func() (err error) {
			report.Flood, err = floodFigures(ctx, o)
			return err
		}},
		{"ledger", "the ledger beside kvstore", func() (err error) {
			report.Ledgers, err = ledgers(ctx, o)
			return err
		}},
		{"tree", "the state tree beside bare iavl", func() (err error) {
			report.Trees, err = treeFigures(ctx, o)
			return err
		}},
		{"growth", "how the state grows", func() (err error) {
			report.Growth, err = growthFigures(ctx, o)
			return err
		}},
		{"agent", "the device agent", func() (err error) {
			report.Agent, err = agentFigures(ctx, o)
			return err
		}},
		{"verdict", "verdicts by algorithm", func() (err error) {
			report.Verdicts, err = verdicts(o)
			return err
		}},
		{"evidence", "evidence for a device without a network", func() (err error) {
			report.Evidence, err = evidenceFigures(ctx, o.Rounds)
			return err
		}},
		{"phone", "the phone page", func() (err error) {
			report.Phone, err = phoneFigures(ctx, o)
			return err
		}},
		{"sync", "how soon a fresh node serves", func() (err error) {
			report.Sync, err = syncFigures(ctx, o)
			return err
		}},
	} {
		if !o.wants(part.key) {
			continue
		}
		fmt.Fprintf(talk, "measuring %s\n", part.name)
		if err := part.run(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return report.write(out, o)
}
