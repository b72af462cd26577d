package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hybridos-net/hybridos/node/web"
	"github.com/hybridos-net/hybridos/testnet/browser"
	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// clicks is how often the door is opened in a round; all rounds together stay
// below the burst that the agent allows to one key.
const clicks = 20

// phoneRow is what a click on the phone page takes.
type phoneRow struct {
	Bundle   int64         // bytes of the page on the wire, icons left out
	Absent   bool          // there is no browser on this machine
	P50, P99 time.Duration // from the click to the verified receipt, in the page
	Assert   time.Duration // the browser's own time for a passkey assertion, median
}

// phoneFigures opens the door from a real browser, through a real node.
func phoneFigures(ctx context.Context, o Options) (row phoneRow, err error) {
	if row.Bundle, err = bundleSize(ctx); err != nil {
		return row, err
	}
	path, err := browser.Find()
	if err != nil {
		row.Absent = true
		return row, nil
	}
	dir, err := os.MkdirTemp("", "hos-bench-")
	if err != nil {
		return row, err
	}
	defer os.RemoveAll(dir)
	m, _ := manifest.Shape("single")
	m.Phone = true
	n, err := harness.New(harness.Config{Dir: filepath.Join(dir, "net"), Programs: o.Bin, Manifest: m, Tied: true})
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, n.Down(context.WithoutCancel(ctx))) }()
	if err := n.Up(ctx); err != nil {
		return row, err
	}
	b, err := browser.Start(ctx, path)
	if err != nil {
		return row, err
	}
	defer b.Close()
	if err := addPhone(ctx, n, b); err != nil {
		return row, err
	}
	var p50, p99 []time.Duration
	for round := range o.Rounds + 1 {
		s, err := clickDoor(ctx, n, b)
		if err != nil {
			return row, err
		}
		if round > 0 { // the first one warms up
			p50, p99 = append(p50, s.quantile(0.5)), append(p99, s.quantile(0.99))
		}
	}
	row.P50, row.P99 = median(p50), median(p99)
	row.Assert, err = assertion(ctx, b)
	return row, err
}

// addPhone pairs the lock with the wallet and makes the browser a key.
func addPhone(ctx context.Context, n *harness.Network, b *browser.Browser) error {
	owner, err := n.NewPerson(ctx, harness.OwnerName)
	if err != nil {
		return err
	}
	code, err := n.PairingCode(ctx, "dev1")
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"key", "new"}, {"device", "pair", "--name", "dev1", code}} {
		if a, err := n.Hos(ctx, owner, args...); err != nil || a.Exit != 0 {
			return errors.Join(err, fmt.Errorf("hos %s: exit code %d: %s", args[0], a.Exit, a.Talk))
		}
	}
	talk, err := n.StartHos(ctx, owner, "key", "add-phone")
	if err != nil {
		return err
	}
	line, err := talk.Line("#phone=")
	if err == nil {
		err = b.Join(ctx, browser.Link(line), true)
	}
	a, ended := talk.Wait()
	if err == nil && a.Exit != 0 {
		err = fmt.Errorf("hos key add-phone: exit code %d: %s", a.Exit, a.Talk)
	}
	return errors.Join(err, ended)
}

// clickDoor opens the door some times.
func clickDoor(ctx context.Context, n *harness.Network, b *browser.Browser) (sample, error) {
	var s sample
	for range clicks {
		p, err := b.Open(ctx, n.State().Devices[0].ID)
		if err != nil {
			return nil, err
		}
		if p.State != browser.Executed {
			return nil, fmt.Errorf("the lock on the page is %s\nthe page shows: %s", p.State, b.Screen())
		}
		s = append(s, p.Took)
	}
	return s, nil
}

// assertion is how long the browser itself takes for one, with its virtual
// authenticator.
func assertion(ctx context.Context, b *browser.Browser) (time.Duration, error) {
	var took []float64
	err := b.Script(ctx, `(async () => {
		const took = [];
		for (let i = 0; i < 21; i++) {
			const began = performance.now();
			await navigator.credentials.get({publicKey: {challenge: new Uint8Array(32), rpId: location.hostname, userVerification: 'required'}});
			took.push(performance.now() - began);
		}
		return took;
	})()`, &took)
	return time.Duration(median(took) * float64(time.Millisecond)), err
}

// bundleSize asks for every file of the page as a browser does.
func bundleSize(ctx context.Context) (sum int64, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	server := &http.Server{Handler: web.Handler(), ReadHeaderTimeout: time.Minute}
	defer server.Close()
	go func() { _ = server.Serve(l) }() // ends with Close
	for _, path := range web.Paths() {
		if path == "/" || strings.HasSuffix(path, ".png") || strings.HasSuffix(path, ".svg") {
			continue // the same as /index.html; pictures
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.Addr().String()+path, nil)
		if err != nil {
			return 0, err
		}
		req.Header.Set("Accept-Encoding", "gzip") // by hand: the length on the wire counts
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		n, err := io.Copy(io.Discard, answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
