package explain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/explain"
)

// TestCommand: everything that matters of a command is said, and params cannot
// steer a terminal.
func TestCommand(t *testing.T) {
	b := command.Body{Device: key.DeviceID{7}, Epoch: 3, Endpoint: "lock", Method: "open", Nonce: 1, IssuedAt: 1, Expires: 1_800_000_000_000}
	for _, c := range []struct {
		name   string
		change func(*command.Body)
		cancel bool
		want   []string
	}{
		{"plain", func(b *command.Body) { b.Params = []byte(`{"wide":true}`) }, false, []string{"epoch 3", "lock.open", `{\"wide\":true}`, "the owner", "2027-01-15"}},
		{"bytes", func(b *command.Body) { b.Params = []byte{0x1b, '['} }, false, []string{"2 bytes: 1b5b"}},
		{"under a grant, sealed", func(b *command.Body) { b.Grant = &tx.ID{0xab}; b.Notarise() }, false, []string{"grant ab00", "only when the ledger has sealed it"}},
		{"cancel", func(*command.Body) {}, true, []string{"Cancel", "cd00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := b
			c.change(&b)
			cmd, err := command.New(b)
			if c.cancel {
				cmd, err = command.NewCancel(b, command.Cancel{Command: command.ID{0xcd}, Until: 1})
			}
			if err != nil {
				t.Fatal(err)
			}
			cmd.Sigs = []command.Sig{{Key: key.KeyID{9}}}
			sum := explain.Command(cmd, func(key.DeviceID) string { return "vault" })
			text := fmt.Sprint(sum.Title, sum.Lines)
			for _, w := range append(c.want, "vault", key.KeyID{9}.String()) {
				if !strings.Contains(text, w) {
					t.Errorf("%q is not in %s", w, text)
				}
			}
			if !sum.GivesRights {
				t.Error("not asked for")
			}
		})
	}
}
