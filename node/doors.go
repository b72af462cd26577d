package node

import (
	"context"
	"fmt"
	"net"

	"github.com/hybridos-net/hybridos/node/api"
	"github.com/hybridos-net/hybridos/node/web"
)

// doors are where HTTP is answered: to this machine, and to phones.
type doors struct {
	local  net.Listener
	phones net.Listener // nil: phones are not served
	phone  *api.Phone   // the same
}

// openDoors opens what the settings name.
func (n *Node) openDoors(ctx context.Context) (doors, error) {
	var d doors
	var err error
	if d.local, err = new(net.ListenConfig).Listen(ctx, "tcp", n.cfg.Settings.HTTP); err != nil {
		return d, fmt.Errorf("http_listen: %w", err)
	}
	if n.cfg.Settings.Phone == "" {
		return d, nil
	}
	if d.phone, err = n.forPhones(); err != nil {
		d.close()
		return d, err
	}
	if d.phones, err = new(net.ListenConfig).Listen(ctx, "tcp", n.cfg.Settings.Phone); err != nil {
		d.close()
		return d, fmt.Errorf("phone_listen: %w", err)
	}
	return d, nil
}

// forPhones is what phones get, and under which names.
func (n *Node) forPhones() (*api.Phone, error) {
	s := n.cfg.Settings
	p := &api.Phone{Page: web.Handler(), Hosts: s.PhoneHosts}
	if s.PhoneCert == "" {
		return p, nil
	}
	var err error
	if p.TLS, err = api.LoadTLS(s.PhoneCert, s.PhoneKey, s.PhoneHosts); err != nil {
		return nil, fmt.Errorf("phone_tls_cert and phone_tls_key: %w", err)
	}
	return p, nil
}

// close closes what is open; whoever serves closes it too.
func (d doors) close() {
	_ = d.local.Close()
	if d.phones != nil {
		_ = d.phones.Close()
	}
}
