package cli

import (
	"fmt"
	"io"
	"strings"

	"rsc.io/qr"
)

// quietZone is the light border that readers need, in modules.
const quietZone = 4

// drawQR draws a picture of text with two modules per character. The border is
// drawn too, so that it can be read on dark and on light terminals.
func drawQR(w io.Writer, text string) error {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return fmt.Errorf("draw the picture of the link: %w", err)
	}
	halves := map[[2]bool]rune{{true, true}: ' ', {true, false}: '▄', {false, true}: '▀', {false, false}: '█'}
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		for x := -quietZone; x < code.Size+quietZone; x++ {
			b.WriteRune(halves[[2]bool{code.Black(x, y), code.Black(x, y+1)}])
		}
		b.WriteByte('\n')
	}
	_, err = io.WriteString(w, b.String())
	return err
}
