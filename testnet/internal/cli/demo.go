package cli

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/testnet/demo"
)

func (a *app) demo() *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use: "demo", Short: "Show the whole journey, and check every step", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			programs, err := a.programDir()
			if err != nil {
				return err
			}
			dir := a.dir
			temporary := !c.Flags().Changed("dir")
			if temporary {
				if dir, err = os.MkdirTemp("", "hos-demo-"); err != nil {
					return err
				}
			}
			_, err = demo.Run(c.Context(), demo.Config{Dir: dir, Programs: programs, Keep: keep, Out: a.out})
			if temporary && !keep && err == nil {
				err = errors.Join(err, os.RemoveAll(dir))
			}
			return err
		},
	}
	c.Flags().BoolVar(&keep, "keep", false, "leave the network running")
	return c
}
