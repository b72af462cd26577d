package tx_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// negative is one way to spoil a valid payload.
type negative struct {
	name  string
	want  error
	spoil func(tx.Payload)
}

func spoil[P tx.Payload](name string, want error, f func(P)) negative {
	return negative{name, want, func(p tx.Payload) { f(p.(P)) }}
}

var (
	badAlg   = key.Public{Alg: 9, Bytes: make([]byte, 33)}
	browser  = keytest.P256("browser").Public()
	passkey  = keytest.Phone("phone").Public()
	badPoint = key.Public{Alg: key.Secp256k1, Bytes: make([]byte, 33)}
)

// negatives holds, for each kind, each refusal of each field.
var negatives = map[tx.Kind][]negative{
	tx.KindRegisterDevice: {
		spoil("no key", key.UnknownAlg, func(p *tx.RegisterDevice) { p.Key = key.Public{} }),
		spoil("unknown algorithm", key.UnknownAlg, func(p *tx.RegisterDevice) { p.Key = badAlg }),
		spoil("not a point", key.BadKey, func(p *tx.RegisterDevice) { p.Key = badPoint }),
		spoil("a browser's key", tx.InvokeOnly, func(p *tx.RegisterDevice) { p.Key = browser }),
		spoil("a passkey", tx.InvokeOnly, func(p *tx.RegisterDevice) { p.Key = passkey }),
		spoil("no seal key", tx.Malformed, func(p *tx.RegisterDevice) { p.SealKey = [32]byte{} }),
		spoil("no model", tx.Malformed, func(p *tx.RegisterDevice) { p.Model = "" }),
		spoil("long model", tx.Malformed, func(p *tx.RegisterDevice) { p.Model = strings.Repeat("x", tx.MaxName+1) }),
		spoil("control character", tx.Malformed, func(p *tx.RegisterDevice) { p.Model = "a\x1b[2J" }),
		spoil("not ascii", tx.Malformed, func(p *tx.RegisterDevice) { p.Model = "Schloß" }),
		spoil("delete character", tx.Malformed, func(p *tx.RegisterDevice) { p.Model = "a\x7f" }),
	},
	tx.KindClaim: {
		spoil("no device", tx.Malformed, func(p *tx.Claim) { p.Device = key.DeviceID{} }),
		spoil("no epoch", tx.Malformed, func(p *tx.Claim) { p.Epoch = 0 }),
		spoil("root not a point", key.BadKey, func(p *tx.Claim) { p.Root = &badPoint }),
		spoil("root of unknown algorithm", key.UnknownAlg, func(p *tx.Claim) { p.Root = &badAlg }),
		spoil("root is a browser's key", tx.InvokeOnly, func(p *tx.Claim) { p.Root = &browser }),
		spoil("root is a passkey", tx.InvokeOnly, func(p *tx.Claim) { p.Root = &passkey }),
		spoil("batch of nobody", tx.Malformed, member(func(m *tx.BatchMember) { m.Vendor = key.AccountID{} })),
		spoil("batch without a root", tx.Malformed, member(func(m *tx.BatchMember) { m.Root = batch.Hash{} })),
		spoil("index outside of all batches", tx.Malformed, member(func(m *tx.BatchMember) { m.Index = batch.Max })),
		spoil("path too long", tx.Malformed, member(func(m *tx.BatchMember) { m.Path = make([]batch.Hash, batch.MaxPath+1) })),
		spoil("leaf without a seal key", tx.Malformed, member(func(m *tx.BatchMember) { m.SealKey = [32]byte{} })),
		spoil("leaf of another device", tx.Malformed, member(func(m *tx.BatchMember) { m.Key = guest.Public() })),
		spoil("leaf's key not a point", key.BadKey, member(func(m *tx.BatchMember) { m.Key = badPoint })),
		spoil("leaf of a passkey", tx.InvokeOnly, member(func(m *tx.BatchMember) { m.Key = passkey })),
	},
	tx.KindTransfer: {
		spoil("no device", tx.Malformed, func(p *tx.Transfer) { p.Device = key.DeviceID{} }),
		spoil("no epoch", tx.Malformed, func(p *tx.Transfer) { p.Epoch = 0 }),
		spoil("no new owner", tx.Malformed, func(p *tx.Transfer) { p.To = key.AccountID{} }),
		spoil("root of another account", tx.Malformed, func(p *tx.Transfer) { p.Root = ptr(owner.Public()) }),
		spoil("root not a point", key.BadKey, func(p *tx.Transfer) { p.Root, p.To = &badPoint, badPoint.AccountID() }),
		spoil("root is a browser's key", tx.InvokeOnly, func(p *tx.Transfer) { p.Root, p.To = &browser, browser.AccountID() }),
		spoil("root is a passkey", tx.InvokeOnly, func(p *tx.Transfer) { p.Root, p.To = &passkey, passkey.AccountID() }),
	},
	tx.KindRotateKeys: {
		spoil("no version", tx.Malformed, func(p *tx.RotateKeys) { p.Version = 0 }),
		spoil("no keys", tx.Malformed, func(p *tx.RotateKeys) { p.Keys = nil }),
		spoil("too many keys", tx.Malformed, func(p *tx.RotateKeys) { p.Keys = manyKeys(tx.MaxKeys + 1) }),
		spoil("key not a point", key.BadKey, func(p *tx.RotateKeys) { p.Keys[1].Key = badPoint }),
		spoil("key of unknown algorithm", key.UnknownAlg, func(p *tx.RotateKeys) { p.Keys[0].Key = badAlg }),
		spoil("key twice", tx.Malformed, func(p *tx.RotateKeys) { p.Keys[1].Key = p.Keys[0].Key }),
		spoil("key without rights", tx.Malformed, func(p *tx.RotateKeys) { p.Keys[1].Rights = 0 }),
		spoil("unknown right", tx.Malformed, func(p *tx.RotateKeys) { p.Keys[1].Rights = 4 }),
		spoil("passkey without rights", tx.Malformed, func(p *tx.RotateKeys) { p.Keys[1] = tx.AccountKey{Key: passkey} }),
		spoil("passkey as admin", tx.InvokeOnly, func(p *tx.RotateKeys) { p.Keys[1] = tx.AccountKey{Key: passkey, Rights: tx.RightAdmin} }),
		spoil("passkey with both rights", tx.InvokeOnly, func(p *tx.RotateKeys) {
			p.Keys[1] = tx.AccountKey{Key: passkey, Rights: tx.RightAdmin | tx.RightInvoke}
		}),
		spoil("browser's key as admin", tx.InvokeOnly, func(p *tx.RotateKeys) { p.Keys[1] = tx.AccountKey{Key: browser, Rights: tx.RightAdmin} }),
		spoil("browser's key as the only admin", tx.InvokeOnly, func(p *tx.RotateKeys) {
			p.Keys = []tx.AccountKey{{Key: browser, Rights: tx.RightAdmin | tx.RightInvoke}}
		}),
		spoil("passkey that is none", key.BadKey, func(p *tx.RotateKeys) { p.Keys[1].Key = key.Public{Alg: key.Passkey, Bytes: passkey.Bytes[1:]} }),
		spoil("no threshold", tx.Malformed, func(p *tx.RotateKeys) { p.Threshold = 0 }),
		spoil("threshold out of reach", tx.Malformed, func(p *tx.RotateKeys) { p.Threshold = 2 }),
		spoil("no admin left", tx.Malformed, func(p *tx.RotateKeys) { p.Keys[0].Rights = tx.RightInvoke }),
	},
	tx.KindCreateGrant: {
		spoil("no grantee", key.UnknownAlg, func(p *tx.CreateGrant) { p.Grantee = key.Public{} }),
		spoil("grantee not a point", key.BadKey, func(p *tx.CreateGrant) { p.Grantee = badPoint }),
		spoil("no target", tx.Malformed, func(p *tx.CreateGrant) { p.Targets = nil }),
		spoil("too many targets", tx.Malformed, func(p *tx.CreateGrant) { p.Targets = make([]tx.Target, tx.MaxTargets+1) }),
		spoil("no end", tx.Malformed, func(p *tx.CreateGrant) { p.NotBefore, p.NotAfter = 0, 0 }),
		spoil("ends before it begins", tx.Malformed, func(p *tx.CreateGrant) { p.NotBefore = p.NotAfter + 1 }),
		spoil("target without device", tx.Malformed, func(p *tx.CreateGrant) { p.Targets[0].Device = key.DeviceID{} }),
		spoil("target without epoch", tx.Malformed, func(p *tx.CreateGrant) { p.Targets[0].Epoch = 0 }),
		spoil("target without endpoint", tx.Malformed, func(p *tx.CreateGrant) { p.Targets[0].Endpoint = "" }),
		spoil("wildcard endpoint", tx.Malformed, func(p *tx.CreateGrant) { p.Targets[0].Endpoint = "*" }),
		spoil("no method", tx.Malformed, func(p *tx.CreateGrant) { p.Targets[0].Methods = nil }),
		spoil("too many methods", tx.Malformed, func(p *tx.CreateGrant) { p.Targets[0].Methods = make([]string, tx.MaxMethods+1) }),
		spoil("wildcard method", tx.Malformed, func(p *tx.CreateGrant) { p.Targets[0].Methods[0] = "*" }),
		spoil("empty method", tx.Malformed, func(p *tx.CreateGrant) { p.Targets[0].Methods[0] = "" }),
		spoil("method twice", tx.Malformed, func(p *tx.CreateGrant) { p.Targets[0].Methods[0] = "open" }),
		spoil("methods out of order", tx.Malformed, func(p *tx.CreateGrant) { p.Targets[0].Methods = []string{"open", "close"} }),
	},
	tx.KindRevokeGrant: {
		spoil("no grant", tx.Malformed, func(p *tx.RevokeGrant) { p.Grant = tx.ID{} }),
	},
	tx.KindPropose: proposeNegatives(),
	tx.KindApprove: {
		spoil("no proposal", tx.Malformed, func(p *tx.Approve) { p.Proposal = tx.ID{} }),
	},
	tx.KindRelease: {
		spoil("no device", tx.Malformed, func(p *tx.Release) { p.Device = key.DeviceID{} }),
		spoil("no epoch", tx.Malformed, func(p *tx.Release) { p.Epoch = 0 }),
	},
	tx.KindReportLost: {
		spoil("no device", tx.Malformed, func(p *tx.ReportLost) { p.Device = key.DeviceID{} }),
		spoil("no epoch", tx.Malformed, func(p *tx.ReportLost) { p.Epoch = 0 }),
	},
	tx.KindReportFound: {
		spoil("no device", tx.Malformed, func(p *tx.ReportFound) { p.Device = key.DeviceID{} }),
		spoil("no epoch", tx.Malformed, func(p *tx.ReportFound) { p.Epoch = 0 }),
	},
	tx.KindSetGuardians:   guardianNegatives(),
	tx.KindStartRecovery:  recoveryNegatives(),
	tx.KindCancelRecovery: {spoil("no version", tx.Malformed, func(p *tx.CancelRecovery) { p.Version = 0 })},
	tx.KindFinishRecovery: {spoil("no version", tx.Malformed, func(p *tx.FinishRecovery) { p.Version = 0 })},
	tx.KindFreeze:         {}, // TestFreeze_Empty
	tx.KindUnfreeze:       {},
	tx.KindRegisterBatch:  batchNegatives(),
	tx.KindSetPolicy:      policyNegatives(),
	tx.KindSetAddresses:   addressNegatives(),
	tx.KindDelegateGrant:  delegateNegatives(),

	tx.KindOpenSeal: sealNegatives(),
	tx.KindApproveSeal: {
		spoil("no device", tx.Malformed, func(p *tx.ApproveSeal) { p.Device = key.DeviceID{} }),
		spoil("no epoch", tx.Malformed, func(p *tx.ApproveSeal) { p.Epoch = 0 }),
		spoil("no command", tx.Malformed, func(p *tx.ApproveSeal) { p.Command = tx.ID{} }),
	},
	tx.KindAnchorReceipts: anchorNegatives(),
	tx.KindPublishRelease: releaseNegatives(),
	tx.KindRevokeRelease: {
		spoil("no model", tx.Malformed, func(p *tx.RevokeRelease) { p.Model = "" }),
		spoil("bad version", tx.Malformed, func(p *tx.RevokeRelease) { p.Version = "1" }),
	},
	tx.KindPublishApp: appNegatives(),
	tx.KindRevokeApp: {
		spoil("no name", tx.Malformed, func(p *tx.RevokeApp) { p.App = "" }),
		spoil("bad version", tx.Malformed, func(p *tx.RevokeApp) { p.Version = "1" }),
	},
	tx.KindRotateVendorKeys: vendorKeyNegatives(),
}

