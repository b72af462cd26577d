package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

func (a *App) watchCommand() *cobra.Command {
	var every time.Duration
	var count int
	c := &cobra.Command{
		Use: "watch", Short: "Follow the ledger and your devices", Args: cobra.NoArgs,
		Long: "Prints one JSON object per line: every verified header, every change of your\ndevices and grants as proven, and the state of your locks as signed by them.\nWith --state-every 0 no lock is asked, and no passphrase is needed.",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSession(func(s *session) error {
				w := &watcher{s: s, every: every, left: count}
				return w.run(c.Context())
			})
		},
	}
	c.Flags().DurationVar(&every, "state-every", 30*time.Second, "how often locks are asked for their state; 0: never")
	c.Flags().IntVarP(&count, "heads", "n", 0, "end after so many headers; 0: never")
	return c
}

// watchEvent is one line. Fields that do not belong to an event are left out.
type watchEvent struct {
	header
	Event   string         `json:"event"` // head, device, grant, state, trouble
	Height  int64          `json:"height"`
	Hash    string         `json:"hash,omitempty"`
	Time    *time.Time     `json:"time,omitempty"`
	Device  *key.DeviceID  `json:"device,omitempty"`
	Name    string         `json:"name,omitempty"`
	Owner   *key.AccountID `json:"owner,omitempty"`
	Owned   *bool          `json:"owned,omitempty"`
	Epoch   uint64         `json:"epoch,omitempty"`
	Lost    bool           `json:"lost,omitempty"`
	Frozen  bool           `json:"frozen,omitempty"`
	Grant   *tx.ID         `json:"grant,omitempty"`
	Status  string         `json:"status,omitempty"`
	Code    string         `json:"code,omitempty"`
	Counter uint64         `json:"counter,omitempty"`
	Result  string         `json:"result,omitempty"`
	Why     string         `json:"why,omitempty"`
}

// watcher remembers what it has told.
type watcher struct {
	s      *session
	every  time.Duration
	left   int // headers still to tell; 0: no end
	ring   *keystore.Ring
	told   map[string]string // by device or grant
	asked  time.Time         // when the locks were asked last
	height int64
}

// errWatched ends a watch that was to end.
var errWatched = errors.New("told as many headers as were asked for")

func (w *watcher) run(ctx context.Context) error {
	w.told = make(map[string]string)
	if w.every > 0 {
		var err error
		if w.ring, err = w.s.unlock(ctx); err != nil {
			return err
		}
		defer w.ring.Zero()
	}
	// A node that cannot be reached at the start is an error, later it is not.
	first, cancel := w.s.app.bound(ctx)
	_, _, err := w.s.ledger(first)
	cancel()
	if err != nil {
		return err
	}
	err = w.s.net.Follow(ctx, func(h light.Head) error { return w.head(ctx, h) })
	if errors.Is(err, errWatched) || ctx.Err() != nil {
		return nil
	}
	return doing("follow the ledger", err)
}

func (w *watcher) emit(e watchEvent) error {
	e.header, e.Height = head("hos.watch"), w.height
	return w.s.app.line(e)
}

// head tells about a header and what changed under it.
func (w *watcher) head(ctx context.Context, h light.Head) error {
	w.height = h.Height
	t := h.Time.UTC()
	if err := w.emit(watchEvent{Event: "head", Hash: hex.EncodeToString(h.Hash), Time: &t}); err != nil {
		return err
	}
	bounded, cancel := w.s.app.bound(ctx)
	defer cancel()
	changed, err := w.records(bounded)
	if err != nil {
		return err
	}
	if w.every > 0 && (changed || w.s.app.cfg.Now().Sub(w.asked) >= w.every) {
		w.asked = w.s.app.cfg.Now()
		if err := w.states(bounded); err != nil {
			return err
		}
	}
	if w.left > 0 {
		if w.left--; w.left == 0 {
			return errWatched
		}
	}
	return nil
}

// records tells every device and grant that is not as it was told last. A
// proof that cannot be had now is told as trouble and asked for again with the
// next header.
func (w *watcher) records(ctx context.Context) (changed bool, err error) {
	v, err := w.s.net.View(ctx)
	if err != nil {
		return false, w.trouble("", err)
	}
	devices, err := w.s.home.Devices()
	if err != nil {
		return false, doing("list the devices", err)
	}
	p := newProver(v, w.s.account())
	for _, d := range devices {
		i, err := p.device(d)
		if err != nil {
			return changed, w.trouble(d.Name, err)
		}
		if w.isNews("device "+d.ID.String(), i.says, i.Epoch) {
			changed = true
			if err := w.emit(watchEvent{Event: "device", Device: &d.ID, Name: d.Name, Owner: i.Owner, Owned: &i.Owned, Epoch: i.Epoch, Lost: i.Lost, Frozen: i.Frozen}); err != nil {
				return changed, err
			}
		}
	}
	grants, err := w.s.knownGrants()
	if err != nil {
		return changed, doing("list the grants", err)
	}
	for _, g := range grants {
		status, err := grantStatus(v, w.s.chain, g, w.s.app.cfg.Now())
		if err != nil {
			return changed, w.trouble("", err)
		}
		if w.isNews("grant "+g.ID.String(), status, 0) {
			changed = true
			if err := w.emit(watchEvent{Event: "grant", Grant: &g.ID, Device: &g.Device, Status: status}); err != nil {
				return changed, err
			}
		}
	}
	return changed, nil
}

func (w *watcher) isNews(what, says string, epoch uint64) bool {
	now := says + "|" + time.Duration(epoch).String()
	if w.told[what] == now {
		return false
	}
	w.told[what] = now
	return true
}

// states asks every device for the state of its lock.
func (w *watcher) states(ctx context.Context) error {
	devices, err := w.s.home.Devices()
	if err != nil {
		return doing("list the devices", err)
	}
	for _, d := range devices {
		if err := w.state(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// stateWait is how long one lock may take to answer.
const stateWait = 5 * time.Second

func (w *watcher) state(ctx context.Context, d home.Device) error {
	m := draft.Method{Endpoint: "lock", Name: "state"}
	t, err := w.s.target(d.ID.String(), m, "")
	if errors.Is(err, errNoGrant) {
		return nil // a guest who may not ask
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stateWait)
	defer cancel()
	r, err := w.s.invokeOnce(ctx, w.ring.Account(), w.ring.Active(), t, m, nil)
	if err != nil {
		return w.trouble(d.Name, err)
	}
	return w.emit(watchEvent{Event: "state", Device: &d.ID, Name: d.Name, Status: r.Body.Status.String(), Code: r.Body.Code.String(),
		Counter: r.Body.Counter, Result: printableText(r.Body.Result)})
}

// trouble tells what went wrong without ending the watch.
func (w *watcher) trouble(name string, err error) error {
	f := classify(err)
	return w.emit(watchEvent{Event: "trouble", Name: name, Code: f.kind, Why: clean(err.Error())})
}
