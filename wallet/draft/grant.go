package draft

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Grant is what an owner wants to give.
type Grant struct {
	Grantee  key.Public
	Device   key.DeviceID
	Methods  []Method // any order; repeats are dropped
	From, To time.Time
	Terms    Terms
}

// Method is a method of an endpoint of a device.
type Method struct {
	Endpoint, Name string
}

// String is the form that people write: "lock.open".
func (m Method) String() string { return m.Endpoint + "." + m.Name }

// ParseMethod reads the form that people write. Endpoints may hold dots, so the
// last one counts.
func ParseMethod(s string) (Method, error) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 || !tx.ValidName(s[:i]) || !tx.ValidName(s[i+1:]) {
		return Method{}, fmt.Errorf("%.80q is no method: want endpoint.method, such as lock.open", s)
	}
	return Method{Endpoint: s[:i], Name: s[i+1:]}, nil
}

// CreateGrant drafts a grant over a device that the account owns now.
func (l Ledger) CreateGrant(p Party, g Grant) (*tx.Tx, error) {
	d, err := l.owned(p, g.Device)
	if err != nil {
		return nil, err
	}
	a, err := l.account(p)
	if err != nil {
		return nil, err
	}
	return l.build(p, a.Sequence, Life, tx.RoleAccount, g.payload(d.Epoch))
}

// Targets makes one target for each endpoint of the grant, in order.
func Targets(g Grant, epoch uint64) []tx.Target {
	methods := slices.Clone(g.Methods)
	slices.SortFunc(methods, func(a, b Method) int {
		return cmp.Or(strings.Compare(a.Endpoint, b.Endpoint), strings.Compare(a.Name, b.Name))
	})
	var out []tx.Target
	for _, m := range slices.Compact(methods) {
		if n := len(out); n == 0 || out[n-1].Endpoint != m.Endpoint {
			out = append(out, tx.Target{Device: g.Device, Epoch: epoch, Endpoint: m.Endpoint})
		}
		last := &out[len(out)-1]
		last.Methods = append(last.Methods, m.Name)
	}
	return out
}

// RevokeGrant drafts the end of a grant.
func (l Ledger) RevokeGrant(p Party, id tx.ID) (*tx.Tx, error) {
	a, err := l.account(p)
	if err != nil {
		return nil, err
	}
	return l.build(p, a.Sequence, Life, tx.RoleAccount, &tx.RevokeGrant{Grant: id})
}

// owned reads a device that the account must own.
func (l Ledger) owned(p Party, id key.DeviceID) (state.Device, error) {
	d, err := state.GetDevice(l.View, id)
	if err != nil {
		return d, err
	}
	if d.Owner == nil || *d.Owner != p.Account {
		return d, &state.Error{Kind: state.NotOwner, Detail: fmt.Sprintf("%s does not own %s", p.Account, id)}
	}
	return d, nil
}

func seconds(t time.Time) uint64 { return uint64(max(t.Unix(), 0)) }
