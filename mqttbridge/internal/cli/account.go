package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hybridos-net/hybridos/mqttbridge/account"
	"github.com/hybridos-net/hybridos/mqttbridge/settings"
)

// maxLine caps the line that holds a password.
const maxLine = 4096

func accountCommand(cfg Config, path *string) *cobra.Command {
	parent := &cobra.Command{Use: "account", Short: "legacy MQTT logins", Args: cobra.NoArgs, RunE: needsVerb}
	var devices []string
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "add a login; the password is asked for, or read from standard input",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := settings.Load(*path)
			if err != nil {
				return err
			}
			return addAccount(cfg, s, args[0], devices, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	add.Flags().StringArrayVar(&devices, "device", nil, "device id that the login may use; may be given several times (default: the only configured one)")
	parent.AddCommand(add)
	return parent
}

func addAccount(cfg Config, s settings.Settings, name string, devices []string, in io.Reader, out, talk io.Writer) error {
	devices, err := chooseDevices(s, devices)
	if err != nil {
		return err
	}
	password, err := readPassword(in, talk)
	if err != nil {
		return err
	}
	defer clear(password)
	hash, err := account.HashPassword(cfg.Random, password, cfg.Cost)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Home, 0o700); err != nil {
		return fmt.Errorf("make home folder: %w", err)
	}
	if err := account.Add(s.Accounts, account.Account{Name: name, Password: hash, Devices: devices}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "added %s for %s\n", name, strings.Join(devices, " "))
	return err
}

// chooseDevices holds the choice to configured devices: a login for others would
// keep the bridge from starting.
func chooseDevices(s settings.Settings, chosen []string) ([]string, error) {
	known := map[string]bool{}
	for _, d := range s.Devices {
		known[d.ID] = true
	}
	if len(chosen) == 0 && len(s.Devices) == 1 {
		return []string{s.Devices[0].ID}, nil
	}
	if len(chosen) == 0 {
		return nil, &account.Error{Kind: account.BadDevices, Detail: fmt.Sprintf("%d devices are configured and none was chosen", len(s.Devices))}
	}
	for _, id := range chosen {
		if !known[id] {
			return nil, &account.Error{Kind: account.BadDevices, Detail: fmt.Sprintf("device %q is not configured", id)}
		}
	}
	return chosen, nil
}

// readPassword asks twice on a terminal, and takes one line from anything else.
func readPassword(in io.Reader, talk io.Writer) ([]byte, error) {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(in, maxLine)).ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read password: %w", err)
		}
		return bytes.TrimRight(line, "\r\n"), nil
	}
	ask := func(prompt string) ([]byte, error) {
		fmt.Fprint(talk, prompt)
		defer fmt.Fprintln(talk)
		b, err := term.ReadPassword(int(f.Fd()))
		if err != nil {
			return nil, fmt.Errorf("read password: %w", err)
		}
		return b, nil
	}
	first, err := ask("password: ")
	if err != nil {
		return nil, err
	}
	second, err := ask("again: ")
	if err != nil {
		return nil, err
	}
	defer clear(second)
	if !bytes.Equal(first, second) {
		clear(first)
		return nil, errors.New("the two passwords differ")
	}
	return first, nil
}
