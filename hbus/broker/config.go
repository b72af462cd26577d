package broker

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/hybridos-net/hybridos/hbus/msg"
)

// App is an app that the broker knows in advance. Nobody else gets its name or
// its endpoints.
type App struct {
	Name string
	// Key must be proven by whoever uses the name; nil: UIDs alone decide.
	Key ed25519.PublicKey
	// UIDs that may use the name; empty: any.
	UIDs []uint32
	// Endpoints are held for this app, beside the one called as the app.
	Endpoints []string
}

// Config sets up a Broker. The zero value serves anybody who may connect and
// accepts no verified marker from anyone.
type Config struct {
	// AgentUID and AgentKey name the agent: both must hold for a connection
	// that marks calls as verified. Without a key there is no agent.
	AgentUID uint32
	AgentKey ed25519.PublicKey
	// Apps lists known apps; unlisted names are free to any uid, without a
	// proof.
	Apps []App
	// Self is the broker's own identity in its system events; App is set to
	// msg.Reserved.
	Self msg.Identity
	// Limits are per broker and per connection; zeros mean the defaults.
	Limits Limits
	// Rand gives challenges; nil means crypto/rand.
	Rand io.Reader
	// Logger gets refusals that may be attacks; nil discards.
	Logger *slog.Logger
}

// Validate tells what is wrong with the configuration.
func (c *Config) Validate() error {
	if n := len(c.AgentKey); n != 0 && n != ed25519.PublicKeySize {
		return fmt.Errorf("agent key has %d bytes, not %d", n, ed25519.PublicKeySize)
	}
	seen := map[string]bool{}
	for _, a := range c.Apps {
		if err := msg.CheckApp(a.Name); err != nil {
			return err
		}
		if a.Name == msg.Reserved {
			return fmt.Errorf("app %q is the broker's own name", a.Name)
		}
		if n := len(a.Key); n != 0 && n != ed25519.PublicKeySize {
			return fmt.Errorf("key of app %q has %d bytes, not %d", a.Name, n, ed25519.PublicKeySize)
		}
		if a.Key == nil && len(a.UIDs) == 0 {
			return fmt.Errorf("app %q is bound neither to a key nor to a uid", a.Name)
		}
		for _, e := range append([]string{a.Name}, a.Endpoints...) {
			if err := msg.CheckEndpoint(e); err != nil {
				return err
			}
			if seen[e] {
				return fmt.Errorf("endpoint %q is listed twice", e)
			}
			seen[e] = true
		}
	}
	return c.Limits.validate()
}

func (c *Config) defaults() {
	c.Limits.defaults()
	c.Self.App = msg.Reserved
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

var errNegative = errors.New("a limit is negative")
