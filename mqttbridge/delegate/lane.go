package delegate

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/hybridos-net/hybridos/chain/key"
)

// lane is a replay lane: commands of one salt are counted from 1.
type lane struct{ salt, last uint64 }

// lanes holds the present lane of each device. A device takes no number that is
// far ahead of what it has seen, so a count that all devices share would shut
// out the one that was used little.
type lanes struct {
	random io.Reader

	mu sync.Mutex
	of map[key.DeviceID]*lane
}

// next uses up a number. It opens a lane for a device that has none, and in
// place of the one with the salt that the device gave up on, unless somebody has
// done so already; a salt of 0 stands for none.
func (l *lanes) next(device key.DeviceID, givenUp uint64) (lane, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.of[device]
	if at == nil || at.salt == givenUp {
		salt, err := l.draw()
		if err != nil {
			return lane{}, err
		}
		at = &lane{salt: salt}
		l.of[device] = at
	}
	at.last++
	return *at, nil
}

// draw makes a salt other than 0.
func (l *lanes) draw() (uint64, error) {
	var raw [8]byte
	if _, err := io.ReadFull(l.random, raw[:]); err != nil {
		return 0, fmt.Errorf("draw replay lane: %w", err)
	}
	return max(binary.BigEndian.Uint64(raw[:]), 1), nil
}
