package kv

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// layoutKey holds the layout record. It sorts before every key that a store
// with a layout accepts.
var layoutKey = []byte("\x00hybridos/layout")

// claimLayout writes the record into an empty store, or checks the one there.
func (db *DB) claimLayout(name string, version uint32) error {
	record, err := db.get(db.pebble, layoutKey)
	if err != nil {
		return err
	}
	if record == nil {
		return db.createLayout(name, version)
	}
	if len(record) < 4 {
		return &Error{Kind: Corrupt, Dir: db.dir, Detail: "the layout record is cut short"}
	}
	foundVersion, foundName := binary.BigEndian.Uint32(record), string(record[4:])
	wrong := &Error{Kind: WrongLayout, Dir: db.dir}
	switch {
	case foundName != name:
		wrong.Detail = fmt.Sprintf("the directory holds %q, not %q", foundName, name)
	case foundVersion > version:
		wrong.Detail = fmt.Sprintf("layout %d of %s was written by a newer program; this one knows up to %d", foundVersion, name, version)
	case foundVersion < version:
		wrong.Detail = fmt.Sprintf("layout %d of %s is older than %d and there is no conversion", foundVersion, name, version)
	default:
		return nil
	}
	return wrong
}

func (db *DB) createLayout(name string, version uint32) error {
	iter, err := db.NewIterator(nil, nil, Forward)
	if err != nil {
		return err
	}
	used := iter.Valid()
	if err := iter.Close(); err != nil {
		return err
	}
	if used {
		return &Error{Kind: WrongLayout, Dir: db.dir, Detail: fmt.Sprintf("the directory holds data without a layout record, not %q", name)}
	}
	record := binary.BigEndian.AppendUint32(nil, version)
	return db.Set(layoutKey, append(record, name...), Sync)
}

// FreeBytes is the space that is left for this user on the disk of a path.
func FreeBytes(path string) (uint64, error) {
	u, err := vfs.Default.GetDiskUsage(path)
	return u.AvailBytes, err
}
