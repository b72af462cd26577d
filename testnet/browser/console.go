package browser

import (
	"context"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

// maxConsole bounds what is kept of a page's console.
const maxConsole = 32 << 10

// console keeps what the page says. Safe for concurrent use.
type console struct {
	mu   sync.Mutex
	text strings.Builder
}

// listen keeps until the browser ends.
func listen(ctx context.Context) *console {
	c := new(console)
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			c.add(m.String())
		}
	}()
	return c
}

func (c *console) add(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.text.Len() < maxConsole {
		c.text.WriteString(line + "\n")
	}
}

// String is all that was said.
func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}
