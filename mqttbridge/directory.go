package mqttbridge

import (
	"context"
	"errors"

	"github.com/hybridos-net/hybridos/mqttbridge/account"
	"github.com/hybridos-net/hybridos/mqttbridge/broker"
	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

// directory answers the broker out of the accounts and their devices.
type directory struct {
	logins *account.Verifier
	access map[string]*topicmap.Access
}

var _ broker.Directory = (*directory)(nil)

func newDirectory(book *account.Book, logins *account.Verifier, byDevice map[string]topicmap.Entity) *directory {
	d := &directory{logins: logins, access: map[string]*topicmap.Access{}}
	for _, a := range book.Accounts() {
		var entities []topicmap.Entity
		for _, id := range a.Devices {
			if e, ok := byDevice[id]; ok {
				entities = append(entities, e)
			}
		}
		d.access[a.Name] = topicmap.NewAccess(entities...)
	}
	return d
}

// Login implements broker.Directory.
func (d *directory) Login(ctx context.Context, name string, password []byte) error {
	_, err := d.logins.Verify(ctx, name, password)
	if errors.Is(err, account.Busy) {
		return errors.Join(broker.ErrBusy, err)
	}
	return err
}

// Access implements broker.Directory.
func (d *directory) Access(name string) *topicmap.Access { return d.access[name] }
