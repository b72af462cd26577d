package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"
)

// header names the schema of every JSON object that the wallet prints. Fields
// are only added within a version.
type header struct {
	Schema  string `json:"schema"`
	Version int    `json:"version"`
}

func head(schema string) header { return header{Schema: schema, Version: 1} }

// print writes a result: as one JSON object, or for people.
func (a *App) print(result any, people func(io.Writer)) error {
	if a.opts.json {
		return a.line(result)
	}
	w := tabwriter.NewWriter(a.cfg.Out, 0, 0, 2, ' ', 0)
	people(w)
	return w.Flush()
}

// line writes one JSON object on a line of its own.
func (a *App) line(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.cfg.Out, string(raw))
	return err
}

// say talks to people.
func (a *App) say(format string, args ...any) {
	if !a.opts.quiet {
		fmt.Fprintf(a.cfg.Err, format+"\n", args...)
	}
}

// green marks a good word where that can be seen.
func (a *App) green(s string) string {
	if !a.cfg.Color || a.cfg.Getenv("NO_COLOR") != "" || a.cfg.Getenv("TERM") == "dumb" {
		return s
	}
	return "\x1b[32m" + s + "\x1b[0m"
}

// patience is how long something may take without a word.
const patience = time.Second

// progress tells that something takes time, from the first second on, until
// the returned function is called. Nothing else may talk meanwhile.
func (a *App) progress(what string) (done func()) {
	if a.opts.quiet {
		return func() {}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { a.tick(what, stop) })
	return sync.OnceFunc(func() {
		close(stop)
		wg.Wait()
	})
}

func (a *App) tick(what string, stop <-chan struct{}) {
	t := time.NewTicker(patience)
	defer t.Stop()
	for n := 1; ; n++ {
		select {
		case <-stop:
			if a.cfg.Live && n > 1 {
				fmt.Fprint(a.cfg.Err, "\r\x1b[K")
			}
			return
		case <-t.C:
			switch {
			case a.cfg.Live:
				fmt.Fprintf(a.cfg.Err, "\r\x1b[K%s… %d s", what, n)
			case n == 1:
				fmt.Fprintf(a.cfg.Err, "%s…\n", what)
			}
		}
	}
}
