package cli

import (
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/did"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
)

// TestDID_Show: the documents of an account and of its device, by any name, and
// what is refused.
func TestDID_Show(t *testing.T) {
	w := newWorld(t)
	owner, dev := w.owner(t, "lock")
	account := owner.json("hos.key", "key", "show")["account"].(string)
	accountDID := "did:hybridos:hos-test:" + account
	deviceDID := "did:hybridos:hos-test:" + dev.key.Public().DeviceID().String()

	for _, name := range []string{account, accountDID} {
		r := owner.json("hos.did", "did", "show", name)
		doc := r["document"].(map[string]any)
		if r["did"] != accountDID || doc["id"] != accountDID || r["signed"] != true || r["height"] != float64(w.height) || r["metadata"].(map[string]any)["keyVersion"] != "0" || len(doc["capabilityDelegation"].([]any)) != 1 {
			t.Errorf("%s: %v", name, r)
		}
	}
	for _, name := range []string{"front-door", dev.key.Public().DeviceID().String(), deviceDID} {
		r := owner.json("hos.did", "did", "show", name)
		if doc := r["document"].(map[string]any); r["did"] != deviceDID || doc["controller"] != accountDID || r["signed"] != false {
			t.Errorf("%s: %v", name, r)
		}
	}
	out, _ := owner.hos(exitOK, "did", "show", "front-door")
	if !strings.Contains(out, accountDID) || !strings.Contains(out, "#seal  Multikey: seal to\n") || !strings.Contains(out, "agreed by the validators") {
		t.Errorf("said %s", out)
	}
	out, _ = owner.hos(exitOK, "did", "show", account)
	if !strings.Contains(out, "Multikey: invoke, authenticate, assert, delegate\n") || !strings.Contains(out, "signed for by its owners") {
		t.Errorf("said %s", out)
	}

	nobody := statetest.Key("nobody").Public()
	for name, exit := range map[string]int{
		"nonsense": exitNotFound, "did:hybridos:hos-test:x": exitUsage, "did:web:example.com": exitUsage,
		strings.Replace(accountDID, "hos-test", "hos-other", 1): exitNotFound,
		nobody.AccountID().String():                             exitNotFound, nobody.DeviceID().String(): exitNotFound,
	} {
		owner.hos(exit, "did", "show", name)
	}
	owner.hos(exitUsage, "did")
	owner.hos(exitUsage, "did", "show")
	w.set(func() { w.down = true })
	owner.hos(exitUnreachable, "did", "show", account)
}

// A ledger that shows keys that nobody signed for, or a record of somebody
// else, is not believed.
func TestDID_Forged(t *testing.T) {
	w := newWorld(t)
	owner, dev := w.owner(t, "lock")
	account := owner.json("hos.key", "key", "show")["account"].(string)
	id, err := key.ParseAccountID(account)
	if err != nil {
		t.Fatal(err)
	}
	thief := statetest.Key("thief").Public()
	a, err := state.GetAccount(w.tree, id)
	if err != nil {
		t.Fatal(err)
	}
	a.KeySet = state.RootKeySet(thief)
	d := dev.key.Public().DeviceID()
	w.set(func() {
		err = w.tree.Set(state.AccountKey(id), codec.MustMarshal(a))
		if err == nil {
			err = w.tree.Set(state.DeviceKey(d), codec.MustMarshal(state.Device{Key: thief, Model: "x"}))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	_, talk := owner.hos(exitInvalid, "did", "show", account)
	if !strings.Contains(talk, "not signed for") {
		t.Errorf("said %s", talk)
	}
	owner.hos(exitInvalid, "did", "show", d.String())
	if f := classify(&did.Error{Kind: did.BadRecord, Detail: "x"}); f.exit != exitInvalid || f.kind != "bad_record" {
		t.Errorf("%+v", f)
	}
}
