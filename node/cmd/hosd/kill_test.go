package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Four validators as processes: one is killed, the others go on, it comes back
// and has what it missed.
func TestKillOneOfFour(t *testing.T) {
	dir := t.TempDir()
	vendor := secret(t, "vendor")
	doc, peers := makeHomes(t, dir, vendor, 4)
	procs := make([]*proc, 4)
	for i := range procs {
		procs[i] = startHome(t, dir, i, peers)
	}
	for _, p := range procs {
		<-p.step
	}
	post(t, procs[0], register(t, doc, vendor, 0))
	_ = procs[3].end(os.Kill)
	missed := register(t, doc, vendor, 1)
	post(t, procs[0], missed)

	procs[3] = startHome(t, dir, 3, peers)
	<-procs[3].step
	// A third one at the node that was away: it is there again with all it missed.
	post(t, procs[3], register(t, doc, vendor, 2))
	for i := range 3 {
		url := procs[3].field("http") + "/v1/devices/" + secret(t, fmt.Sprint("device ", i)).Public().DeviceID().String()
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("device %d: %s", i, resp.Status)
		}
	}
	for i, p := range procs {
		if err := p.end(os.Interrupt); err != nil {
			t.Errorf("node %d: %v\n%s", i, err, p.text())
		}
	}
}

func secret(t *testing.T, name string) *key.Private {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := key.Generate(bytes.NewReader(bytes.Repeat(seed[:], 8)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// makeHomes makes homes and the genesis document with the real commands.
func makeHomes(t *testing.T, dir string, vendor *key.Private, n int) (*genesis.Doc, []string) {
	t.Helper()
	file := filepath.Join(dir, "genesis.json")
	args := []string{"genesis", "--chain-id", "hos-kill", "--out", file, "--vendor", "name=maker,quota=9,key=" + vendor.Public().String()}
	var peers []string
	for i := range n {
		out, err := exec.Command("hosd", "init", "--json", "--home", filepath.Join(dir, fmt.Sprint(i)), "--name", fmt.Sprint("n", i)).Output()
		if err != nil {
			t.Fatal(err)
		}
		var id struct {
			Validator string
			NodeID    string `json:"node_id"`
		}
		if err := json.Unmarshal(out, &id); err != nil {
			t.Fatal(err)
		}
		addr, err := freeAddr()
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "--validator", fmt.Sprintf("name=n%d,key=%s", i, id.Validator))
		peers = append(peers, id.NodeID+"@"+addr)
	}
	if out, err := exec.Command("hosd", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i), "genesis.json"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	doc, err := genesis.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return doc, peers
}

func startHome(t *testing.T, dir string, i int, peers []string) *proc {
	t.Helper()
	_, addr, _ := strings.Cut(peers[i], "@")
	p, err := spawn(dir, os.Environ(), "--home", fmt.Sprint(i), "--p2p-listen", addr,
		"--http-listen", "127.0.0.1:0", "--mesh-listen", "127.0.0.1:0", "--p2p-peers", strings.Join(peers, ","))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

func register(t *testing.T, doc *genesis.Doc, vendor *key.Private, device int) []byte {
	t.Helper()
	p := &tx.RegisterDevice{Key: secret(t, fmt.Sprint("device ", device)).Public(), SealKey: [32]byte{1}, Model: "lock"}
	r, err := tx.New(vendor.Public().AccountID(), uint64(device), uint64(time.Now().Unix())+600, p)
	if err != nil {
		t.Fatal(err)
	}
	r.Sign(doc.Chain(), tx.RoleVendor, vendor)
	return r.Bytes()
}

func post(t *testing.T, p *proc, raw []byte) {
	t.Helper()
	resp, err := http.Post(p.field("http")+"/v1/tx", "application/cbor", bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v\n%s", err, p.text())
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", resp.Status, body, p.text())
	}
}
