package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// defaultHTTP is where a hosd on this machine answers.
const defaultHTTP = "http://localhost:27780"

const (
	// maxHistory is how many transactions are asked for at once, and
	// maxHistoryBytes bounds the answer with them.
	maxHistory      = 1000
	maxHistoryBytes = 1 << 20
)

const (
	kindBadURL   = "bad_url"
	kindBadNode  = "bad_answer"
	kindIndexing = "indexing"
)

// historyInfo is the JSON of what a node tells about a record. Fields of the
// answer that are not here are dropped.
type historyInfo struct {
	header
	ID     string      `json:"id"`
	URL    string      `json:"url"`
	Proven bool        `json:"proven"` // always false: a node's index proves nothing
	Height int64       `json:"height"` // block that the list is of
	From   int64       `json:"from"`   // the node knows nothing before this block
	More   bool        `json:"more"`   // there are older ones
	Txs    []historyTx `json:"txs"`    // newest first
}

// historyTx is one transaction, in the answer and in what is printed.
type historyTx struct {
	Height  int64         `json:"height"`
	Index   uint32        `json:"index"`
	Time    time.Time     `json:"time"`
	ID      tx.ID         `json:"id"`
	Kind    string        `json:"kind"`
	Account key.AccountID `json:"account"`
	Code    uint32        `json:"code"`
	Refusal string        `json:"refusal,omitempty"`
}

// historyAnswer is the node's answer.
type historyAnswer struct {
	Txs     []historyTx `json:"txs"`
	From    int64       `json:"from"`
	Version int64       `json:"version"`
	More    bool        `json:"more"`
}

func (a *App) historyCommand() *cobra.Command {
	var at, kind string
	var n int
	c := &cobra.Command{
		Use: "history ID", Short: "Show which transactions named a device, account, key or grant", Args: cobra.ExactArgs(1),
		Long: `Show the transactions that named a device (by name or id), an account, a key, or
a grant, newest first, as a node's index lists them. The node is believed: it can
leave out and invent. What holds now is proven by: hos device list, hos grant
list, hos did show.`,
		Example:           "  hos history front-door\n  hos history hosacc1… --kind transfer --url https://home.example",
		ValidArgsFunction: a.completeDevices,
		RunE: func(c *cobra.Command, args []string) error {
			if n < 1 || n > maxHistory {
				return usagef("--limit is %d, want 1 to %d", n, maxHistory)
			}
			id, err := a.subject(args[0])
			if err != nil {
				return err
			}
			base, err := nodeURL(at)
			if err != nil {
				return err
			}
			q := url.Values{"limit": {strconv.Itoa(n)}}
			if kind != "" {
				q.Set("kind", kind)
			}
			ctx, cancel := a.bound(c.Context())
			defer cancel()
			answer, err := askHistory(ctx, base+"/v1/history/"+id+"?"+q.Encode())
			if err != nil {
				return err
			}
			out := historyInfo{head("hos.history"), id, base, false, answer.Version, answer.From, answer.More, append([]historyTx{}, answer.Txs...)}
			return a.print(out, func(w io.Writer) { a.showHistory(w, out) })
		},
	}
	c.Flags().StringVar(&at, "url", defaultHTTP, "address of the node's HTTP interface")
	c.Flags().StringVar(&kind, "kind", "", "only transactions of this kind, such as transfer")
	c.Flags().IntVarP(&n, "limit", "n", 20, "how many at most")
	return c
}

// subject reads what a person may call a record.
func (a *App) subject(text string) (string, error) {
	if id, err := key.ParseAccountID(text); err == nil {
		return id.String(), nil
	}
	if id, err := key.ParseDeviceID(text); err == nil {
		return id.String(), nil
	}
	if id, err := key.ParseKeyID(text); err == nil {
		return id.String(), nil
	}
	if id, err := tx.ParseID(text); err == nil {
		return id.String(), nil
	}
	w, err := a.wallet()
	if err != nil {
		return "", err
	}
	d, err := w.home.FindDevice(text)
	return d.ID.String(), doing("find the device", err)
}

// nodeURL refuses what would tell strangers on the way what is asked for.
func nodeURL(text string) (string, error) {
	bad := func(why string) (string, error) {
		return "", fail(exitUsage, kindBadURL, "https://NAME, or on this machine "+defaultHTTP, "%.80q %s", text, why)
	}
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return bad("is no address of a node")
	}
	ip := net.ParseIP(u.Hostname())
	here := strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !here) {
		return bad("is neither https nor on this machine")
	}
	return u.Scheme + "://" + u.Host, nil
}

// askHistory asks a node.
func askHistory(ctx context.Context, at string) (out historyAnswer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return out, err
	}
	client := &http.Client{
		Transport:     http.DefaultTransport.(*http.Transport).Clone(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return out, fail(exitUnreachable, "node_unreachable", "start hosd, or name its address with --url", "ask the node: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxHistoryBytes+1))
	switch {
	case err != nil:
		return out, fail(exitUnreachable, "node_unreachable", "ask again", "read the answer: %w", err)
	case len(raw) > maxHistoryBytes:
		err = errors.New("it is too long")
	case resp.StatusCode != http.StatusOK:
		return out, refusedHistory(resp.Status, raw)
	default:
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return out, fail(exitFailure, kindBadNode, "see whether --url is a hosd", "the node's answer: %w", err)
	}
	return out, nil
}

// refusedHistory tells the node's refusal.
func refusedHistory(status string, raw []byte) error {
	var e struct{ Code, Message, Try string }
	if err := json.Unmarshal(raw, &e); err != nil || e.Code == "" {
		return fail(exitFailure, kindBadNode, "see whether --url is a hosd", "the node answers %s", clean(status))
	}
	if e.Code == kindIndexing {
		return fail(exitUnreachable, kindIndexing, "ask again in a while", "the node is still making its lists")
	}
	return fail(exitFailure, kindBadNode, clean(e.Try), "the node refuses: %s (%s)", clean(e.Message), clean(e.Code))
}

func (a *App) showHistory(w io.Writer, h historyInfo) {
	if len(h.Txs) == 0 {
		a.say("The node at %s knows no transaction that names it.", h.URL)
	} else {
		fmt.Fprintln(w, "BLOCK\tTIME\tWHAT\tBY\tOUTCOME\tID")
	}
	for _, x := range h.Txs {
		outcome := "done"
		if x.Code != 0 {
			outcome = "refused: " + clean(x.Refusal)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", x.Height, x.Time.UTC().Format(time.RFC3339), clean(x.Kind), x.Account, outcome, x.ID)
	}
	if h.From > 1 {
		a.say("It knows nothing before block %d.", h.From)
	}
	if h.More {
		a.say("There are older ones: --limit")
	}
	a.say("This is what the node at %s says; nothing of it is proven.", h.URL)
}
