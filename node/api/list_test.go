package api

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// lists is an index in memory.
type lists struct {
	mu       sync.Mutex
	head     Head
	state    IndexState // Height and Ready follow from head, err
	err      error      // what every list gives
	from     int64
	owned    map[key.AccountID][]DeviceRef
	given    map[key.KeyID][]GrantRef
	history  []TxRef // oldest first
	named    map[Subject][]tx.ID
	chain    []BlockRef
	watchers map[int]func(Head, []key.AccountID)
	next     int
}

func (l *lists) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

func (l *lists) State() IndexState {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state
	s.Height, s.Ready = l.head.Height, l.err == nil
	return s
}

func (l *lists) Await(context.Context, int64) {}

// cut gives a part of entries that stand in the order of the list.
func cut[T any](l *lists, all []T, position func(T) []byte, order int, p Part) (Page[T], error) {
	out := Page[T]{Head: l.head, From: l.from}
	for _, t := range all {
		at := position(t)
		if p.After != nil && bytes.Compare(at, p.After)*order <= 0 {
			continue
		}
		if len(out.Items) == p.Limit {
			out.Next = position(out.Items[p.Limit-1])
			break
		}
		out.Items = append(out.Items, t)
	}
	return out, l.err
}

func (l *lists) Devices(q DeviceQuery, p Part) (Page[DeviceRef], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []DeviceRef
	if q.Owner != nil {
		all = l.owned[*q.Owner]
	} else {
		for _, ds := range l.owned {
			for _, d := range ds {
				if d.Vendor == *q.Vendor && (q.Owned == nil || *q.Owned == (d.Owner != nil)) {
					all = append(all, d)
				}
			}
		}
	}
	return cut(l, all, func(d DeviceRef) []byte { return d.ID[:] }, 1, p)
}

func (l *lists) Grants(q GrantQuery, p Part) (Page[GrantRef], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []GrantRef
	for to, gs := range l.given {
		for _, g := range gs {
			if (q.Grantee == nil || *q.Grantee == to) && (!q.Active || g.Status == "active") {
				all = append(all, g)
			}
		}
	}
	return cut(l, all, func(g GrantRef) []byte { return g.ID[:] }, 1, p)
}

func (l *lists) Txs(q TxQuery, p Part) (Page[TxRef], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []TxRef
	for _, x := range l.history {
		named := len(q.Subjects) == 0
		for _, s := range q.Subjects {
			named = named || slices.Contains(l.named[s], x.ID)
		}
		if named && (q.Kind == 0 || q.Kind.String() == x.Kind) {
			all = append(all, x)
		}
	}
	order := 1
	if !q.Ascending {
		slices.Reverse(all)
		order = -1
	}
	return cut(l, all, func(x TxRef) []byte {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(x.Height)), x.Index)
	}, order, p)
}

func (l *lists) Blocks(ascending bool, p Part) (Page[BlockRef], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all, order := slices.Clone(l.chain), 1
	if !ascending {
		slices.Reverse(all)
		order = -1
	}
	return cut(l, all, func(b BlockRef) []byte { return binary.BigEndian.AppendUint64(nil, uint64(b.Height)) }, order, p)
}

func (l *lists) Watch(ctx context.Context, f func(Head, []key.AccountID)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watchers == nil {
		l.watchers = make(map[int]func(Head, []key.AccountID))
	}
	n := l.next
	l.next++
	l.watchers[n] = f
	context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers, n)
	})
}

// block commits a block that gives an account these devices.
func (l *lists) block(head Head, owner key.AccountID, ids ...key.DeviceID) {
	l.mu.Lock()
	l.head = head
	var accounts []key.AccountID
	if owner != (key.AccountID{}) {
		accounts = append(accounts, owner)
		l.owned = map[key.AccountID][]DeviceRef{}
		for _, id := range ids {
			l.owned[owner] = append(l.owned[owner], DeviceRef{ID: id})
		}
	}
	l.mu.Unlock()
	l.tell(head, accounts)
}

func (l *lists) tell(head Head, accounts []key.AccountID) {
	l.mu.Lock()
	watchers := maps.Clone(l.watchers)
	l.mu.Unlock()
	for _, f := range watchers {
		f(head, accounts)
	}
}

