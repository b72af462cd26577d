package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

func (a *App) keyCommand() *cobra.Command {
	return group("key", "Make, show, back up and change your key",
		a.keyNew(), a.keyShow(), a.keyBackup(), a.keyRestore(), a.keyPassphrase(),
		a.keyList(), a.keyRotate(), a.keyAdd(), a.keyAccept(), a.keyAddPhone(), a.keyRevoke())
}

// keyInfo is the JSON about a key file.
type keyInfo struct {
	header
	Account key.AccountID `json:"account"`
	Public  key.Public    `json:"public"`
	Key     key.KeyID     `json:"key"`
	File    string        `json:"file"`
}

func (w *wallet) printKey(i keystore.Info) error {
	out := keyInfo{head("hos.key"), i.Account, i.Active, i.Active.ID(), w.keys.Path()}
	return w.app.print(out, func(o io.Writer) {
		fmt.Fprintf(o, "account\t%s\npublic key\t%s\nkey id\t%s\nfile\t%s\n", out.Account, out.Public, out.Key, out.File)
	})
}

func (a *App) keyNew() *cobra.Command {
	var empty bool
	c := &cobra.Command{
		Use: "new", Short: "Make your key", Args: cobra.NoArgs,
		Long: "Makes a new key in the wallet's folder, encrypted with a passphrase. A key that\nis there is never overwritten.",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.createKey(c.Context(), nil, key.AccountID{}, empty)
		},
	}
	c.Flags().BoolVar(&empty, "empty-passphrase", false, "allow an empty passphrase: whoever reads the file has the key")
	return c
}

// createKey makes the key file of entropy, or of a new key.
func (a *App) createKey(ctx context.Context, entropy []byte, account key.AccountID, empty bool) error {
	w, err := a.wallet()
	if err != nil {
		return err
	}
	if _, err := w.keys.Inspect(); err == nil {
		return doing("make a key", &keystore.Error{Kind: keystore.Exists, Detail: w.keys.Path()})
	}
	given, isGiven, err := a.givenPassphrase()
	if err != nil {
		return err
	}
	pass, err := a.newPassphrase(ctx, given, isGiven, empty)
	if err != nil {
		return err
	}
	if err := w.home.Make(); err != nil {
		return doing("make the wallet's folder", err)
	}
	info, err := w.keys.Create(ctx, pass, entropy, account)
	if err != nil {
		return doing("make a key", err)
	}
	if len(pass) == 0 {
		a.say("The key file has an empty passphrase: whoever can read it has the key.")
	}
	if entropy == nil {
		a.say("Your key is made. Now write down its 24 words: hos key backup")
	}
	return w.printKey(info)
}

func (a *App) keyShow() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show account and public key", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			info, err := w.keys.Inspect()
			if err != nil {
				return doing("read the key file", err)
			}
			return w.printKey(info)
		},
	}
}

// backupResult is the JSON of a backup. It holds a secret.
type backupResult struct {
	header
	Account key.AccountID `json:"account"`
	Words   string        `json:"words"`
}

func (a *App) keyBackup() *cobra.Command {
	return &cobra.Command{
		Use: "backup", Short: "Show the 24 words that restore your key", Args: cobra.NoArgs,
		Long: "Prints the 24 words (BIP-39) that restore the key without the file. Write them\non paper, with the account. Whoever has the words has the key.",
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			r, err := w.unlock(c.Context())
			if err != nil {
				return err
			}
			defer r.Zero()
			words, err := r.Words()
			if err != nil {
				return err
			}
			a.say("Write this on paper and keep it where only you can read it.\naccount %s", r.Account())
			return a.print(backupResult{head("hos.backup"), r.Account(), words}, func(o io.Writer) { fmt.Fprintln(o, words) })
		},
	}
}

func (a *App) keyRestore() *cobra.Command {
	var file, account string
	var empty bool
	c := &cobra.Command{
		Use: "restore", Short: "Make the key file again from 24 words", Args: cobra.NoArgs,
		Long: "Reads the 24 words from a prompt, from --words-file, or from standard input with\n--words-file -. After a key rotation, say the --account that was noted with them.",
		RunE: func(c *cobra.Command, _ []string) error {
			var id key.AccountID
			if account != "" {
				var err error
				if id, err = key.ParseAccountID(account); err != nil {
					return usagef("--account: %v", err)
				}
			}
			words, err := a.readWords(c.Context(), file)
			if err != nil {
				return err
			}
			entropy, err := keystore.ParseWords(words)
			if err != nil {
				return doing("restore the key", err)
			}
			defer clear(entropy)
			return a.createKey(c.Context(), entropy, id, empty)
		},
	}
	c.Flags().StringVar(&file, "words-file", "", "file that holds the words; - for standard input")
	c.Flags().StringVar(&account, "account", "", "account of the key, if it was not the account's first")
	c.Flags().BoolVar(&empty, "empty-passphrase", false, "allow an empty passphrase: whoever reads the file has the key")
	return c
}

const maxWordsText = 1024

func (a *App) readWords(ctx context.Context, file string) (string, error) {
	if file != "" {
		return a.readText(file, maxWordsText)
	}
	if a.cfg.Console == nil {
		return "", usagef("no words: there is no terminal to ask on; use --words-file")
	}
	b, err := a.cfg.Console.Secret(ctx, "The 24 words: ")
	return string(b), err
}

func (a *App) keyPassphrase() *cobra.Command {
	var file string
	var empty bool
	c := &cobra.Command{
		Use: "passphrase", Aliases: []string{"passwd"}, Short: "Change the passphrase of the key file", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			r, old, err := w.unlockWith(c.Context(), w.keys)
			if err != nil {
				return err
			}
			r.Zero()
			var next []byte
			if file != "" {
				if next, err = readPassphrase(file); err != nil {
					return err
				}
			}
			if next, err = a.newPassphrase(c.Context(), next, file != "", empty); err != nil {
				return err
			}
			info, err := w.keys.ChangePassphrase(c.Context(), old, next)
			if err != nil {
				return doing("change the passphrase", err)
			}
			a.say("The passphrase is changed. Copies of the old file still open with the old one.")
			return w.printKey(info)
		},
	}
	c.Flags().StringVar(&file, "new-passphrase-file", "", "file that holds the new passphrase")
	c.Flags().BoolVar(&empty, "empty-passphrase", false, "allow an empty passphrase: whoever reads the file has the key")
	return c
}
