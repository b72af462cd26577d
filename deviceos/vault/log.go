package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// A log file is a header and then groups. A group is what one sync made last:
//
//	"HVG1" | length of payload, 4 bytes | CRC-32C of sequence and payload, 4 |
//	sequence, 8 bytes | payload
//
// all big-endian; the payload is a run of writes:
//
//	length of key, 2 bytes | length of value, 4, all ones for a removal |
//	CRC-32C of value, 4 | key | value
//
// Behind the last group are zeros. A group is whole or it never was: each is
// synced before the next is begun, so only the last can be torn. A broken group
// with a whole one behind it is no torn write but a rotten disk, and refused:
// going on without it would forget nonces.
const (
	fileHeader   = "HOSVAULT\x00\x00\x00\x01"
	headerSize   = int64(len(fileHeader))
	groupMark    = "HVG1"
	groupHead    = 4 + 4 + 4 + 8
	writeHead    = 2 + 4 + 4
	removed      = ^uint32(0)
	lockName     = "LOCK"
	logPrefix    = "log-"
	unfinished   = ".new"
	fileNumbered = logPrefix + "%016x"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// place is where a value stands in the file.
type place struct {
	at   int64
	size uint32
	crc  uint32
}

// log is the file and an index of it. One goroutine at a time writes.
type log struct {
	fs   FS
	dir  string
	lock io.Closer

	mu    sync.RWMutex // guards what follows against readers
	file  File
	index map[string]place
	live  int64 // bytes that a rewrite would keep

	number uint64 // of the file
	seq    uint64 // of the last group
	end    int64  // behind the last group
	size   int64  // of the file, zeros included
}

func openLog(fs FS, dir string) (_ *log, err error) {
	if err := fs.MkdirAll(dir); err != nil {
		return nil, fault(dir, "create the directory", err)
	}
	lock, err := fs.Lock(dir)
	if err != nil {
		return nil, fault(dir, "lock the directory", err)
	}
	l := &log{fs: fs, dir: dir, lock: lock, index: make(map[string]place)}
	defer func() {
		if err != nil {
			err = errors.Join(fault(dir, "open", err), l.close())
		}
	}()
	if err := l.choose(); err != nil {
		return nil, err
	}
	if l.file == nil {
		return l, l.rewrite()
	}
	return l, l.load()
}

// choose opens the newest log and removes what a power cut or a kill left of
// others. The newest may have its name in the kernel's memory only, if the
// process was killed in a rewrite: it is made to last before the others go.
func (l *log) choose() error {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	newest := ""
	var old []string
	for _, name := range slices.Backward(names) {
		switch {
		case !strings.HasPrefix(name, logPrefix):
		case newest == "" && !strings.HasSuffix(name, unfinished):
			_, err := fmt.Sscanf(name, fileNumbered, &l.number)
			if err != nil || fmt.Sprintf(fileNumbered, l.number) != name {
				return &Error{Kind: Corrupt, Dir: l.dir, Detail: "file " + name + " is not of this store"}
			}
			newest = name
		default:
			old = append(old, name)
		}
	}
	if newest != "" {
		if err := l.fs.SyncDir(l.dir); err != nil {
			return err
		}
		if l.file, err = l.fs.Open(filepath.Join(l.dir, newest), false); err != nil {
			return err
		}
	}
	for _, name := range old {
		if err := l.fs.Remove(filepath.Join(l.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// load reads the whole file, group by group.
func (l *log) load() error {
	var err error
	if l.size, err = l.file.Size(); err != nil {
		return err
	}
	head := make([]byte, headerSize)
	if _, err := l.file.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	if string(head[:8]) == fileHeader[:8] && string(head) > fileHeader {
		return &Error{Kind: WrongLayout, Dir: l.dir, Detail: "written by a newer program"}
	}
	if string(head) != fileHeader {
		return &Error{Kind: Corrupt, Dir: l.dir, Detail: "the file's header is broken"}
	}
	l.end = headerSize
	for {
		seq, payload, err := l.group(l.end)
		if err != nil {
			return err
		}
		if payload == nil {
			return l.tail()
		}
		if l.seq != 0 && seq != l.seq+1 {
			return &Error{Kind: Corrupt, Dir: l.dir, Detail: fmt.Sprintf("group %d follows group %d", seq, l.seq)}
		}
		if err := l.replay(payload, l.end+groupHead); err != nil {
			return &Error{Kind: Corrupt, Dir: l.dir, Detail: "a group does not parse", Cause: err}
		}
		l.seq = seq
		l.end += groupHead + int64(len(payload))
	}
}

// group reads the group at an offset; payload is nil if there is no whole one.
func (l *log) group(at int64) (seq uint64, payload []byte, err error) {
	head := make([]byte, groupHead)
	if at+groupHead > l.size {
		return 0, nil, nil
	}
	if _, err := l.file.ReadAt(head, at); err != nil {
		return 0, nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[4:]))
	if string(head[:4]) != groupMark || n == 0 || n > maxGroup || at+groupHead+n > l.size {
		return 0, nil, nil
	}
	payload = make([]byte, n)
	if _, err := l.file.ReadAt(payload, at+groupHead); err != nil {
		return 0, nil, err
	}
	if crc32.Update(crc32.Checksum(head[12:], castagnoli), castagnoli, payload) != binary.BigEndian.Uint32(head[8:]) {
		return 0, nil, nil
	}
	return binary.BigEndian.Uint64(head[12:]), payload, nil
}

// replay takes the writes of a group whose payload begins at an offset.
func (l *log) replay(payload []byte, at int64) error {
	for rest := payload; len(rest) > 0; {
		if len(rest) < writeHead {
			return io.ErrUnexpectedEOF
		}
		k, n, crc := int(binary.BigEndian.Uint16(rest)), binary.BigEndian.Uint32(rest[2:]), binary.BigEndian.Uint32(rest[6:])
		size := writeHead + k
		if n != removed {
			if n > maxValue {
				return fmt.Errorf("value of %d bytes", n)
			}
			size += int(n)
		}
		if k == 0 || len(rest) < size {
			return io.ErrUnexpectedEOF
		}
		key := string(rest[writeHead : writeHead+k])
		if n == removed {
			l.forget(key)
		} else {
			l.hold(key, place{at: at + int64(writeHead+k), size: n, crc: crc})
		}
		rest, at = rest[size:], at+int64(size)
	}
	return nil
}

// tail looks at what stands behind the last whole group: zeros, or a torn
// group, which is wiped so that it can never be taken for another. Either way
// the file is synced: a process that was killed may have left a group in the
// kernel's memory only, and what is read must last.
func (l *log) tail() error {
	rest := make([]byte, l.size-l.end)
	if _, err := l.file.ReadAt(rest, l.end); err != nil && err != io.EOF {
		return err
	}
	if len(bytes.Trim(rest, "\x00")) == 0 {
		return l.file.Sync()
	}
	for i := 1; ; i++ {
		next := bytes.Index(rest[i:], []byte(groupMark))
		if next < 0 {
			break
		}
		i += next
		seq, payload, err := l.group(l.end + int64(i))
		if err != nil {
			return err
		}
		if payload != nil && seq > l.seq {
			return &Error{Kind: Corrupt, Dir: l.dir, Detail: "a group in the middle of the file is broken"}
		}
	}
	clear(rest)
	if _, err := l.file.WriteAt(rest, l.end); err != nil {
		return err
	}
	return l.file.Sync()
}

func (l *log) hold(key string, p place) {
	l.forget(key)
	l.index[key] = p
	l.live += writeHead + int64(len(key)) + int64(p.size)
}

func (l *log) forget(key string) {
	if p, ok := l.index[key]; ok {
		l.live -= writeHead + int64(len(key)) + int64(p.size)
		delete(l.index, key)
	}
}

// get reads a value; nil if there is none.
func (l *log) get(key string) ([]byte, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	p, ok := l.index[key]
	if !ok {
		return nil, nil
	}
	return l.read(p)
}

func (l *log) read(p place) ([]byte, error) {
	value := make([]byte, p.size)
	if _, err := l.file.ReadAt(value, p.at); err != nil {
		return nil, fault(l.dir, "read", err)
	}
	if crc32.Checksum(value, castagnoli) != p.crc {
		return nil, &Error{Kind: Corrupt, Dir: l.dir, Detail: "a record is not what was written"}
	}
	return value, nil
}

// keys lists the keys that begin with a byte, in order.
func (l *log) keys(first byte) []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var out []string
	for k := range l.index {
		if k[0] == first {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// append writes one group and returns when it is on disk.
func (l *log) append(writes []Write) error {
	group := encodeGroup(l.seq+1, writes)
	if err := l.reserve(int64(len(group))); err != nil {
		return fault(l.dir, "write", err)
	}
	if _, err := l.file.WriteAt(group, l.end); err != nil {
		return fault(l.dir, "write", err)
	}
	if err := l.file.Sync(); err != nil {
		return fault(l.dir, "sync", err)
	}
	l.mu.Lock()
	err := l.replay(group[groupHead:], l.end+groupHead)
	l.mu.Unlock()
	if err != nil {
		panic("vault: own group does not parse: " + err.Error())
	}
	l.seq++
	l.end += int64(len(group))
	if l.end > minRewrite && l.end > 2*(l.live+headerSize) {
		return l.rewrite()
	}
	return nil
}

// reserve fills the file with zeros ahead of the end, so that most syncs change
// no length: on a journalling file system that halves their cost.
func (l *log) reserve(n int64) error {
	if l.end+n <= l.size {
		return nil
	}
	grow := make([]byte, max(n, growBy))
	if _, err := l.file.WriteAt(grow, l.size); err != nil {
		return err
	}
	l.size += int64(len(grow))
	return nil
}

func encodeGroup(seq uint64, writes []Write) []byte {
	group := append(make([]byte, 0, 512), groupMark...)
	group = binary.BigEndian.AppendUint64(group, 0) // length and checksum, below
	group = binary.BigEndian.AppendUint64(group, seq)
	for _, w := range writes {
		group = appendWrite(group, w)
	}
	binary.BigEndian.PutUint32(group[4:], uint32(len(group)-groupHead))
	binary.BigEndian.PutUint32(group[8:], crc32.Checksum(group[12:], castagnoli))
	return group
}

func appendWrite(b []byte, w Write) []byte {
	size := removed
	if w.Value != nil {
		size = uint32(len(w.Value))
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(w.Key)))
	b = binary.BigEndian.AppendUint32(b, size)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(w.Value, castagnoli))
	return append(append(b, w.Key...), w.Value...)
}

// rewrite moves what is alive to a new file and drops the old one.
func (l *log) rewrite() error {
	next := &log{fs: l.fs, dir: l.dir, index: make(map[string]place), number: l.number + 1, seq: l.seq}
	final := filepath.Join(l.dir, fmt.Sprintf(fileNumbered, next.number))
	err := l.copyTo(next, final)
	if err != nil {
		if next.file != nil {
			err = errors.Join(err, next.file.Close())
		}
		return fault(l.dir, "rewrite", err)
	}
	l.mu.Lock()
	old, name := l.file, filepath.Join(l.dir, fmt.Sprintf(fileNumbered, l.number))
	l.file, l.index, l.live = next.file, next.index, next.live
	l.mu.Unlock()
	l.number, l.seq, l.end, l.size = next.number, next.seq, next.end, next.size
	if old == nil {
		return nil
	}
	if err := errors.Join(old.Close(), l.fs.Remove(name)); err != nil {
		return fault(l.dir, "drop the old file", err)
	}
	return nil
}

// copyTo writes the new file under a passing name and gives it its own once it
// is whole.
func (l *log) copyTo(next *log, final string) (err error) {
	if next.file, err = l.fs.Open(final+unfinished, true); err != nil {
		return err
	}
	if _, err := next.file.WriteAt([]byte(fileHeader), 0); err != nil {
		return err
	}
	next.end, next.size = headerSize, headerSize
	var group []Write
	bytes := 0
	flush := func() error {
		if len(group) == 0 {
			return nil
		}
		raw := encodeGroup(next.seq+1, group)
		if _, err := next.file.WriteAt(raw, next.end); err != nil {
			return err
		}
		if err := next.replay(raw[groupHead:], next.end+groupHead); err != nil {
			return err
		}
		next.seq++
		next.end += int64(len(raw))
		next.size = next.end
		group, bytes = nil, 0
		return nil
	}
	for k, p := range l.index { // the order of keys in a file means nothing
		value, err := l.read(p)
		if err != nil {
			return err
		}
		group = append(group, Write{Key: []byte(k), Value: value})
		if bytes += len(k) + len(value); bytes > growBy {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(flush(), next.file.Sync()); err != nil {
		return err
	}
	return errors.Join(l.fs.Rename(final+unfinished, final), l.fs.SyncDir(l.dir))
}

func (l *log) close() error {
	var err error
	if l.file != nil {
		err = l.file.Close()
	}
	return errors.Join(err, l.lock.Close())
}
