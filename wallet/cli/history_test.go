package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func TestHistory(t *testing.T) {
	w := newWorld(t)
	p, _ := w.owner(t, "lock")
	device := p.json("hos.device.list", "device", "list")["devices"].([]any)[0].(map[string]any)["id"].(string)
	account := key.AccountID{1}
	row := func(height int, more string) string {
		return fmt.Sprintf(`{"height":%d,"index":0,"time":"2030-01-01T00:00:00Z","id":"%s","kind":"transfer","account":"%s",%s,"new":1}`, height, tx.ID{9}, account, more)
	}
	var asked []string
	status, answer := 200, `{"txs":[`+row(9, `"code":0`)+`,`+row(7, `"code":52,"refusal":"not_own\u001ber"`)+`],"from":3,"version":9,"more":true,"next":"x"}`
	node := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, answer)
	}))
	defer node.Close()
	m := p.json("hos.history", "history", "front-door", "--url", node.URL, "--kind", "transfer", "-n", "2")
	if m["id"] != device || m["proven"] != false || m["from"] != float64(3) || m["more"] != true || len(m["txs"].([]any)) != 2 {
		t.Errorf("%v", m)
	}
	out, talk := p.hos(exitOK, "history", account.String(), "--url", node.URL+"/")
	if strings.Contains(out, "\x1b") || !strings.Contains(out, "refused: not_own?er") || !strings.Contains(out, "done") {
		t.Errorf("%s", out)
	}
	for _, want := range []string{"nothing of it is proven", "before block 3", "older ones"} {
		if !strings.Contains(talk, want) {
			t.Errorf("%q is not told: %s", want, talk)
		}
	}
	if want := []string{"/v1/history/" + device + "?kind=transfer&limit=2", "/v1/history/" + account.String() + "?limit=20"}; asked[0] != want[0] || asked[1] != want[1] {
		t.Errorf("asked %v", asked)
	}
	answer = `{"txs":[],"from":1,"version":9}`
	if out, talk := p.hos(exitOK, "history", tx.ID{1}.String(), "--url", node.URL); out != "" || !strings.Contains(talk, "knows no transaction") {
		t.Errorf("%q %q", out, talk)
	}
	for _, c := range []struct {
		status, exit int
		answer, kind string
	}{
		{503, exitUnreachable, `{"code":"indexing","message":"m"}`, "indexing"},
		{400, exitFailure, `{"code":"bad_query","message":"m","try":"t"}`, "bad_answer"},
		{302, exitFailure, `moved`, "bad_answer"},
		{200, exitFailure, `{"txs":1}`, "bad_answer"},
		{200, exitFailure, `{"from":` + strings.Repeat(" ", maxHistoryBytes) + `1}`, "bad_answer"},
	} {
		status, answer = c.status, c.answer
		if _, talk := p.hos(c.exit, "history", device, "--url", node.URL, "--json"); !strings.Contains(talk, `"kind":"`+c.kind+`"`) || !strings.Contains(talk, `"try":"`) {
			t.Errorf("%d %.40s: %s", c.status, c.answer, talk)
		}
	}
	gone := node.URL
	node.Close()
	p.hos(exitUnreachable, "history", device, "--url", gone)
	p.hos(exitNotFound, "history", "cellar", "--url", gone)
	for _, bad := range []string{"", "x", "http://home.example", "ftp://localhost", "https://a@home.example", "https://home.example/x", "http://localhost:1/?q"} {
		if _, talk := p.hos(exitUsage, "history", device, "--url", bad); !strings.Contains(talk, "try: ") {
			t.Errorf("%q: %s", bad, talk)
		}
	}
	p.hos(exitUsage, "history", device, "-n", "0")
	p.hos(exitUsage, "history")
}
