package tx_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// narrowed is a grant that uses every field but the private one.
func narrowed() *tx.CreateGrant {
	return &tx.CreateGrant{
		Grantee: guest.Public(), NotBefore: 5, NotAfter: 9,
		Targets: []tx.Target{{Device: dev.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"close", "open"}}},
		Windows: []tx.Window{{Day: 1, From: 480, To: 1080}, {Day: 1, From: 1200, To: 1440}, {Day: 7, From: 0, To: 360}},
		Zone:    "America/Port-au-Prince", Uses: 3, Rate: &tx.Rate{Count: 5, Period: 3600}, Depth: 2,
	}
}

// sealed is a private grant as the ledger sees it.
func sealed() *tx.CreateGrant {
	g := narrowed()
	g.Depth = 0
	p, _, err := tx.Seal(chain, [32]byte{1}, g)
	if err != nil {
		panic(err)
	}
	return p
}

// termNegatives are the refusals of what narrows a grant, for both kinds that
// give one.
func termNegatives[P tx.Payload](of func(P) *tx.CreateGrant) []negative {
	bad := func(name string, want error, f func(*tx.CreateGrant)) negative {
		return spoil("narrowed: "+name, want, func(p P) {
			g := of(p)
			depth := g.Depth
			*g = *narrowed()
			g.Depth = depth
			f(g)
		})
	}
	windows := func(w ...tx.Window) func(*tx.CreateGrant) { return func(g *tx.CreateGrant) { g.Windows = w } }
	zone := func(z string) func(*tx.CreateGrant) { return func(g *tx.CreateGrant) { g.Zone = z } }
	many := make([]tx.Window, tx.MaxWindows+1)
	for i := range many {
		many[i] = tx.Window{Day: 1, From: uint16(10 * i), To: uint16(10*i + 5)}
	}
	return []negative{
		bad("too many windows", tx.Malformed, windows(many...)),
		bad("day 0", tx.Malformed, windows(tx.Window{Day: 0, From: 1, To: 2})),
		bad("day 8", tx.Malformed, windows(tx.Window{Day: 8, From: 1, To: 2})),
		bad("empty window", tx.Malformed, windows(tx.Window{Day: 1, From: 2, To: 2})),
		bad("window over midnight", tx.Malformed, windows(tx.Window{Day: 1, From: 1300, To: 100})),
		bad("window beyond the day", tx.Malformed, windows(tx.Window{Day: 1, From: 1300, To: 1441})),
		bad("days out of order", tx.Malformed, windows(tx.Window{Day: 2, From: 1, To: 2}, tx.Window{Day: 1, From: 1, To: 2})),
		bad("window twice", tx.Malformed, windows(tx.Window{Day: 1, From: 1, To: 2}, tx.Window{Day: 1, From: 1, To: 2})),
		bad("overlap", tx.Malformed, windows(tx.Window{Day: 1, From: 1, To: 9}, tx.Window{Day: 1, From: 8, To: 20})),
		bad("windows that touch", tx.Malformed, windows(tx.Window{Day: 1, From: 1, To: 9}, tx.Window{Day: 1, From: 9, To: 20})),
		bad("windows without zone", tx.Malformed, zone("")),
		bad("zone without windows", tx.Malformed, windows()),
		bad("the machine's own zone", tx.Malformed, zone("Local")),
		bad("zone out of the database", tx.Malformed, zone("../../etc/passwd")),
		bad("zone of the root", tx.Malformed, zone("/Europe/Berlin")),
		bad("zone with a hole", tx.Malformed, zone("Europe//Berlin")),
		bad("long zone", tx.Malformed, zone(string(bytes.Repeat([]byte{'a'}, 65)))),
		bad("too many uses", tx.Malformed, func(g *tx.CreateGrant) { g.Uses = tx.MaxUses + 1 }),
		bad("rate of nothing", tx.Malformed, func(g *tx.CreateGrant) { g.Rate.Count = 0 }),
		bad("rate too high", tx.Malformed, func(g *tx.CreateGrant) { g.Rate.Count = tx.MaxRate + 1 }),
		bad("rate in no time", tx.Malformed, func(g *tx.CreateGrant) { g.Rate.Period = 0 }),
		bad("rate too slow", tx.Malformed, func(g *tx.CreateGrant) { g.Rate.Period = tx.MaxPeriod + 1 }),
		bad("uses over two devices", tx.Malformed, func(g *tx.CreateGrant) {
			g.Rate = nil
			g.Targets = append(g.Targets, tx.Target{Device: guest.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}})
		}),
		bad("rate over two devices", tx.Malformed, func(g *tx.CreateGrant) {
			g.Uses = 0
			g.Targets = append(g.Targets, tx.Target{Device: guest.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}})
		}),
		bad("too deep", tx.Malformed, func(g *tx.CreateGrant) { g.Depth = tx.MaxDepth + 1 }),
		bad("a passkey gives on", tx.InvokeOnly, func(g *tx.CreateGrant) { g.Grantee, g.Depth = passkey, 1 }),
		bad("a browser's key gives on", tx.InvokeOnly, func(g *tx.CreateGrant) { g.Grantee, g.Depth = browser, 1 }),
	}
}

