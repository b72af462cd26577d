package home

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hybridos-net/hybridos/chain/key"
)

// lane is this wallet's lane of command numbers: the salt keeps it apart from
// the lanes of other wallets that hold the same key, the numbers rise by one
// per device, since a device refuses a number that lies far ahead.
type lane struct {
	Salt   uint64                  `json:"salt"`
	Nonces map[key.DeviceID]uint64 `json:"nonces"` // last number used
}

// Lane names a command among those of one key to one device.
type Lane struct {
	Salt, Nonce uint64
}

// NextNonce takes the next number for a command to the device. It is on disk
// before it is returned, so that no crash and no other process makes a second
// command of the same number: the device would refuse it as a replay.
func (h *Home) NextNonce(ctx context.Context, device key.DeviceID, random io.Reader) (Lane, error) {
	var out Lane
	err := update(ctx, h, laneFile, func(l *lane) error {
		if l.Salt == 0 {
			salt, err := newSalt(random)
			if err != nil {
				return err
			}
			*l = lane{Salt: salt}
		}
		if l.Nonces == nil {
			l.Nonces = make(map[key.DeviceID]uint64)
		}
		l.Nonces[device]++
		out = Lane{Salt: l.Salt, Nonce: l.Nonces[device]}
		return nil
	})
	return out, err
}

// NewLane begins a lane with another salt, for a folder that was put back from
// an old copy and would repeat numbers.
func (h *Home) NewLane(ctx context.Context, random io.Reader) error {
	return update(ctx, h, laneFile, func(l *lane) error {
		salt, err := newSalt(random)
		*l = lane{Salt: salt}
		return err
	})
}

// newSalt gives a random salt other than 0, which means none yet. It has 63
// bits, so that every JSON reader that knows 64-bit integers keeps it exact.
func newSalt(random io.Reader) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0, fmt.Errorf("read random: %w", err)
	}
	return binary.BigEndian.Uint64(b[:])>>1 | 1, nil
}
