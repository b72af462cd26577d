package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	mesh "github.com/libp2p/go-libp2p/core/network"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/keystore"
	"github.com/hybridos-net/hybridos/wallet/ticket"
)

// TestVerdicts_Complete: every kind of the packages below has an exit code of
// its own and, but for a few that say it all, advice.
func TestVerdicts_Complete(t *testing.T) {
	var kinds []error
	for _, k := range keystore.Kinds() {
		kinds = append(kinds, k)
	}
	for _, k := range home.Kinds() {
		kinds = append(kinds, k)
	}
	for _, k := range ticket.Kinds() {
		kinds = append(kinds, k)
	}
	for _, k := range []sdk.ErrorKind{sdk.NoNode, sdk.Refused, sdk.BadAddress, sdk.Unreachable, sdk.NoReceipt, sdk.BadReceipt} {
		kinds = append(kinds, k)
	}
	for _, k := range kinds {
		f := classify(fmt.Errorf("wrapped: %w", k))
		if f.kind == kindFailure {
			t.Errorf("%T %q has no verdict", k, k)
		}
	}
	for i, v := range verdicts {
		for _, w := range verdicts[:i] {
			if errors.Is(v.is, w.is) {
				t.Errorf("%q stands twice", v.is)
			}
		}
	}
}

func TestClassify(t *testing.T) {
	refused := func(k state.ErrorKind) error {
		return &sdk.Error{Kind: sdk.Refused, Detail: (&state.Error{Kind: k, Detail: "x"}).Error()}
	}
	cases := []struct {
		err  error
		exit int
		kind string
	}{
		{keystore.WrongPassphrase, exitDenied, "wrong_passphrase"},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, exitFailure, "disk_full"},
		{&mesh.StreamError{ErrorCode: mesh.StreamResourceLimitExceeded, Remote: true}, exitUnreachable, "hung_up"},
		{keystore.Corrupt, exitFailure, "corrupt"},
		{fs.ErrNotExist, exitNotFound, kindNoFile},
		{refused(state.NotOwner), exitDenied, "not_owner"},
		{refused(state.NoGrant), exitNotFound, "no_grant"},
		{refused(state.BadSequence), exitFailure, "bad_sequence"},
		{&sdk.Error{Kind: sdk.Refused, Detail: "unheard_of: x"}, exitDenied, "refused"},
		{&light.Error{Kind: light.BadProof, Detail: "x"}, exitInvalid, "bad_proof"},
		{&light.Error{Kind: light.Fork, Detail: "x"}, exitInvalid, "fork"},
		{&state.Error{Kind: state.Forged, Detail: "x"}, exitInvalid, "forged"},
		{&pairing.Error{Kind: pairing.NotCommitted, Detail: "x", Cause: refused(state.DeviceOwned)}, exitDenied, "device_owned"},
		{&pairing.Error{Kind: pairing.AlreadyOwned, Remote: true}, exitDenied, "already_owned"},
		{&sdk.Error{Kind: sdk.NoNode, Cause: fs.ErrNotExist}, exitUnreachable, "no_node"},
		{draft.ErrNotForUs, exitDenied, "not_for_this_wallet"},
		{errors.New("anything"), exitFailure, kindFailure},
	}
	for _, c := range cases {
		f := classify(fmt.Errorf("wrapped: %w", c.err))
		if f.exit != c.exit || f.kind != c.kind {
			t.Errorf("%v: exit %d kind %q, want %d %q", c.err, f.exit, f.kind, c.exit, c.kind)
		}
	}
}

// TestClean: words from afar cannot steer the terminal.
func TestClean(t *testing.T) {
	for _, bad := range []string{"\x1b[2J", "\a", "\u009b31m", "a\rb", "\x7f"} {
		if got := clean(bad); strings.ContainsAny(got, "\x1b\a\r\x7f\u009b") {
			t.Errorf("clean(%q) = %q", bad, got)
		}
		if got := printableText([]byte(bad)); got != "" {
			t.Errorf("printableText(%q) = %q", bad, got)
		}
	}
	if got := clean("grüße\n\t1"); got != "grüße  1" {
		t.Errorf("clean spoils text: %q", got)
	}
	if got := printableText([]byte("{\"a\":\n1}")); got == "" {
		t.Error("printableText hides text")
	}
	if got := printableText([]byte{0xff}); got != "" {
		t.Errorf("printableText of bad UTF-8 = %q", got)
	}
}
