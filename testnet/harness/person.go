package harness

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// Person is somebody with a wallet folder and a passphrase in a file.
type Person struct {
	Name, Home, Pass string
}

// NewPerson makes a passphrase for a wallet folder; the folder of the owner is
// there already, others are made.
func (n *Network) NewPerson(ctx context.Context, name string) (Person, error) {
	p := Person{Name: name, Home: n.Wallet(), Pass: filepath.Join(n.cfg.Dir, name+".pass")}
	if name != OwnerName {
		var err error
		if p.Home, err = n.NewWallet(ctx, name); err != nil {
			return p, err
		}
	}
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return p, fmt.Errorf("draw a passphrase: %w", err)
	}
	return p, replace(p.Pass, []byte(hex.EncodeToString(secret)), 0o600)
}

// OwnerName is the person whose wallet folder every network has.
const OwnerName = "owner"

// Answer is what a run of hos gave.
type Answer struct {
	Exit      int    // docs of hos list the codes
	Out, Talk []byte // standard output and standard error
}

// Decode reads the JSON result: the last of those that a long run prints.
func (a Answer) Decode(into any) error {
	var last json.RawMessage
	d := json.NewDecoder(bytes.NewReader(a.Out))
	for {
		err := d.Decode(&last)
		if err == io.EOF && last != nil {
			return json.Unmarshal(last, into)
		}
		if err != nil {
			return fmt.Errorf("hos says %q: %w", bytes.TrimSpace(a.Talk), err)
		}
	}
}

// Kind is the kind of the error that hos told in JSON; empty if none.
func (a Answer) Kind() string {
	var e struct {
		Kind string `json:"kind"`
	}
	for line := range bytes.Lines(a.Talk) {
		if json.Unmarshal(line, &e) == nil && e.Kind != "" {
			return e.Kind
		}
	}
	return ""
}

// Hos runs the owner's command line as the person would, with JSON results and
// without questions. Whatever the exit code is, it is no error here.
func (n *Network) Hos(ctx context.Context, p Person, args ...string) (Answer, error) {
	cmd := n.hos(ctx, p, args...)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := unlessExit(cmd.Run()); err != nil {
		return Answer{}, fmt.Errorf("hos %s: %w: %s", strings.Join(args, " "), errors.Join(err, ctx.Err()), bytes.TrimSpace(talk.Bytes()))
	}
	return Answer{Exit: cmd.ProcessState.ExitCode(), Out: out.Bytes(), Talk: talk.Bytes()}, nil
}

// hos is a command line as the person would enter it.
func (n *Network) hos(ctx context.Context, p Person, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(n.cfg.Programs, "hos"), append(args, "--json", "--yes", "--quiet")...)
	cmd.Env = append(os.Environ(), "HOS_HOME="+p.Home, "HOS_PASSPHRASE_FILE="+p.Pass)
	return cmd
}

// Keys opens a person's key file, for what no wallet would sign. The caller
// zeroes it.
func (p Person) Keys() (*keystore.Ring, error) {
	store, err := keystore.New(keystore.Config{Path: home.Open(p.Home).KeyPath()})
	if err != nil {
		return nil, err
	}
	pass, err := os.ReadFile(p.Pass)
	if err != nil {
		return nil, err
	}
	return store.Unlock(pass)
}