func manyKeys(n int) []tx.AccountKey {
	out := make([]tx.AccountKey, n)
	for i := range out {
		out[i] = tx.AccountKey{Key: statetest.Key(string(rune('a' + i))).Public(), Rights: tx.RightAdmin}
	}
	return out
}

// TestPayload_Refusals demands each refusal from New and, for bytes that
// somebody else built, from Decode.
func TestPayload_Refusals(t *testing.T) {
	more := map[tx.Kind][]negative{
		tx.KindCreateGrant: append(termNegatives(func(p *tx.CreateGrant) *tx.CreateGrant { return p }), privateNegatives()...),
	}
	for _, k := range tx.Kinds() {
		sigs := build(t, k).Sigs
		for _, n := range slices.Concat(negatives[k], more[k]) {
			t.Run(k.String()+"/"+n.name, func(t *testing.T) {
				p := builders[k]()
				n.spoil(p)
				if _, err := tx.New(owner.Public().AccountID(), 1, 1, p); !errors.Is(err, n.want) {
					t.Fatalf("New: got %v, want %v", err, n.want)
				}
				body := tx.Body{
					Version: tx.Version, Kind: k, Account: owner.Public().AccountID(),
					Sequence: 1, Expires: 1, Payload: codec.MustMarshal(p),
				}
				if _, err := tx.Decode(envelope(body, sigs)); !errors.Is(err, n.want) {
					t.Fatalf("Decode: got %v, want %v", err, n.want)
				}
			})
		}
	}
}

