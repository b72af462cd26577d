package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
)

// stream is one reader of events. What has happened since the last write is
// kept as its latest state, not as a list: a burst costs one place for each
// device, however long it is.
type stream struct {
	server  *Server
	account *key.AccountID // nil: none
	asked   []key.DeviceID

	mu      sync.Mutex
	head    *Head                     // not told yet
	top     int64                     // height of the newest that was noted
	again   bool                      // the account's devices could not be listed
	rights  bool                      // changed, and not told yet
	changed map[key.DeviceID]struct{} // to be looked at again
	watched map[key.DeviceID]struct{} // those that are told at all
	told    map[key.DeviceID]bool     // what was told last; the writer's
	wake    chan struct{}             // holds one
}

// events tells heads, devices that come and go, and changes of rights, until
// the reader or the node goes.
func (s *Server) events(w http.ResponseWriter, r *http.Request, _ []byte) {
	if r.Method != http.MethodGet { // HEAD: a stream that writes nothing would not notice its end
		s.fail(w, errNoPath)
		return
	}
	account, asked, err := eventsQuery(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	x := &stream{
		server: s, account: account, asked: asked, wake: make(chan struct{}, 1),
		changed: make(map[key.DeviceID]struct{}), told: make(map[key.DeviceID]bool),
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	// Errors mean that the reader has gone or does not read; it comes back.
	_ = x.run(r.Context(), w)
}

// eventsQuery reads account and device; both may be missing.
func eventsQuery(r *http.Request) (account *key.AccountID, devices []key.DeviceID, err error) {
	q, err := query(r)
	if err != nil {
		return nil, nil, err
	}
	for name, values := range q {
		switch {
		case name == "account" && len(values) == 1:
			id, err := key.ParseAccountID(values[0])
			if err != nil {
				return nil, nil, errQuery
			}
			account = &id
		case name == "device" && len(values) <= maxWatched:
			for _, v := range values {
				id, err := key.ParseDeviceID(v)
				if err != nil {
					return nil, nil, errQuery
				}
				devices = append(devices, id)
			}
		default:
			return nil, nil, errQuery
		}
	}
	return account, devices, nil
}

// run writes events until ctx ends or a write does not go through in time.
func (x *stream) run(ctx context.Context, w http.ResponseWriter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// First listen, then look: what happens in between is looked at twice.
	x.server.index.Watch(ctx, x.block)
	x.server.devices.Watch(ctx, x.device)
	x.begin()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	control := http.NewResponseController(w)
	for {
		out := x.next()
		if len(out) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-x.wake:
				continue
			case <-beat.C:
				out = []byte(":\n\n")
			}
		}
		if err := control.SetWriteDeadline(time.Now().Add(eventTimeout)); err != nil {
			return err
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
		if err := control.Flush(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// begin makes everything due: the newest head, and all devices.
func (x *stream) begin() {
	head := x.server.newest()
	x.mu.Lock()
	x.note(head)
	x.mu.Unlock()
	x.watch()
}

// note makes a head due, unless a newer one was told. The caller holds mu.
func (x *stream) note(head Head) {
	if x.head == nil && x.top == 0 || head.Height > x.top {
		x.head, x.top = &head, head.Height
	}
}

// watch takes up the devices that the account owns now. The writer calls it.
func (x *stream) watch() {
	watched := make(map[key.DeviceID]struct{})
	for _, id := range x.asked {
		watched[id] = struct{}{}
	}
	var err error
	if x.account != nil {
		var owned Page[DeviceRef]
		owned, err = x.server.index.Devices(DeviceQuery{Owner: x.account}, Part{Limit: maxListed})
		for _, d := range owned.Items {
			watched[d.ID] = struct{}{}
		}
	}
	x.mu.Lock()
	x.watched, x.again = watched, err != nil
	for id := range watched {
		x.changed[id] = struct{}{}
	}
	x.mu.Unlock()
	maps.DeleteFunc(x.told, func(id key.DeviceID, _ bool) bool {
		_, mine := watched[id]
		return !mine
	})
}

// block is called by the index.
func (x *stream) block(head Head, accounts []key.AccountID) {
	x.mu.Lock()
	x.note(head)
	x.rights = x.rights || x.account != nil && slices.Contains(accounts, *x.account)
	x.mu.Unlock()
	x.nudge()
}

// device is called by the mesh. It notes the device only: who looks later sees
// the state that holds then.
func (x *stream) device(id key.DeviceID, _ bool) {
	x.mu.Lock()
	_, mine := x.watched[id]
	if mine {
		x.changed[id] = struct{}{}
	}
	x.mu.Unlock()
	if mine {
		x.nudge()
	}
}

func (x *stream) nudge() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// next gives the events that are due, nothing if there are none.
func (x *stream) next() []byte {
	x.mu.Lock()
	rights, again := x.rights, x.again
	x.rights = false
	x.mu.Unlock()
	if rights || again { // what is owned may have changed
		x.watch()
	}
	x.mu.Lock()
	head, changed := x.head, x.changed
	x.head, x.changed = nil, make(map[key.DeviceID]struct{})
	x.mu.Unlock()

	var out bytes.Buffer
	if head != nil {
		event(&out, "head", head)
	}
	for _, id := range sorted(changed) {
		online := x.server.devices.Online(id)
		if before, known := x.told[id]; known && before == online {
			continue
		}
		x.told[id] = online
		event(&out, "device", struct {
			ID     key.DeviceID `json:"id"`
			Online bool         `json:"online"`
		}{id, online})
	}
	if rights {
		event(&out, "rights", struct {
			Account key.AccountID `json:"account"`
		}{*x.account})
	}
	return out.Bytes()
}

func sorted(ids map[key.DeviceID]struct{}) []key.DeviceID {
	out := make([]key.DeviceID, 0, len(ids))
	for id := range ids {
		out = append(out, id)
	}
	slices.SortFunc(out, func(a, b key.DeviceID) int { return bytes.Compare(a[:], b[:]) })
	return out
}

// event writes one event; JSON has no line breaks, which would end it.
func event(out *bytes.Buffer, name string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("api: encode event: " + err.Error())
	}
	fmt.Fprintf(out, "event: %s\ndata: %s\n\n", name, b)
}
