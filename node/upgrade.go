package node

import (
	"encoding/hex"

	"github.com/hybridos-net/hybridos/node/api"
)

// upgrade tells of the upgrade that is to come; nil if there is none.
func (l *ledger) upgrade() *api.Upgrade {
	u, ready := l.app.Pending()
	if u == nil {
		return nil
	}
	out := &api.Upgrade{Name: u.Name, Height: u.Height, URL: u.URL, Ready: ready}
	for _, h := range u.Hashes {
		out.Hashes = append(out.Hashes, hex.EncodeToString(h[:]))
	}
	return out
}