func TestPayload_Bounds(t *testing.T) {
	ok := []tx.Payload{
		&tx.Claim{Device: dev.Public().DeviceID(), Epoch: 1},
		&tx.Transfer{Device: dev.Public().DeviceID(), Epoch: 1, To: guest.Public().AccountID()},
		&tx.RotateKeys{Version: 1, Threshold: tx.MaxKeys, Keys: manyKeys(tx.MaxKeys)},
		&tx.RegisterDevice{Key: dev.Public(), SealKey: [32]byte{1}, Model: strings.Repeat("~", tx.MaxName)},
	}
	for _, p := range ok {
		if err := p.StaticValidate(); err != nil {
			t.Errorf("%s: %v", p.Kind(), err)
		}
	}
}

func TestValidName(t *testing.T) {
	for _, good := range []string{"a", "lock", "lock.front-door_2", strings.Repeat("z", tx.MaxName)} {
		if !tx.ValidName(good) {
			t.Errorf("%q refused", good)
		}
	}
	for _, bad := range []string{"", "Lock", "a b", "a/b", "a#", "+", "é", "a\x00", strings.Repeat("z", tx.MaxName+1)} {
		if tx.ValidName(bad) {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestCreateGrant_Covers(t *testing.T) {
	g := builders[tx.KindCreateGrant]().(*tx.CreateGrant)
	id := dev.Public().DeviceID()
	cases := []struct {
		name     string
		device   key.DeviceID
		epoch    uint64
		endpoint string
		method   string
		want     bool
	}{
		{"named", id, 1, "lock", "open", true},
		{"other device", guest.Public().DeviceID(), 1, "lock", "open", false},
		{"later epoch", id, 2, "lock", "open", false},
		{"other endpoint", id, 1, "lamp", "open", false},
		{"other method", id, 1, "lock", "opens", false},
		{"no method", id, 1, "lock", "", false},
	}
	for _, c := range cases {
		if got := g.Covers(c.device, c.epoch, c.endpoint, c.method); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if (&tx.CreateGrant{}).Covers(id, 1, "lock", "open") {
		t.Error("an empty grant covers something")
	}
}
