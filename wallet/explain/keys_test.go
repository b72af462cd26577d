package explain

import (
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// TestChange: a change of keys is told as what is new about it, and nothing of
// the new key set is left out.
func TestChange(t *testing.T) {
	phone := keytest.NewPasskey("phone", "home.example", "https://home.example").Public()
	browser := keytest.P256("browser").Public()
	second := statetest.Key("second").Public()
	full := tx.RightAdmin | tx.RightInvoke
	before := []tx.AccountKey{{Key: owner, Rights: full}, {Key: guest, Rights: full}, {Key: second, Rights: full}, {Key: browser, Rights: tx.RightInvoke}}
	d, err := tx.New(owner.AccountID(), 42, 1_800_000_600, &tx.RotateKeys{Version: 6, Threshold: 1,
		Keys: []tx.AccountKey{{Key: owner, Rights: full}, {Key: guest, Rights: tx.RightInvoke}, {Key: phone, Rights: tx.RightInvoke}}})
	if err != nil {
		t.Fatal(err)
	}
	sum, err := Change(d, before, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, l := range sum.Lines {
		all.WriteString(l.Label + " " + l.Text + "\n")
	}
	for _, want := range []string{
		"keeps the key " + owner.ID().String() + " (" + owner.String() + "): may sign for the account (give, transfer, rotate) and command the devices (open doors)\n",
		"changes the key " + guest.ID().String() + " (" + guest.String() + "): may command the devices (open doors), cannot give rights away\n",
		"adds the phone key " + phone.ID().String() + " (passkey for home.example, used on https://home.example): may command the devices (open doors), cannot give rights away\n",
		"removes the key " + second.ID().String() + " (" + second.String() + "): loses every right, and the grants that it signed end\n",
		"removes the browser key " + browser.ID().String() + " (" + browser.String() + "): can command nothing from the next block on\n",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q is not said in\n%s", want, all.String())
		}
	}
	if !sum.GivesRights {
		t.Error("a change of keys gives rights")
	}
	if got := holder(key.Public{Alg: key.Passkey, Bytes: []byte{1}}); !strings.Contains(got, "unreadable") {
		t.Errorf("a broken key is called %q", got)
	}
}
