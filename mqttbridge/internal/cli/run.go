package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/mqttbridge"
	"github.com/hybridos-net/hybridos/mqttbridge/account"
	"github.com/hybridos-net/hybridos/mqttbridge/home"
	"github.com/hybridos-net/hybridos/mqttbridge/settings"
)

func runCommand(cfg Config, path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "serve MQTT until interrupted",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := settings.Load(*path)
			if err != nil {
				return err
			}
			return run(c.Context(), cfg, s, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
}

// run is the wiring of the whole bridge. Once clients can connect it prints one
// line, "listening ADDRESS", so that a script can wait for it.
func run(ctx context.Context, cfg Config, s settings.Settings, out, talk io.Writer) (err error) {
	log := slog.New(slog.NewTextHandler(talk, nil))
	book, err := account.Load(s.Accounts)
	if err != nil {
		return err
	}
	h, err := home.Open(s.Home, cfg.Random)
	if err != nil {
		return err
	}
	delegate, err := h.Delegate()
	if err != nil {
		return err
	}
	defer delegate.Zero()
	objectKey, err := h.ObjectKey()
	if err != nil {
		return err
	}
	invoker, unlink, err := cfg.Link(ctx, s, delegate, log)
	if err != nil {
		return fmt.Errorf("join the mesh: %w", err)
	}
	defer func() { err = errors.Join(err, unlink()) }()
	bridge, err := mqttbridge.New(mqttbridge.Config{
		Listen:    s.Listen,
		Accounts:  book,
		Devices:   devicesOf(s),
		Invoker:   invoker,
		ObjectKey: objectKey,
		Logger:    log,
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- bridge.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-bridge.Ready():
		fmt.Fprintf(out, "listening %s\n", bridge.Addr())
		return <-ended
	}
}

func devicesOf(s settings.Settings) []mqttbridge.Device {
	out := make([]mqttbridge.Device, 0, len(s.Devices))
	for _, d := range s.Devices {
		out = append(out, mqttbridge.Device{ID: d.ID, Name: d.Name, Mapping: d.Mapping})
	}
	return out
}
