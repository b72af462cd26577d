package gate

import (
	"sync"
	"time"
	_ "time/tzdata" // a device's image need not have the database of time zones

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// limit is one grant that binds a command: the one that is used, or one that it
// was given on from.
type limit struct {
	id    tx.ID
	grant *tx.CreateGrant // if it is private, what its body says
}

// limits gives what binds a command under a grant. The body of a private grant
// must come with each command, since a device keeps none.
func (g *heldGrant) limits(chain codec.ChainDigest, b *command.Body) ([]limit, error) {
	body := b.GrantBody()
	if private := g.chain[0].Grant; private.Private != nil {
		opened, err := private.Open(chain, body)
		if err != nil {
			return nil, refuse(command.BadGrantBody, "grant %s: %v", b.Grant, err)
		}
		return []limit{{g.chain[0].ID, opened}}, nil // no private grant is given on
	}
	if body != nil {
		return nil, refuse(command.BadGrantBody, "grant %s is not private", b.Grant)
	}
	out := make([]limit, len(g.chain))
	for i, l := range g.chain {
		out[i] = limit{l.ID, l.Grant}
	}
	return out, nil
}

// permits checks the right itself. What uses and rate allow is seen when the
// intent is written down.
func (h holder) permits(device key.DeviceID, b *command.Body, now time.Time) error {
	switch {
	case len(h.grants) == 0 && !h.invoke:
		return refuse(command.NotAllowed, "%s may not invoke", b.Key)
	case h.revoked:
		return refuse(command.GrantRevoked, "grant %s", b.Grant)
	}
	for _, l := range h.grants {
		if err := l.permits(device, b, now); err != nil {
			return err
		}
	}
	return nil
}

func (l limit) permits(device key.DeviceID, b *command.Body, now time.Time) error {
	at := uint64(now.Unix())
	switch {
	case at > l.grant.NotAfter:
		return refuse(command.GrantExpired, "ended at %d, now %d", l.grant.NotAfter, at)
	case at < l.grant.NotBefore:
		return refuse(command.GrantNotYet, "begins at %d, now %d", l.grant.NotBefore, at)
	case !l.grant.Covers(device, b.Epoch, b.Endpoint, b.Method):
		return refuse(command.NotGranted, "grant %s does not name %s at %s", l.id, b.Method, b.Endpoint)
	case len(l.grant.Windows) == 0:
		return nil
	}
	zone, err := zoneOf(l.grant.Zone)
	if err != nil {
		return refuse(command.UnknownZone, "grant %s: %v", l.id, err)
	}
	if !holdsAt(l.grant, now, zone) {
		return refuse(command.OutsideWindow, "grant %s does not hold at %s", l.id, now.In(zone).Format("Mon 15:04 MST"))
	}
	return nil
}

// holdsAt evaluates the windows of a grant by the clock on the wall: an hour
// that a change of the clocks leaves out does not come, and one that it doubles
// comes twice.
func holdsAt(g *tx.CreateGrant, now time.Time, zone *time.Location) bool {
	local := now.In(zone)
	day := (uint8(local.Weekday())+6)%7 + 1 // Monday first
	return g.HoldsAt(day, uint16(local.Hour()*60+local.Minute()))
}

// zones are the time zones that were read, since reading one costs more than a
// signature.
var zones sync.Map // of string to *time.Location; names that were not found are not kept

// zoneOf finds a time zone.
func zoneOf(name string) (*time.Location, error) {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	zones.Store(name, z) // as many as the database has, some hundreds
	return z, nil
}
