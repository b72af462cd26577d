package peripheral

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Marker travels with a call that the agent has verified. Only the agent can
// put one on the bus; apps use Command to do each command at most once, and the
// rest for their own records.
//
// Evolution: names are fixed; new ones are optional and ignored by older apps.
type Marker struct {
	Command   command.ID    `json:"command"`
	Principal key.AccountID `json:"principal"`
	Key       key.KeyID     `json:"key"`
	Grant     *tx.ID        `json:"grant,omitempty"` // nil: the owner
	Epoch     uint64        `json:"epoch"`
	Expires   uint64        `json:"expires"` // Unix milliseconds
}

// ParseMarker reads a marker as the bus delivers it.
func ParseMarker(raw []byte) (Marker, error) {
	var m Marker
	if len(raw) == 0 {
		return m, errors.New("no verified marker")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("verified marker: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return m, errors.New("verified marker: data after the end")
	}
	if m.Command == (command.ID{}) || m.Epoch == 0 {
		return m, errors.New("verified marker names no command")
	}
	return m, nil
}
