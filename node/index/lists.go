package index

import (
	"bytes"
	"slices"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// lists is the index of one block.
type lists struct {
	devices map[key.DeviceID]device // those with an owner
	owned   map[key.AccountID][]key.DeviceID
	given   map[key.KeyID][]grant
	models  map[string]string // one copy of each name
}

type device struct {
	owner key.AccountID
	epoch uint64
	model string
}

type grant struct {
	id     tx.ID
	issuer key.AccountID
	status state.Status
}

func newLists() lists {
	return lists{
		devices: make(map[key.DeviceID]device), owned: make(map[key.AccountID][]key.DeviceID),
		given: make(map[key.KeyID][]grant), models: make(map[string]string),
	}
}

// takeDevice brings a device up to its record, nil if it was deleted.
func (l *lists) takeDevice(id key.DeviceID, raw []byte, t touched) error {
	var next device
	owned := false
	if raw != nil {
		r, err := state.GetDevice(record(raw), id)
		if err != nil {
			return err
		}
		if owned = r.Owner != nil; owned {
			next = device{owner: *r.Owner, epoch: r.Epoch, model: l.model(r.Model)}
		}
	}
	old, had := l.devices[id]
	if had == owned && old == next {
		return nil
	}
	if had {
		t.add(old.owner)
		l.disown(old.owner, id)
		delete(l.devices, id)
	}
	if owned {
		t.add(next.owner)
		l.devices[id] = next
		at, _ := slices.BinarySearchFunc(l.owned[next.owner], id, compareDevices)
		l.owned[next.owner] = slices.Insert(l.owned[next.owner], at, id)
	}
	return nil
}

// disown takes a device out of its owner's list.
func (l *lists) disown(owner key.AccountID, id key.DeviceID) {
	list := l.owned[owner]
	if at, ok := slices.BinarySearchFunc(list, id, compareDevices); ok {
		list = slices.Delete(list, at, at+1)
	}
	if len(list) == 0 {
		delete(l.owned, owner)
		return
	}
	l.owned[owner] = list
}

func compareDevices(a, b key.DeviceID) int { return bytes.Compare(a[:], b[:]) }

// model gives the one copy of a name: makers have few models and many devices.
func (l *lists) model(name string) string {
	if _, ok := l.models[name]; !ok {
		l.models[name] = name
	}
	return l.models[name]
}

// takeGrant brings a grant up to its record. Records of grants are never
// deleted: a revoked one stays.
func (l *lists) takeGrant(id tx.ID, raw []byte, t touched) error {
	r, err := state.GetGrant(record(raw), id)
	if err != nil {
		return err
	}
	link, err := state.DecodeLink(id, r)
	if err != nil {
		return err
	}
	if link.Grant.Private != nil { // whose it is stays between owner and grantee
		t.add(r.Issuer)
		return nil
	}
	p := link.Grant
	next := grant{id: id, issuer: r.Issuer, status: r.Status}
	list := l.given[p.Grantee.ID()]
	at, had := slices.BinarySearchFunc(list, id, func(g grant, id tx.ID) int { return bytes.Compare(g.id[:], id[:]) })
	if had && list[at] == next {
		return nil
	}
	// A grantee has no account on the ledger; it waits for news under the id that
	// its commands carry.
	t.add(r.Issuer, p.Grantee.AccountID())
	if had {
		list[at] = next
		return nil
	}
	l.given[p.Grantee.ID()] = slices.Insert(list, at, next)
	return nil
}