func privateNegatives() []negative {
	bad := func(name string, f func(*tx.CreateGrant)) negative {
		return spoil("private: "+name, tx.Malformed, func(p *tx.CreateGrant) {
			*p = *sealed()
			f(p)
		})
	}
	return []negative{
		bad("no digest", func(p *tx.CreateGrant) { p.Private.Digest = [32]byte{} }),
		bad("no devices", func(p *tx.CreateGrant) { p.Private.Devices = nil }),
		bad("too many devices", func(p *tx.CreateGrant) { p.Private.Devices = make([]tx.DeviceEpoch, tx.MaxTargets+1) }),
		bad("no epoch", func(p *tx.CreateGrant) { p.Private.Devices[0].Epoch = 0 }),
		bad("no device", func(p *tx.CreateGrant) { p.Private.Devices[0].Device = key.DeviceID{} }),
		bad("device twice", func(p *tx.CreateGrant) { p.Private.Devices = append(p.Private.Devices, p.Private.Devices[0]) }),
		bad("a grantee", func(p *tx.CreateGrant) { p.Grantee = guest.Public() }),
		bad("an end", func(p *tx.CreateGrant) { p.NotAfter = 9 }),
		bad("uses", func(p *tx.CreateGrant) { p.Uses = 1 }),
		bad("depth", func(p *tx.CreateGrant) { p.Depth = 1 }),
	}
}

func delegateNegatives() []negative {
	return append(termNegatives(func(p *tx.DelegateGrant) *tx.CreateGrant { return p.Grant }),
		spoil("no parent", tx.Malformed, func(p *tx.DelegateGrant) { p.Parent = tx.ID{} }),
		spoil("neither", tx.Malformed, func(p *tx.DelegateGrant) { p.Grant = nil }),
		spoil("both", tx.Malformed, func(p *tx.DelegateGrant) { p.Revoke = &tx.ID{9} }),
		spoil("ends nothing", tx.Malformed, func(p *tx.DelegateGrant) { p.Grant, p.Revoke = nil, &tx.ID{} }),
		spoil("ends its parent", tx.Malformed, func(p *tx.DelegateGrant) { p.Grant, p.Revoke = nil, &p.Parent }),
		spoil("private", tx.Malformed, func(p *tx.DelegateGrant) { p.Grant = sealed() }),
		spoil("as deep as an owner's", tx.Malformed, func(p *tx.DelegateGrant) { p.Grant.Depth = tx.MaxDepth }),
		spoil("no targets", tx.Malformed, func(p *tx.DelegateGrant) { p.Grant.Targets = nil }),
		spoil("not a point", key.BadKey, func(p *tx.DelegateGrant) { p.Grant.Grantee = badPoint }),
	)
}