// grow commits a block with one transaction for each list of subjects.
func (l *lists) grow(n int, txs ...[]Subject) {
	l.mu.Lock()
	l.head = headAt(n)
	l.chain = append(l.chain, BlockRef{Height: int64(n), Time: l.head.Time, Hash: "00", Txs: uint32(len(txs))})
	if l.named == nil {
		l.named = make(map[Subject][]tx.ID)
	}
	for i, subjects := range txs {
		x := TxRef{Height: int64(n), Index: uint32(i), Time: l.head.Time, ID: tx.ID{byte(n), byte(i)}, Kind: "claim"}
		l.history = append(l.history, x)
		for _, s := range subjects {
			l.named[s] = append(l.named[s], x.ID)
		}
	}
	l.mu.Unlock()
	l.tell(headAt(n), nil)
}

func TestServer_Lists(t *testing.T) {
	owner, guest, vendor := secret(t, 'o').Public().AccountID(), secret(t, 'g').Public().ID(), key.AccountID{7}
	a, b := key.DeviceID{1}, key.DeviceID{2}
	l := &lists{
		owned: map[key.AccountID][]DeviceRef{owner: {{a, "lock", 1, true, &owner, vendor}, {b, "bell", 2, false, &owner, vendor}}},
		given: map[key.KeyID][]GrantRef{guest: {{tx.ID{1}, owner, "active", guest, 5, 6}, {tx.ID{2}, owner, "revoked", guest, 5, 6}}},
	}
	l.grow(1, []Subject{DeviceSubject(a)}, []Subject{DeviceSubject(a), DeviceSubject(b)})
	l.grow(2)
	l.from = 1
	d := &devices{online: map[key.DeviceID]bool{b: true}}
	s := newPhone(t, &fake{status: Status{Height: 2}}, d, l)
	device := func(id key.DeviceID, model string, epoch int, lost, online bool) string {
		return fmt.Sprintf(`{"id":"%s","model":"%s","epoch":%d,"lost":%v,"owner":"%s","vendor":"%s","online":%v}`, id, model, epoch, lost, owner, vendor, online)
	}
	grant := func(id byte, status string) string {
		return fmt.Sprintf(`{"id":"%s","issuer":"%s","status":"%s","grantee":"%s","not_before":5,"not_after":6}`, tx.ID{id}, owner, status, guest)
	}
	made := func(i byte) string {
		return fmt.Sprintf(`{"height":1,"index":%d,"time":"2030-01-01T00:00:01Z","id":"%s","kind":"claim","account":"%s","code":0}`, i, tx.ID{1, i}, key.AccountID{})
	}
	for path, want := range map[string]string{
		"/v1/accounts/" + owner.String() + "/devices":            `{"devices":[` + device(a, "lock", 1, true, false) + "," + device(b, "bell", 2, false, true) + `],"version":2}`,
		"/v1/vendors/" + vendor.String() + "/devices?owned=1":    `{"devices":[` + device(a, "lock", 1, true, false) + "," + device(b, "bell", 2, false, true) + `],"version":2}`,
		"/v1/vendors/" + vendor.String() + "/devices?owned=0":    `{"devices":[],"version":2}`,
		"/v1/accounts/" + key.AccountID{5}.String() + "/devices": `{"devices":[],"version":2}`,
		"/v1/keys/" + guest.String() + "/grants":                 `{"grants":[` + grant(1, "active") + "," + grant(2, "revoked") + `],"version":2}`,
		"/v1/keys/" + guest.String() + "/grants?status=active":   `{"grants":[` + grant(1, "active") + `],"version":2}`,
		"/v1/keys/" + key.KeyID{5}.String() + "/grants":          `{"grants":[],"version":2}`,
		"/v1/devices/" + a.String() + "/grants?status=active":    `{"grants":[` + grant(1, "active") + `],"version":2}`,
		"/v1/history/" + a.String():                              `{"txs":[` + made(1) + "," + made(0) + `],"from":1,"version":2}`,
		"/v1/history/" + b.String() + "?kind=claim":              `{"txs":[` + made(1) + `],"from":1,"version":2}`,
		"/v1/history/" + b.String() + "?kind=transfer":           `{"txs":[],"from":1,"version":2}`,
		"/v1/history/" + owner.String():                          `{"txs":[],"from":1,"version":2}`,
		"/v1/txs?limit=1000":                                     `{"txs":[` + made(1) + "," + made(0) + `],"from":1,"version":2}`,
		"/v1/blocks": `{"blocks":[{"height":2,"time":"2030-01-01T00:00:02Z","hash":"00","txs":0},` +
			`{"height":1,"time":"2030-01-01T00:00:01Z","hash":"00","txs":2}],"from":1,"version":2}`,
	} {
		for name, h := range map[string]http.Handler{"local": s.Handler(), "phone": s.PhoneHandler()} {
			code, body := call(h, phoneRequest("GET", path, ""))
			if diff := cmp.Diff(want, body); code != 200 || diff != "" {
				t.Errorf("%s %s: %d (-want +got):\n%s", name, path, code, diff)
			}
		}
	}
	// An index that is behind says so.
	h := newPhone(t, &fake{status: Status{Height: 3}}, d, l).Handler()
	if _, body := call(h, request("GET", "/v1/keys/"+key.KeyID{5}.String()+"/grants", "")); body != `{"grants":[],"version":2,"indexing":true}` {
		t.Errorf("behind: %s", body)
	}
	if _, body := call(h, request("GET", "/v1/status", "")); !bytes.Contains([]byte(body), []byte(`"indexed":2,"indexing":true`)) {
		t.Errorf("status: %s", body)
	}
}

