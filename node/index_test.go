package node

import (
	"bufio"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/node/api"
)

// A node lists what was just committed; and where its index is gone, it makes
// the same lists again from its state and its blocks.
func TestNode_IndexIsMadeAgain(t *testing.T) {
	w := newNetwork(t, 1, 0)
	const done = "blocks are listed as far back as they are kept"
	log := newWatch(done)
	w.logger = log.logger()
	w.startAll()
	c := w.client(0)
	mustSubmit(t, c, w.register(0, 0))
	mustSubmit(t, c, w.register(1, 1))
	mustSubmit(t, c, w.claim(w.owner, 0))
	owner := w.owner.Public().AccountID().String()
	device := w.devices[0].Public().DeviceID().String()
	lists := func() (devices, made api.DeviceList, history api.TxList, blocks api.BlockList) {
		t.Helper()
		base := w.nodes[0].run.HTTP
		getJSON(t, base+"/v1/accounts/"+owner+"/devices", &devices)
		getJSON(t, base+"/v1/vendors/"+w.vendor.Public().AccountID().String()+"/devices?limit=1", &made)
		getJSON(t, base+"/v1/history/"+device, &history)
		getJSON(t, base+"/v1/blocks", &blocks)
		return devices, made, history, blocks
	}
	devices, made, history, before := lists()
	if len(devices.Devices) != 1 || devices.Devices[0].ID.String() != device || len(made.Devices) != 1 || !made.More {
		t.Errorf("devices %+v, of the vendor %+v", devices, made)
	}
	var kinds []string
	for _, x := range history.Txs {
		kinds = append(kinds, x.Kind)
	}
	if diff := cmp.Diff([]string{"claim", "register-device"}, kinds); diff != "" || history.From != 1 {
		t.Errorf("history from %d: %s", history.From, diff)
	}
	if n := len(before.Blocks); int64(n) != before.Version || before.Blocks[n-1].Height != 1 {
		t.Errorf("%d blocks of %d", n, before.Version)
	}
	w.testFollow(t, device, before)

	w.stopAll()
	if err := os.RemoveAll(w.dirs[0].IndexDir()); err != nil {
		t.Fatal(err)
	}
	gone := log.seen[done]
	w.start(0)
	<-w.nodes[0].step
	<-gone
	again, _, past, after := lists()
	if diff := cmp.Diff(devices.Devices, again.Devices); diff != "" {
		t.Errorf("devices (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(history.Txs, past.Txs); diff != "" || past.From != 1 {
		t.Errorf("history from %d (-before +after):\n%s", past.From, diff)
	}
	old := slices.DeleteFunc(after.Blocks, func(b api.BlockRef) bool { return b.Height > before.Version })
	if diff := cmp.Diff(before.Blocks, old); diff != "" {
		t.Errorf("blocks (-before +after):\n%s", diff)
	}
}

// testFollow reads a stream from the first block on.
func (w *testnet) testFollow(t *testing.T, device string, before api.BlockList) {
	t.Helper()
	resp, err := http.Get(w.nodes[0].run.HTTP + "/v1/follow?blocks=1&after=0&id=" + device)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	blocks, txs := int64(0), 0
	for in := bufio.NewScanner(resp.Body); (blocks < before.Version || txs < 2) && blocks < before.Version+3 && in.Scan(); {
		switch name, _ := strings.CutPrefix(in.Text(), "event: "); name {
		case "block":
			blocks++
		case "tx":
			txs++
		}
	}
	if blocks < before.Version || txs != 2 {
		t.Errorf("%d blocks of %d, %d transactions", blocks, before.Version, txs)
	}
}
