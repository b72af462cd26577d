package index

import (
	"reflect"
	"slices"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/api"
)

// subjects lists what a transaction names, each once: who acts, itself, and
// every id and key in its payload, of whatever kind it is, so that new kinds need
// no line here. What stands in the signatures is not named: it is not what the
// transaction is about.
func subjects(chain codec.ChainDigest, t *tx.Tx) []api.Subject {
	out := names{api.AccountSubject(t.Body.Account), api.TxSubject(t.ID(chain))}
	out.walk(reflect.ValueOf(t.Payload))
	if p, ok := t.Payload.(*tx.RegisterDevice); ok { // its id follows from its key
		out.add(api.DeviceSubject(p.Key.DeviceID()))
	}
	return out
}

type names []api.Subject

func (n *names) add(s api.Subject) {
	if !slices.Contains(*n, s) {
		*n = append(*n, s)
	}
}

// walk looks for ids and keys in a value. Payloads are trees of structs,
// pointers and slices, bounded by the size of a transaction.
func (n *names) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			n.walk(v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			n.walk(v.Index(i))
		}
	case reflect.Array:
		n.id(v)
	case reflect.Struct:
		if k, ok := v.Interface().(key.Public); ok && len(k.Bytes) > 0 {
			n.add(api.KeySubject(k.ID()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				n.walk(v.Field(i))
			}
		}
	}
}

func (n *names) id(v reflect.Value) {
	if v.IsZero() { // an optional one that is not set
		return
	}
	switch id := v.Interface().(type) {
	case key.AccountID:
		n.add(api.AccountSubject(id))
	case key.DeviceID:
		n.add(api.DeviceSubject(id))
	case key.KeyID:
		n.add(api.KeySubject(id))
	case tx.ID:
		n.add(api.TxSubject(id))
	}
}

// follow adds what a grant that the transaction names is about: its revocation
// belongs to the histories of the grantee and of the devices too.
func (n *names) follow(x abci.Executed, own api.Subject, find func(tx.ID) (*grant, error)) error {
	if x.Code != abci.CodeOK {
		return nil
	}
	for _, s := range slices.Clone(*n) {
		id, ok := s.Tx()
		if !ok || s == own && !makesGrant(x.Tx) {
			continue
		}
		g, err := find(id)
		if err != nil {
			return err
		}
		if g == nil {
			continue
		}
		if !g.private() {
			n.add(api.KeySubject(g.Grantee))
		}
		for _, d := range g.Devices {
			n.add(api.DeviceSubject(d))
		}
	}
	return nil
}

// makesGrant: the transaction's own id is that of a grant.
func makesGrant(t *tx.Tx) bool {
	switch t.Payload.(type) {
	case *tx.CreateGrant, *tx.DelegateGrant:
		return true
	default:
		return false
	}
}