// Pages that are asked for one after another give each entry once, though blocks
// come in between.
func TestServer_Pages(t *testing.T) {
	owner := key.AccountID{1}
	l := &lists{owned: map[key.AccountID][]DeviceRef{}}
	for i := range maxListed + 5 {
		l.owned[owner] = append(l.owned[owner], DeviceRef{ID: key.DeviceID{byte(i >> 8), byte(i)}, Owner: &owner})
	}
	for n := range 9 {
		l.grow(n+1, []Subject{AccountSubject(owner)})
	}
	h := newPhone(t, &fake{}, &devices{}, l).PhoneHandler()
	var devices DeviceList
	ask(t, h, "/v1/accounts/"+owner.String()+"/devices", &devices)
	if len(devices.Devices) != maxListed || !devices.More || devices.Next == "" {
		t.Errorf("%d devices, more %v", len(devices.Devices), devices.More)
	}
	next := devices.Next
	devices = DeviceList{}
	ask(t, h, "/v1/accounts/"+owner.String()+"/devices?cursor="+next, &devices)
	if len(devices.Devices) != 5 || devices.More || devices.Next != "" || devices.Devices[0].ID != (key.DeviceID{maxListed >> 8, maxListed & 255}) {
		t.Errorf("then %d devices, more %v", len(devices.Devices), devices.More)
	}
	path := "/v1/history/" + owner.String() + "?limit=2"
	var got []int64
	for cursor := ""; ; {
		var txs TxList
		ask(t, h, path+cursor, &txs)
		for _, x := range txs.Txs {
			got = append(got, x.Height)
		}
		if !txs.More {
			break
		}
		cursor = "&cursor=" + url.QueryEscape(txs.Next)
		l.grow(10+len(got), []Subject{AccountSubject(owner)})
	}
	if diff := cmp.Diff([]int64{9, 8, 7, 6, 5, 4, 3, 2, 1}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ask(t *testing.T, h http.Handler, path string, out any) {
	t.Helper()
	code, body := call(h, phoneRequest("GET", path, ""))
	if code != 200 {
		t.Fatalf("%s: %d %s", path, code, body)
	}
	if err := json.Unmarshal([]byte(body), out); err != nil {
		t.Fatal(err)
	}
}

// FuzzCursor: a cursor that is taken is the one that would be given for its
// position, and only of its own list.
func FuzzCursor(f *testing.F) {
	f.Add("blocks?", encodeCursor("blocks?", make([]byte, sizeHeight)), uint8(sizeHeight))
	f.Add("txs?", encodeCursor("txs?kind=claim", make([]byte, sizeTx)), uint8(sizeTx))
	f.Add("a", encodeCursor("a", bytes.Repeat([]byte{255}, sizeGrant)), uint8(sizeGrant))
	f.Add("", "", uint8(0))
	f.Add("a", "AQ==", uint8(200))
	f.Fuzz(func(t *testing.T, list, text string, size uint8) {
		position, err := decodeCursor(list, text, int(size))
		if err != nil {
			return
		}
		if len(position) != int(size) || len(position) > maxPosition || encodeCursor(list, position) != text {
			t.Errorf("%q of %q gives %x", text, list, position)
		}
		if _, err := decodeCursor(list+"x", text, int(size)); err == nil {
			t.Errorf("%q is of two lists", text)
		}
	})
}

func FuzzSubject(f *testing.F) {
	for _, s := range []Subject{AccountSubject(key.AccountID{1}), DeviceSubject(key.DeviceID{2}), KeySubject(key.KeyID{3}), TxSubject(tx.ID{4}), "", "q"} {
		f.Add(s.String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSubject(text)
		if err != nil {
			return
		}
		if again, err := ParseSubject(s.String()); err != nil || again != s {
			t.Errorf("%q reads as %q, and that as %q: %v", text, s, again, err)
		}
	})
}
