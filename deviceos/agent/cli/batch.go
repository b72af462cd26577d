package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// batchCommand keeps the proof of a device's batch. A running agent takes it
// up at its next start.
func (a *app) batchCommand() *cobra.Command {
	return &cobra.Command{
		Use: "batch FILE", Short: "Keep the proof that this device is in a registered batch", Args: cobra.ExactArgs(1),
		Long: "Takes this device's line out of the file that hos vendor batch has written. Who pairs\nthe device then shows it to the ledger, which has no record of the device before.",
		RunE: func(cmd *cobra.Command, args []string) error {
			home, _, err := a.open()
			if err != nil {
				return err
			}
			if err := home.KeepBatchFile(args[0]); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			m := home.Batch
			if a.json {
				return printJSON(cmd.OutOrStdout(), map[string]any{"device": m.Key.DeviceID(), "vendor": m.Vendor, "root": m.Root.String(), "index": m.Index})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "device   %s\nvendor   %s\nbatch    %s\nindex    %d\n", m.Key.DeviceID(), m.Vendor, m.Root, m.Index)
			return err
		},
	}
}
