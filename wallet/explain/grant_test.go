package explain

import (
	"errors"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// narrow uses every field that narrows a grant.
func narrow() *tx.CreateGrant {
	g := &tx.CreateGrant{Grantee: guest, NotBefore: 1_800_000_000, NotAfter: 1_800_003_600,
		Targets: []tx.Target{{Device: device, Epoch: 7, Endpoint: "lock", Methods: []string{"open", "state"}}},
		Zone:    "Europe/Berlin", Uses: 3, Rate: &tx.Rate{Count: 5, Period: 3600}, Depth: 2}
	for _, day := range []uint8{1, 2, 3, 5} {
		g.Windows = append(g.Windows, tx.Window{Day: day, From: 480, To: 1080})
	}
	g.Windows = append(g.Windows, tx.Window{Day: 6, From: 1320, To: 1440}, tx.Window{Day: 7, From: 1320, To: 1440})
	return g
}

// TestPrivate: what is shown is what the digest stands for.
func TestPrivate(t *testing.T) {
	g := narrow()
	g.Depth = 0
	id := codec.ChainDigest{1}
	p, body, err := tx.Seal(id, [32]byte{1}, g)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Private(id, body, names)
	if err != nil {
		t.Fatal(err)
	}
	sum := createGrant(p, names)
	digest := sum.Lines[len(sum.Lines)-1]
	if s.Lines[len(s.Lines)-1] != digest {
		t.Errorf("shows %v, the transaction %v", s.Lines, digest)
	}
	for _, word := range []string{guest.String(), "3 times", "front-door"} {
		found := false
		for _, l := range s.Lines {
			found = found || strings.Contains(l.Text, word)
		}
		if !found {
			t.Errorf("does not say %q: %v", word, s.Lines)
		}
	}
	for _, bad := range [][]byte{nil, {0xa0}, append(body, 0), codec.MustMarshal(tx.PrivateBody{Grant: *p})} {
		if _, err := Private(id, bad, names); !errors.Is(err, ErrUnknown) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}
