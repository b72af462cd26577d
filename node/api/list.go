package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Listed is what every list says about itself.
type Listed struct {
	Version  int64  `json:"version"`            // the block after which it was so
	More     bool   `json:"more,omitempty"`     // there are others
	Next     string `json:"next,omitempty"`     // the cursor to ask for them with
	Indexing bool   `json:"indexing,omitempty"` // newer blocks than that are committed
}

// ListedDevice is a device in a list, and whether this node reaches it.
type ListedDevice struct {
	DeviceRef
	Online bool `json:"online"`
}

// DeviceList is devices of an account or of a vendor.
type DeviceList struct {
	Devices []ListedDevice `json:"devices"` // sorted by id
	Listed
}

// GrantList is grants to a key or on a device.
type GrantList struct {
	Grants []GrantRef `json:"grants"` // sorted by id
	Listed
}

// TxList is transactions.
type TxList struct {
	Txs  []TxRef `json:"txs"`  // newest first
	From int64   `json:"from"` // nothing before this block is known here
	Listed
}

// BlockList is blocks.
type BlockList struct {
	Blocks []BlockRef `json:"blocks"` // newest first
	From   int64      `json:"from"`   // nothing before this block is known here
	Listed
}

// asked is a request for a part of a list.
type asked struct {
	list    string // name of the list, its id and its filters
	part    Part
	filters url.Values
}

// The lengths of positions.
const (
	sizeID     = key.IDSize
	sizeGrant  = len(tx.ID{})
	sizeHeight = 8
	sizeTx     = sizeHeight + 4
)

// listQuery reads limit, cursor and the filters that the list has. Each stands
// at most once.
func listQuery(r *http.Request, list string, size int, filters ...string) (a asked, err error) {
	q, err := query(r)
	if err != nil {
		return a, err
	}
	a = asked{part: Part{Limit: maxListed}, filters: make(url.Values)}
	cursor := ""
	for name, v := range q {
		switch {
		case len(v) != 1 || v[0] == "":
			return a, errQuery
		case name == "limit":
			if a.part.Limit, err = strconv.Atoi(v[0]); err != nil || a.part.Limit < 1 || a.part.Limit > maxListed {
				return a, errQuery
			}
		case name == "cursor":
			cursor = v[0]
		case slices.Contains(filters, name):
			a.filters[name] = v
		default:
			return a, errQuery
		}
	}
	a.list = list + "?" + a.filters.Encode()
	if cursor != "" {
		a.part.After, err = decodeCursor(a.list, cursor, size)
	}
	return a, err
}

// choice reads a filter that has two values; 0: it is not there.
func (a asked) choice(name, first, second string) (int, error) {
	switch v := a.filters.Get(name); v {
	case "":
		return 0, nil
	case first:
		return 1, nil
	case second:
		return 2, nil
	}
	return 0, errQuery
}

// kind reads the filter of that name.
func (a asked) kind() (tx.Kind, error) {
	name := a.filters.Get("kind")
	if name == "" {
		return 0, nil
	}
	for _, k := range tx.Kinds() {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, errQuery
}

// await gives the index a moment to have the newest block.
func (s *Server) await(r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), listWait)
	defer cancel()
	s.index.Await(ctx, s.ledger.Status().Height)
}

// listed is what a page says about itself.
func listed[T any](s *Server, a asked, p Page[T]) Listed {
	l := Listed{Version: p.Head.Height, More: p.Next != nil, Indexing: p.Head.Height < s.ledger.Status().Height}
	if p.Next != nil {
		l.Next = encodeCursor(a.list, p.Next)
	}
	return l
}

func (s *Server) accountDevices(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, err := key.ParseAccountID(r.PathValue("id"))
	if err != nil {
		s.fail(w, errID)
		return
	}
	a, err := listQuery(r, "owned "+id.String(), sizeID)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.listDevices(w, r, a, DeviceQuery{Owner: &id})
}

func (s *Server) vendorDevices(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, err := key.ParseAccountID(r.PathValue("id"))
	if err != nil {
		s.fail(w, errID)
		return
	}
	a, err := listQuery(r, "made "+id.String(), sizeID, "owned")
	if err != nil {
		s.fail(w, err)
		return
	}
	owned, err := a.choice("owned", "1", "0")
	if err != nil {
		s.fail(w, err)
		return
	}
	q := DeviceQuery{Vendor: &id}
	if owned != 0 {
		yes := owned == 1
		q.Owned = &yes
	}
	s.listDevices(w, r, a, q)
}

func (s *Server) listDevices(w http.ResponseWriter, r *http.Request, a asked, q DeviceQuery) {
	s.await(r)
	p, err := s.index.Devices(q, a.part)
	if err != nil {
		s.fail(w, err)
		return
	}
	out := DeviceList{Devices: []ListedDevice{}, Listed: listed(s, a, p)}
	for _, d := range p.Items {
		out.Devices = append(out.Devices, ListedDevice{d, s.devices.Online(d.ID)})
	}
	s.answer(w, http.StatusOK, out)
}

func (s *Server) keyGrants(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, err := key.ParseKeyID(r.PathValue("id"))
	if err != nil {
		s.fail(w, errID)
		return
	}
	s.listGrants(w, r, "given "+id.String(), GrantQuery{Grantee: &id})
}

func (s *Server) deviceGrants(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, err := key.ParseDeviceID(r.PathValue("id"))
	if err != nil {
		s.fail(w, errID)
		return
	}
	s.listGrants(w, r, "on "+id.String(), GrantQuery{Device: &id})
}

func (s *Server) listGrants(w http.ResponseWriter, r *http.Request, list string, q GrantQuery) {
	a, err := listQuery(r, list, sizeGrant, "status")
	if err != nil {
		s.fail(w, err)
		return
	}
	status, err := a.choice("status", "active", "all")
	if err != nil {
		s.fail(w, err)
		return
	}
	q.Active = status == 1
	s.await(r)
	p, err := s.index.Grants(q, a.part)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, http.StatusOK, GrantList{Grants: append([]GrantRef{}, p.Items...), Listed: listed(s, a, p)})
}

// history lists the transactions that name a record.
func (s *Server) history(w http.ResponseWriter, r *http.Request, _ []byte) {
	subject, err := ParseSubject(r.PathValue("id"))
	if err != nil {
		s.fail(w, errID)
		return
	}
	s.listTxs(w, r, "history "+subject.String(), subject)
}

func (s *Server) txs(w http.ResponseWriter, r *http.Request, _ []byte) { s.listTxs(w, r, "txs") }

func (s *Server) listTxs(w http.ResponseWriter, r *http.Request, list string, subjects ...Subject) {
	a, err := listQuery(r, list, sizeTx, "kind")
	if err != nil {
		s.fail(w, err)
		return
	}
	kind, err := a.kind()
	if err != nil {
		s.fail(w, err)
		return
	}
	s.await(r)
	p, err := s.index.Txs(TxQuery{Subjects: subjects, Kind: kind}, a.part)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, http.StatusOK, TxList{Txs: append([]TxRef{}, p.Items...), From: p.From, Listed: listed(s, a, p)})
}

func (s *Server) blocks(w http.ResponseWriter, r *http.Request, _ []byte) {
	a, err := listQuery(r, "blocks", sizeHeight)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.await(r)
	p, err := s.index.Blocks(false, a.part)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, http.StatusOK, BlockList{Blocks: append([]BlockRef{}, p.Items...), From: p.From, Listed: listed(s, a, p)})
}
