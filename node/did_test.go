package node

import (
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/hybridos-net/hybridos/chain/did"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// testDID resolves a device and its owner at the full node, and verifies both
// under headers that a light client got from another node.
func (w *testnet) testDID(t *testing.T, c *fetch.Client) {
	dev, err := did.OfDevice(w.doc.ChainID, w.devices[0].Public().DeviceID())
	if err != nil {
		t.Fatal(err)
	}
	owner, err := did.OfAccount(w.doc.ChainID, w.owner.Public().AccountID())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []did.DID{dev, owner} {
		r := w.resolve(t, d)
		version, err := strconv.ParseInt(r.Metadata.VersionID, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := c.LightBlock(t.Context(), version+1)
		if err != nil {
			t.Fatal(err)
		}
		if h, err := w.lightClient(c).Offer(t.Context(), raw); err != nil || h.Height != version+1 {
			t.Fatalf("header %d: %+v %v", version+1, h, err)
		}
		block, err := light.DecodeBlock(w.doc.ChainID, raw)
		if err != nil {
			t.Fatal(err)
		}
		doc, _, err := did.Verify(did.Head{Height: block.Header.Height, AppHash: block.Header.AppHash}, d, r)
		if err != nil {
			t.Fatalf("%s: %v", d, err)
		}
		if _, is := d.Device(); is && doc.Controller != owner.String() {
			t.Errorf("the device's controller is %q, want %s", doc.Controller, owner)
		}
	}
}

func (w *testnet) resolve(t *testing.T, d did.DID) *did.Result {
	t.Helper()
	resp, err := http.Get(w.nodes[4].run.HTTP + "/1.0/identifiers/" + d.String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != did.TypeResult {
		t.Fatalf("%s: %s %s %v", d, resp.Status, body, err)
	}
	r, err := did.ParseResult(body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
