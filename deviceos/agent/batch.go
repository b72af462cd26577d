package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hybridos-net/hybridos/chain/store/durable"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// ErrNotInFile: the vendor's file has no line of this device.
var ErrNotInFile = errors.New("the file has no proof of this device")

// KeepBatch takes the device's line out of what the vendor's tool has written,
// which may be the proofs of the whole batch, and keeps it for the pairing. The
// ledger judges it then; here it is only checked that it is of this device's
// keys. A proof that is there is replaced.
func (h *Home) KeepBatch(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, tx.MaxMemberLine), tx.MaxMemberLine+2)
	prefix := h.ID.Device.Public().DeviceID().String() + " "
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), prefix) {
			continue
		}
		m, err := h.parseBatch(lines.Text())
		if err != nil {
			return err
		}
		if err := durable.Write(filepath.Join(h.Dir, batchFile), []byte(m.Line()+"\n")); err != nil {
			return err
		}
		h.Batch = m
		return nil
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read proofs: %w", err)
	}
	return ErrNotInFile
}

func (h *Home) parseBatch(line string) (*tx.BatchMember, error) {
	m, err := tx.ParseBatchMember(line)
	if err != nil {
		return nil, err
	}
	if !m.Key.Equal(h.ID.Device.Public()) || m.SealKey != [32]byte(h.ID.Seal.PublicKey().Bytes()) {
		return nil, fmt.Errorf("%w: its line is of other keys", ErrNotInFile)
	}
	return m, nil
}

func (h *Home) readBatch() (*tx.BatchMember, error) {
	path := filepath.Join(h.Dir, batchFile)
	raw, err := durable.Read(path, tx.MaxMemberLine+1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := h.parseBatch(strings.TrimSuffix(string(raw), "\n"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// KeepBatchFile is KeepBatch for a file.
func (h *Home) KeepBatchFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(h.KeepBatch(f), f.Close())
}
