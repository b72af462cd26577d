package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hybridos-net/hybridos/chain/store/durable"
)

// ErrDiverged is the ErrHalted of a node whose state came out different from
// what the validators signed. It stays so until its newest block is executed
// again by the right program, or the state is taken from others.
var ErrDiverged = fmt.Errorf("%w: this node's state differs from the network's", ErrHalted)

// wrongHeader is how CometBFT begins to tell that a header which more than two
// thirds of the validators signed does not follow from this node's state.
const wrongHeader = "wrong Block.Header."

// blockRefused is the message with which CometBFT reports, under "err", that it
// refuses a block while it catches up. It then asks other peers for ever.
const blockRefused = "Error in validation"

func tellsDivergence(err error) bool { return strings.Contains(err.Error(), wrongHeader) }

// divergence is what a home remembers of it: CometBFT would meet its own log of
// messages again at the next start, and panic where nobody can catch it.
type divergence struct {
	Height int64  `json:"height"` // executed last
	Cause  string `json:"cause"`
}

func divergenceFile(dir string) string { return filepath.Join(dir, "diverged.json") }

// halt gives the error with which Run ends after consensus broke or a block was
// refused; a divergence is written down first.
func (e *Engine) halt(cause error) error {
	if !tellsDivergence(cause) {
		return fmt.Errorf("%w: %w", ErrHalted, cause)
	}
	height := e.env.BlockStore.Height()
	err := fmt.Errorf("%w: after block %d: %w", ErrDiverged, height, cause)
	raw, jsonErr := json.Marshal(divergence{Height: height, Cause: cause.Error()})
	return errors.Join(err, jsonErr, durable.Write(divergenceFile(e.cfg.Dir), raw))
}

// checkDiverged refuses a home that diverged and still stands at the same block.
func checkDiverged(dir string) error {
	raw, err := durable.Read(divergenceFile(dir), maxDivergence)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var d divergence
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("%s: %w: %w", divergenceFile(dir), ErrDamaged, err)
	}
	h, err := Inspect(dir)
	if err != nil {
		return err
	}
	if h.State == d.Height {
		return fmt.Errorf("%w: after block %d: %s", ErrDiverged, d.Height, d.Cause)
	}
	return os.Remove(divergenceFile(dir))
}
