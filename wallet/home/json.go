package home

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"

	"github.com/hybridos-net/hybridos/chain/store/durable"
)

// fileVersion is the version of every JSON file. A file with a higher one is
// refused, never rewritten.
const fileVersion = 1

// document is what each JSON file holds around its content.
//
// Evolution: a field that is added must be optional; a change of meaning
// raises fileVersion.
type document[T any] struct {
	Version int `json:"version"`
	Content T   `json:"content"`
}

// load reads a file; the zero value stands for a missing one.
func load[T any](h *Home, name string) (T, error) {
	var zero T
	raw, err := durable.Read(h.file(name), MaxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return zero, nil
	case errors.Is(err, durable.ErrTooLarge):
		return zero, refuse(BadFile, "%v", err)
	case err != nil:
		return zero, err
	}
	return decode[T](h.file(name), raw)
}

// decode is strict: an unknown field may be one that a later version relies on.
func decode[T any](path string, raw []byte) (T, error) {
	var zero T
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &version); err != nil {
		return zero, refuse(BadFile, "%s: %v", path, err)
	}
	if version.Version > fileVersion {
		return zero, refuse(NewerFile, "%s has version %d", path, version.Version)
	}
	var doc document[T]
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return zero, refuse(BadFile, "%s: %v", path, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return zero, refuse(BadFile, "%s: data after the end", path)
	}
	if doc.Version != fileVersion {
		return zero, refuse(BadFile, "%s has version %d", path, doc.Version)
	}
	return doc.Content, nil
}

// update reads a file, lets change work on it and writes it back, all under
// the folder's lock, so that no entry of another process is lost.
func update[T any](ctx context.Context, h *Home, name string, change func(*T) error) error {
	unlock, err := h.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	content, err := load[T](h, name)
	if err != nil {
		return err
	}
	if err := change(&content); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(document[T]{fileVersion, content}, "", "  ")
	if err != nil {
		return err
	}
	if len(raw) > MaxFile {
		return refuse(Full, "%s would have %d bytes", h.file(name), len(raw))
	}
	return durable.Write(h.file(name), append(raw, '\n'))
}
