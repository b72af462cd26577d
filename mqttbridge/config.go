package mqttbridge

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

// DefaultListen is the usual MQTT port, on loopback only.
const DefaultListen = "127.0.0.1:1883"

// ErrNotLoopback says that Listen is no loopback address; the caller must choose
// one, and put a TLS terminator in front if other machines shall connect.
var ErrNotLoopback = errors.New("listen address is not loopback, and MQTT over plain TCP shows passwords")

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.CommandTimeout == 0 {
		c.CommandTimeout = DefaultCommandTimeout
	}
	if c.CommandMaxAge == 0 {
		c.CommandMaxAge = DefaultCommandMaxAge
	}
	if c.PollInterval == 0 {
		c.PollInterval = DefaultPollInterval
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Devices = slices.Clone(c.Devices)
	for i := range c.Devices {
		if c.Devices[i].Mapping == "" {
			c.Devices[i].Mapping = topicmap.KindLock
		}
	}
	return c
}

func (c Config) validate() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", c.Listen, err)
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return fmt.Errorf("%q: %w", c.Listen, ErrNotLoopback)
	}
	if c.Accounts == nil || c.Invoker == nil {
		return errors.New("needs accounts and an invoker")
	}
	if c.CommandTimeout < 0 || c.CommandMaxAge < 0 || c.PollInterval < 0 {
		return errors.New("negative duration")
	}
	if len(c.Devices) > maxDevices {
		return fmt.Errorf("more than %d devices", maxDevices)
	}
	known := map[string]bool{}
	for _, d := range c.Devices {
		if known[d.ID] {
			return fmt.Errorf("device %s stands twice", d.ID)
		}
		known[d.ID] = true
	}
	for _, a := range c.Accounts.Accounts() {
		for _, id := range a.Devices {
			if !known[id] {
				return fmt.Errorf("account %q is mapped to device %s, which is not configured", a.Name, id)
			}
		}
	}
	return nil
}
