package snapshot

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

// file gives a small tree's file with headers that nobody looks at here.
func file(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	head := Head{ChainID: "hos-test", Genesis: Hash{1}, Blocks: [][]byte{{1}, {2}, {3}}}
	if _, _, err := WriteFile(t.Context(), &b, newTree(t, 2), 2, head, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readAll reads a file to its end.
func readAll(b []byte) (chunks int, err error) {
	f, err := OpenFile(bytes.NewReader(b))
	for err == nil {
		if _, err = f.Next(); err == nil {
			chunks++
		}
	}
	return chunks, err
}

// Every byte of a file is covered, and nothing may be missing or follow.
func TestFile_EveryByteCounts(t *testing.T) {
	good := file(t)
	if n, err := readAll(good); n != 1 || !errors.Is(err, io.EOF) {
		t.Fatalf("%d chunks, %v", n, err)
	}
	for at := range good {
		if at > 700 && at < len(good)-100 && at%97 != 0 { // the middle is one chunk
			continue
		}
		bent := bytes.Clone(good)
		bent[at] ^= 1 << (at % 8)
		if _, err := readAll(bent); !errors.Is(err, BadFile) {
			t.Errorf("byte %d: %v", at, err)
		}
		if _, err := readAll(good[:at]); !errors.Is(err, BadFile) {
			t.Errorf("first %d bytes: %v", at, err)
		}
	}
	if _, err := readAll(append(bytes.Clone(good), 0)); !errors.Is(err, BadFile) {
		t.Errorf("a byte more: %v", err)
	}
}

// A fault of the disk is no fault of the file.
func TestFile_Fault(t *testing.T) {
	if _, err := OpenFile(faulty{}); errors.Is(err, BadFile) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if _, _, err := WriteFile(t.Context(), faulty{}, newTree(t, 1), 1, Head{}, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

type faulty struct{}

func (faulty) Read([]byte) (int, error)  { return 0, os.ErrDeadlineExceeded }
func (faulty) Write([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func FuzzOpenFile(f *testing.F) {
	good := file(f)
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte(fileMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := readAll(b); err == nil || !errors.Is(err, BadFile) && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}