// TestGrant_Terms: every field together, and each private form, come back.
func TestGrant_Terms(t *testing.T) {
	bare := narrowed()
	bare.Windows, bare.Zone, bare.Uses, bare.Rate, bare.Depth = nil, "", 0, nil, 0
	for name, p := range map[string]tx.Payload{
		"all": narrowed(), "none": bare, "private": sealed(),
		"delegated": &tx.DelegateGrant{Parent: tx.ID{1}, Grant: narrowed()},
		"ended":     &tx.DelegateGrant{Parent: tx.ID{1}, Revoke: &tx.ID{2}},
	} {
		x, err := tx.New(owner.Public().AccountID(), 1, 1, p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		x.Sign(chain, tx.RoleAccount, owner)
		y, err := tx.Decode(x.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(p, y.Payload, cmp.Comparer(func(a, b []tx.Target) bool { return cmp.Equal(codec.MustMarshal(a), codec.MustMarshal(b)) }),
			cmp.Comparer(func(a, b key.Public) bool { return a.Alg == b.Alg && bytes.Equal(a.Bytes, b.Bytes) })); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestHoldsAt(t *testing.T) {
	g := narrowed()
	for _, c := range []struct {
		day    uint8
		minute uint16
		want   bool
	}{{1, 479, false}, {1, 480, true}, {1, 1079, true}, {1, 1080, false}, {1, 1439, true}, {2, 480, false}, {7, 0, true}, {7, 359, true}, {7, 360, false}} {
		if g.HoldsAt(c.day, c.minute) != c.want {
			t.Errorf("day %d, minute %d: want %v", c.day, c.minute, c.want)
		}
	}
	if !new(tx.CreateGrant).HoldsAt(3, 3) {
		t.Error("a grant without windows does not hold")
	}
}

func TestWeekly(t *testing.T) {
	got := tx.Weekly([]tx.Window{{Day: 7, From: 0, To: 9}, {Day: 1, From: 50, To: 60}, {Day: 1, From: 0, To: 10}, {Day: 1, From: 10, To: 20}, {Day: 1, From: 5, To: 15}})
	want := []tx.Window{{Day: 1, From: 0, To: 20}, {Day: 1, From: 50, To: 60}, {Day: 7, From: 0, To: 9}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestNarrower(t *testing.T) {
	parent := narrowed()
	child := func(f func(*tx.CreateGrant)) *tx.CreateGrant {
		g := narrowed()
		g.Depth--
		f(g)
		return g
	}
	for name, f := range map[string]func(*tx.CreateGrant){
		"the same, less deep": func(*tx.CreateGrant) {},
		"a part of it": func(g *tx.CreateGrant) {
			g.Targets[0].Methods = g.Targets[0].Methods[:1]
			g.NotBefore, g.NotAfter, g.Uses, g.Rate = 6, 8, 1, &tx.Rate{Count: 1, Period: 7200}
			g.Windows = []tx.Window{{Day: 1, From: 500, To: 600}, {Day: 1, From: 700, To: 800}}
		},
	} {
		if err := parent.Narrower(child(f)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, f := range map[string]func(*tx.CreateGrant){
		"depth":            func(g *tx.CreateGrant) { g.Depth++ },
		"early":            func(g *tx.CreateGrant) { g.NotBefore-- },
		"late":             func(g *tx.CreateGrant) { g.NotAfter++ },
		"more uses":        func(g *tx.CreateGrant) { g.Uses++ },
		"any uses":         func(g *tx.CreateGrant) { g.Uses = 0 },
		"more at once":     func(g *tx.CreateGrant) { g.Rate.Count++ },
		"more often":       func(g *tx.CreateGrant) { g.Rate.Period-- },
		"any rate":         func(g *tx.CreateGrant) { g.Rate = nil },
		"another method":   func(g *tx.CreateGrant) { g.Targets[0].Methods = []string{"unlock"} },
		"another endpoint": func(g *tx.CreateGrant) { g.Targets[0].Endpoint = "door" },
		"another epoch":    func(g *tx.CreateGrant) { g.Targets[0].Epoch = 2 },
		"another device":   func(g *tx.CreateGrant) { g.Targets[0].Device = guest.Public().DeviceID() },
		"the whole week":   func(g *tx.CreateGrant) { g.Windows, g.Zone = nil, "" },
		"another zone":     func(g *tx.CreateGrant) { g.Zone = "Asia/Tokyo" },
		"another day":      func(g *tx.CreateGrant) { g.Windows[0].Day = 2 },
		"longer windows":   func(g *tx.CreateGrant) { g.Windows[0].To++ },
		"over a gap":       func(g *tx.CreateGrant) { g.Windows = []tx.Window{{Day: 1, From: 480, To: 1440}} },
	} {
		if err := parent.Narrower(child(f)); !errors.Is(err, tx.Malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if parent.Narrower(sealed()) == nil || sealed().Narrower(child(func(*tx.CreateGrant) {})) == nil {
		t.Error("a private grant under another, or above it")
	}
}

// genTerms draws a grant from a small world, so that one is often within another.
func genTerms(r *rapid.T) *tx.CreateGrant {
	g := &tx.CreateGrant{Grantee: guest.Public(), NotBefore: rapid.Uint64Range(1, 3).Draw(r, "from"), NotAfter: rapid.Uint64Range(3, 5).Draw(r, "to"),
		Depth: rapid.Uint8Range(0, tx.MaxDepth).Draw(r, "depth")}
	methods := slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(r, "methods")))
	g.Targets = []tx.Target{{Device: dev.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: methods}}
	if rapid.Bool().Draw(r, "windows") {
		var w []tx.Window
		for range rapid.IntRange(1, 3).Draw(r, "n") {
			from := rapid.Uint16Range(0, 5).Draw(r, "first")
			w = append(w, tx.Window{Day: rapid.Uint8Range(1, 2).Draw(r, "day"), From: from, To: from + rapid.Uint16Range(1, 4).Draw(r, "minutes")})
		}
		g.Windows, g.Zone = tx.Weekly(w), "UTC"
	}
	return g
}

// TestNarrower_Model: whatever chain is made, a grant in it allows no command
// that the one above would not.
func TestNarrower_Model(t *testing.T) {
	narrower := 0
	rapid.Check(t, func(r *rapid.T) {
		for range 30 {
			if attenuates(r) {
				narrower++
			}
		}
	})
	if narrower == 0 {
		t.Error("no pair was ever narrower: the model tests nothing")
	}
}

// attenuates draws two grants and tells whether one may be given on under the
// other.
func attenuates(r *rapid.T) bool {
	allows := func(g *tx.CreateGrant, method string, at uint64, day uint8, minute uint16) bool {
		return at >= g.NotBefore && at <= g.NotAfter && g.HoldsAt(day, minute) && g.Covers(dev.Public().DeviceID(), 1, "lock", method)
	}
	parent, child := genTerms(r), genTerms(r)
	inside := child.Depth < parent.Depth
	for _, method := range []string{"a", "b", "c"} {
		for at := uint64(0); at < 7; at++ {
			for day := uint8(1); day <= 3; day++ {
				for minute := uint16(0); minute < 10; minute++ {
					if allows(child, method, at, day, minute) && !allows(parent, method, at, day, minute) {
						inside = false
					}
				}
			}
		}
	}
	err := parent.Narrower(child)
	if err == nil && !inside {
		r.Fatalf("%+v passes under %+v", child, parent)
	}
	return err == nil
}

func TestSeal(t *testing.T) {
	g := narrowed()
	g.Depth = 0
	p, body, err := tx.Seal(chain, [32]byte{1}, g)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Open(chain, body)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(g, got); d != "" {
		t.Error(d)
	}
	other, _, err := tx.Seal(chain, [32]byte{2}, g)
	if err != nil || other.Private.Digest == p.Private.Digest {
		t.Errorf("another salt gives the same digest, or %v", err)
	}
	private := codec.MustMarshal(p)
	for _, secret := range [][]byte{guest.Public().Bytes, []byte("open"), []byte("America")} {
		if bytes.Contains(private, secret) {
			t.Errorf("the ledger gets to know %q", secret)
		}
	}
	for name, f := range map[string]func() (*tx.CreateGrant, codec.ChainDigest, []byte){
		"flipped": func() (*tx.CreateGrant, codec.ChainDigest, []byte) {
			b := bytes.Clone(body)
			b[9] ^= 1
			return p, chain, b
		},
		"nothing":      func() (*tx.CreateGrant, codec.ChainDigest, []byte) { return p, chain, nil },
		"other ledger": func() (*tx.CreateGrant, codec.ChainDigest, []byte) { return p, codec.ChainDigest{}, body },
		"not private":  func() (*tx.CreateGrant, codec.ChainDigest, []byte) { return g, chain, body },
		"other devices": func() (*tx.CreateGrant, codec.ChainDigest, []byte) {
			return commitTo(body, tx.DeviceEpoch{Device: guest.Public().DeviceID(), Epoch: 1}), chain, body
		},
		"other epoch": func() (*tx.CreateGrant, codec.ChainDigest, []byte) {
			return commitTo(body, tx.DeviceEpoch{Device: dev.Public().DeviceID(), Epoch: 2}), chain, body
		},
		"not canonical": func() (*tx.CreateGrant, codec.ChainDigest, []byte) {
			b := append(bytes.Clone(body), 0)
			return commitTo(b, p.Private.Devices...), chain, b
		},
		"invalid within": func() (*tx.CreateGrant, codec.ChainDigest, []byte) {
			return openBad(p, func(g *tx.CreateGrant) { g.Uses = tx.MaxUses + 1 })
		},
		"given on": func() (*tx.CreateGrant, codec.ChainDigest, []byte) {
			return openBad(p, func(g *tx.CreateGrant) { g.Depth = 1 })
		},
		"nested": func() (*tx.CreateGrant, codec.ChainDigest, []byte) {
			return openBad(p, func(g *tx.CreateGrant) { *g = *sealed() })
		},
	} {
		p, c, b := f()
		if _, err := p.Open(c, b); !errors.Is(err, tx.ErrNotTheBody) {
			t.Errorf("%s: %v", name, err)
		}
	}
	deep := narrowed()
	if _, _, err := tx.Seal(chain, [32]byte{1}, deep); !errors.Is(err, tx.Malformed) {
		t.Errorf("sealed a grant that is given on: %v", err)
	}
	if _, _, err := tx.Seal(chain, [32]byte{1}, sealed()); !errors.Is(err, tx.Malformed) {
		t.Errorf("sealed a private grant: %v", err)
	}
	long := narrowed()
	long.Depth, long.Uses, long.Rate = 0, 0, nil
	for range tx.MaxTargets - 1 {
		long.Targets = append(long.Targets, long.Targets[0], long.Targets[0])
	}
	long.Targets = long.Targets[:tx.MaxTargets]
	for i := range long.Targets {
		long.Targets[i].Methods = []string{"a-method-with-a-very-long-name", "another-method-with-a-very-long-name"}
	}
	if _, _, err := tx.Seal(chain, [32]byte{1}, long); !errors.Is(err, tx.Malformed) {
		t.Errorf("sealed a grant of %d bytes: %v", len(codec.MustMarshal(long)), err)
	}
}

// commitTo is what the ledger has of a body over the given devices.
func commitTo(body []byte, d ...tx.DeviceEpoch) *tx.CreateGrant {
	return &tx.CreateGrant{Private: &tx.Private{Digest: codec.Digest(codec.LabelGrant, chain, body), Devices: d}}
}

func openBad(p *tx.CreateGrant, f func(*tx.CreateGrant)) (*tx.CreateGrant, codec.ChainDigest, []byte) {
	g := narrowed()
	g.Depth = 0
	f(g)
	b := codec.MustMarshal(tx.PrivateBody{Grant: *g})
	return commitTo(b, p.Private.Devices...), chain, b
}

func FuzzOpen(f *testing.F) {
	g := narrowed()
	g.Depth = 0
	p, body, err := tx.Seal(chain, [32]byte{1}, g)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add(codec.MustMarshal(tx.PrivateBody{Grant: *sealed()}))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := commitTo(in, p.Private.Devices...).Open(chain, in)
		if err == nil && (got.StaticValidate() != nil || got.Private != nil || got.Depth > 0 || len(in) > tx.MaxPrivate) {
			t.Fatal("opened what is no private grant")
		}
	})
}
