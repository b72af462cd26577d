package cli

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hybridos-net/hybridos/chain/store/durable"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// passphrase finds the passphrase: flag, then environment, then the person. It
// is never an argument, since everybody on the machine can read those.
func (a *App) passphrase(ctx context.Context, prompt string) ([]byte, error) {
	p, given, err := a.givenPassphrase()
	if given || err != nil {
		return p, err
	}
	if a.cfg.Console == nil {
		return nil, noPassphrase()
	}
	return a.cfg.Console.Secret(ctx, prompt)
}

// givenPassphrase looks where scripts put it.
func (a *App) givenPassphrase() (pass []byte, given bool, err error) {
	path := a.opts.passphraseFile
	if path == "" {
		path = a.cfg.Getenv("HOS_PASSPHRASE_FILE")
	}
	if path != "" {
		pass, err = readPassphrase(path)
		return pass, true, err
	}
	if p := a.cfg.Getenv("HOS_PASSPHRASE"); p != "" {
		return []byte(p), true, nil
	}
	return nil, false, nil
}

func noPassphrase() error {
	return fail(exitUsage, kindPassphrase, "--passphrase-file FILE, or HOS_PASSPHRASE_FILE", "no passphrase: there is no terminal to ask on")
}

// readPassphrase reads the first line's worth of a file: everything but one
// line end. Pipes are fine; a file that others may read is not.
func readPassphrase(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, doing("read the passphrase file", err)
	}
	if info.Mode().IsRegular() && durable.OthersCanRead(info) {
		return nil, fail(exitFailure, kindInsecure, "chmod 600 "+path, "others may read the passphrase file %s (mode %04o)", path, info.Mode().Perm())
	}
	b, err := durable.Read(path, keystore.MaxPassphrase+2)
	if err != nil {
		return nil, doing("read the passphrase file", err)
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r")), nil
}

// newPassphrase asks for a passphrase to be set, twice. An empty one needs to
// be asked for in so many words.
func (a *App) newPassphrase(ctx context.Context, given []byte, isGiven, emptyMeant bool) ([]byte, error) {
	p := given
	if !isGiven {
		if emptyMeant {
			return nil, nil
		}
		if a.cfg.Console == nil {
			return nil, noPassphrase()
		}
		var err error
		if p, err = a.askTwice(ctx); err != nil {
			return nil, err
		}
	}
	if len(p) == 0 && !emptyMeant {
		return nil, fail(exitUsage, string(keystore.BadPassphrase), "--empty-passphrase, if the file system protects the key well enough",
			"the passphrase is empty")
	}
	return p, nil
}

func (a *App) askTwice(ctx context.Context) ([]byte, error) {
	p, err := a.cfg.Console.Secret(ctx, "New passphrase: ")
	if err != nil {
		return nil, err
	}
	again, err := a.cfg.Console.Secret(ctx, "The same again: ")
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(p, again) != 1 {
		return nil, fail(exitUsage, string(keystore.BadPassphrase), "do it again", "the two passphrases differ")
	}
	return p, nil
}

// confirm asks before rights are given away. Where nobody can be asked, --yes
// must say so: a script must not give rights by accident.
func (a *App) confirm(ctx context.Context, question string) error {
	if a.opts.yes {
		return nil
	}
	if a.cfg.Console == nil {
		return fail(exitUsage, kindNotAsked, "--yes, if that is what you want", "this gives rights away, and there is no terminal to ask on")
	}
	answer, err := a.cfg.Console.Line(ctx, question+" [y/N] ")
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return fail(exitFailure, kindDeclined, "nothing was sent", "you said no")
	}
}

// readText reads a small text: from a file, or from standard input for "-".
func (a *App) readText(path string, limit int64) (string, error) {
	if path == "-" {
		b, err := readAll(a.cfg.In, limit)
		return string(b), doing("read standard input", err)
	}
	b, err := durable.Read(path, limit)
	if errors.Is(err, durable.ErrTooLarge) {
		return "", usagef("%v", err)
	}
	return string(b), doing("read "+path, err)
}

// writeFile writes what a command was asked to put into a file; an existing
// one is replaced only if it is said so.
func writeFile(path string, b []byte, force bool) error {
	if _, err := os.Lstat(path); err == nil && !force {
		return fail(exitFailure, "file_exists", "another name, or --force", "%s exists already", path)
	}
	return doing(fmt.Sprintf("write %s", path), durable.Write(path, b))
}
