package explain

import (
	"fmt"
	"strconv"
	"unicode"

	"github.com/hybridos-net/hybridos/chain/command"
)

// Command puts a command to a device into words, as its signed body says it.
func Command(c *command.Command, names Names) Summary {
	b := &c.Body
	s := Summary{Title: "Ask a device to do something", GivesRights: true, Lines: []Line{
		at(b.Device, b.Epoch, names),
		{"does", b.Endpoint + "." + b.Method},
	}}
	if of, ok := b.Cancel(); ok {
		s.Title = "Cancel a command that has not been begun"
		s.Lines = append(s.Lines, Line{"cancels", of.Command.String()})
	} else if len(b.Params) > 0 {
		s.Lines = append(s.Lines, Line{"with", params(b.Params)})
	}
	right := "the owner, " + b.Principal.String()
	if b.Grant != nil {
		right = "grant " + b.Grant.String()
	}
	s.Lines = append(s.Lines, Line{"by right of", right})
	for _, sig := range c.Sigs {
		s.Lines = append(s.Lines, Line{"signed by", sig.Key.String()})
	}
	if b.Notarised() {
		s.Lines = append(s.Lines, Line{"runs", "only when the ledger has sealed it"})
	}
	s.Lines = append(s.Lines, Line{"void after", moment(b.Expires / 1000)})
	return s
}

// params shows parameters as text if they are one, else as hex.
func params(b []byte) string {
	text := string(b)
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return fmt.Sprintf("%d bytes: %x", len(b), b)
		}
	}
	return strconv.Quote(text)
}
