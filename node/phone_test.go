package node

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/multiformats/go-multiaddr"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/presence"
)

// phones makes a network of one validator that serves phones.
func phones(t *testing.T, change func(c *home.Config)) *testnet {
	t.Helper()
	w := newNetwork(t, 1, 0)
	w.change = func(c *home.Config) {
		c.Phone = "127.0.0.1:0"
		change(c)
	}
	return w
}

// meshInfo is where a running node takes connections.
func (w *testnet) meshInfo() peer.AddrInfo {
	w.t.Helper()
	info, err := peer.AddrInfoFromString(w.nodes[0].run.Mesh[0])
	if err != nil {
		w.t.Fatal(err)
	}
	return *info
}

// open is a command by the owner, whom the node does not ask for a right.
func (w *testnet) open(device int) []byte {
	w.t.Helper()
	now := uint64(time.Now().UnixMilli())
	c, err := command.New(command.Body{
		Chain: command.Prefix(w.doc.Chain()), Device: w.devices[device].Public().DeviceID(), Endpoint: "lock", Epoch: 1,
		Principal: w.owner.Public().AccountID(), Key: w.owner.Public().ID(), Salt: 1, Nonce: 1,
		IssuedAt: now, Expires: now + 60_000, Method: "open",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	c.Sign(w.doc.Chain(), w.owner)
	return c.Bytes()
}

// post sends a command as a phone does, and gives the receipt or the code of the
// error.
func (w *testnet) post(raw []byte) string {
	w.t.Helper()
	resp, err := http.Post(w.nodes[0].run.Phone+"/v1/commands", "application/cbor", bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK {
		return string(body)
	}
	var e struct{ Code string }
	if err := json.Unmarshal(body, &e); err != nil {
		w.t.Fatalf("%s: %s", resp.Status, body)
	}
	return e.Code
}

// The way of a phone's command through a real node: HTTP in, mesh out, over the
// connection that the device made; also after the node was restarted.
func TestNode_Phone(t *testing.T) {
	w := phones(t, func(*home.Config) {})
	<-w.start(0).step
	t.Cleanup(w.stopAll)
	first := serve(t, w.devices[0], p2ptest.Key(t), says("first"))
	second := serve(t, w.devices[1], p2ptest.Key(t), says("second"))
	if err := first.join(t, w.doc.Chain(), w.meshInfo()); !errors.Is(err, presence.UnknownDevice) {
		t.Errorf("a device that is on no ledger: %v", err)
	}
	c := w.client(0)
	mustSubmit(t, c, w.register(0, 0))
	mustSubmit(t, c, w.register(1, 1))
	mustSubmit(t, c, w.claim(w.owner, 0))

	if got := w.post(w.open(0)); got != "device_offline" {
		t.Errorf("before it came: %s", got)
	}
	w.testRelay(first)
	for i, f := range []*far{first, second} {
		w.known(f)
		if raw := w.open(i); w.post(raw) != []string{"first ", "second "}[i]+string(raw) {
			t.Errorf("device %d does not get its command, or its answer is changed", i)
		}
	}
	w.testListed(true)
	told := w.events()
	told(true)
	if err := first.Network().ClosePeer(w.meshInfo().ID); err != nil {
		t.Fatal(err)
	}
	told(false)
	if got := w.post(w.open(0)); got != "device_offline" {
		t.Errorf("after it left: %s", got)
	}
	w.testListed(false)

	w.stopAll()
	<-w.start(0).step
	if got := w.post(w.open(1)); got != "device_offline" {
		t.Errorf("after the node started again: %s", got)
	}
	w.known(first)
	if raw := w.open(0); w.post(raw) != "first "+string(raw) {
		t.Error("not reached after the node started again")
	}
	w.testListed(true)
}

// known announces a device that is on the ledger.
func (w *testnet) known(f *far) {
	w.t.Helper()
	if err := f.join(w.t, w.doc.Chain(), w.meshInfo()); err != nil {
		w.t.Fatal(err)
	}
}

// testRelay: the node is a relay to a device that it knows, and to nobody else.
func (w *testnet) testRelay(f *far) {
	w.t.Helper()
	at := w.meshInfo()
	if _, err := f.Reserve(w.t.Context(), at.ID); err == nil {
		w.t.Error("a peer that has not said which device it is got a reservation")
	}
	w.known(f)
	if _, err := f.Reserve(w.t.Context(), at.ID); err != nil {
		w.t.Errorf("a device: %v", err)
	}
	owner := p2ptest.Full(w.t)
	way := at.Addrs[0].Encapsulate(multiaddr.StringCast("/p2p/" + at.ID.String() + "/p2p-circuit"))
	if err := owner.Connect(w.t.Context(), peer.AddrInfo{ID: f.ID(), Addrs: []multiaddr.Multiaddr{way}}); err != nil {
		w.t.Errorf("through the node: %v", err)
	}
	if err := owner.Connect(w.t.Context(), at); err != nil {
		w.t.Fatal(err)
	}
	if _, err := client.Reserve(w.t.Context(), owner, at); err == nil {
		w.t.Error("a stranger got a reservation")
	}
}

// events reads what the node tells of the first device; the function that it
// gives waits until the device is said to be online, or offline.
func (w *testnet) events() func(online bool) {
	w.t.Helper()
	resp, err := http.Get(w.nodes[0].run.Phone + "/v1/events?device=" + w.devices[0].Public().DeviceID().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func(online bool) {
		w.t.Helper()
		for want := fmt.Sprintf("\"online\":%v", online); lines.Scan(); {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		w.t.Fatalf("not told that it is online: %v: %v", online, lines.Err())
	}
}

// listed is what the node says of the owner's devices.
func (w *testnet) listed() (out []struct {
	ID     key.DeviceID
	Online bool
}) {
	w.t.Helper()
	var list struct {
		Devices []struct {
			ID     key.DeviceID
			Online bool
		}
	}
	getJSON(w.t, w.nodes[0].run.Phone+"/v1/accounts/"+w.owner.Public().AccountID().String()+"/devices", &list)
	return list.Devices
}

func (w *testnet) testListed(online bool) {
	w.t.Helper()
	if l := w.listed(); len(l) != 1 || l[0].ID != w.devices[0].Public().DeviceID() || l[0].Online != online {
		w.t.Errorf("devices of the owner: %+v", l)
	}
}

// certificate makes one for localhost and gives the two files.
func certificate(t *testing.T) (cert, private string, pool *x509.CertPool) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	dir := t.TempDir()
	cert, private = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, private: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, private, pool
}

// The page comes over TLS when there is a certificate, under the name that
// run.json tells.
func TestNode_PhoneTLS(t *testing.T) {
	cert, private, pool := certificate(t)
	w := phones(t, func(c *home.Config) {
		c.PhoneHosts, c.PhoneCert, c.PhoneKey = []string{"localhost"}, cert, private
	})
	<-w.start(0).step
	t.Cleanup(w.stopAll)
	origin := w.nodes[0].run.Phone
	if !strings.HasPrefix(origin, "https://localhost:") {
		t.Fatalf("phones are told %q", origin)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	for _, path := range []string{"/", "/v1/status"} {
		resp, err := (&http.Client{Transport: transport}).Get(origin + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func TestNode_PhoneRefusesToRun(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cert, _, _ := certificate(t)
	for name, c := range map[string]struct {
		change func(c *home.Config)
		want   error
		names  string
	}{
		"port in use":     {func(c *home.Config) { c.Phone = taken.Addr().String() }, syscall.EADDRINUSE, "phone_listen"},
		"no such file":    {func(c *home.Config) { c.PhoneCert, c.PhoneKey = cert+"x", cert }, os.ErrNotExist, "phone_tls_cert"},
		"not a key in it": {func(c *home.Config) { c.PhoneCert, c.PhoneKey = cert, cert }, nil, "phone_tls_key"},
	} {
		w := phones(t, c.change)
		cfg, err := w.dirs[0].Config()
		if err != nil {
			t.Fatal(err)
		}
		w.change(&cfg)
		n, err := New(Config{Home: w.dirs[0], Settings: cfg, Genesis: w.doc})
		if err != nil {
			t.Fatal(err)
		}
		err = n.Run(t.Context())
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
