package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

func (a *app) listen() *cobra.Command {
	var count int
	cmd := &cobra.Command{
		Use:     "listen PATTERN",
		Short:   "Print events of a name or a pattern as they come",
		Example: "  hbus listen 'lock/*'",
		Args:    wrapArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.follow(cmd, args[0], count)
		},
	}
	cmd.Flags().IntVar(&count, "count", 0, "end after so many events; 0: never")
	return cmd
}

func (a *app) monitor() *cobra.Command {
	var count int
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Print every event, also who comes, goes and registers",
		Args:  wrapArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.follow(cmd, "*", count) },
	}
	cmd.Flags().IntVar(&count, "count", 0, "end after so many events; 0: never")
	return cmd
}

// follow prints events until count, the end of ctx, or the loss of the bus.
func (a *app) follow(cmd *cobra.Command, pattern string, count int) error {
	ctx := cmd.Context()
	dialing, cancel := context.WithTimeout(ctx, msg.DefaultDeadline)
	defer cancel()
	c, err := a.dial(dialing)
	if err != nil {
		return err
	}
	defer c.Close()
	sub, err := c.Subscribe(dialing, pattern, 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "listening to %s\n", pattern)
	for n := 0; count <= 0 || n < count; n++ {
		e, err := sub.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := a.printEvent(cmd.OutOrStdout(), e); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printEvent(w io.Writer, e client.Event) error {
	if e.Lost > 0 {
		if a.json {
			return print(w, map[string]uint64{"lost": e.Lost})
		}
		_, err := fmt.Fprintf(w, "lost %d\n", e.Lost)
		return err
	}
	if a.json {
		return print(w, struct {
			Seq  uint64          `json:"seq"`
			Name string          `json:"name"`
			From msg.Identity    `json:"from"`
			Data json.RawMessage `json:"data,omitempty"`
		}{e.Seq, e.Name, e.From, e.Data})
	}
	_, err := fmt.Fprintf(w, "%s\t%s\n", e.Name, e.Data)
	return err
}

func (a *app) printEntries(w io.Writer, entries []msg.Entry) error {
	if a.json {
		for _, e := range entries {
			err := print(w, struct {
				Endpoint        string       `json:"endpoint"`
				Method          string       `json:"method"`
				RequireVerified bool         `json:"require_verified"`
				Provider        msg.Identity `json:"provider"`
			}{e.Endpoint, e.Method, e.RequireVerified, e.Provider})
			if err != nil {
				return err
			}
		}
		return nil
	}
	if len(entries) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ENDPOINT\tMETHOD\tVERIFIED ONLY\tUID\tPID")
	for _, e := range entries {
		only := "no"
		if e.RequireVerified {
			only = "yes"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%d\n", e.Endpoint, e.Method, only, e.Provider.UID, e.Provider.PID)
	}
	return tw.Flush()
}

func print(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
