// Package vectors holds the test vectors that every implementation of the
// formats must pass, in whatever language: JSON files of hex strings and plain
// values. docs/spec/vectors.md describes them.
//
// It checks nothing itself; its tests do, and the implementations in other
// languages read the same files. Callers use Names and Load.
//
// What must never change: a case that has been published. New ones are added
// at the end.
package vectors

import (
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.json
var files embed.FS

// File is one file of cases about one format.
type File struct {
	Name  string `json:"name"`
	About string `json:"about"` // for people
	Cases []Case `json:"cases"`
}

// Case is one vector. Each file uses the fields that docs/spec/vectors.md
// names; the others are absent.
type Case struct {
	Name string            `json:"name"`          // unique in its file
	Note string            `json:"note"`          // for people: what it shows
	Hex  string            `json:"hex,omitempty"` // the message itself
	In   map[string]string `json:"in,omitempty"`  // further input
	Want map[string]string `json:"want"`          // what must come out; "refused" is a kind or code
}

// Bytes is Hex decoded. It panics on a broken file, which the package's tests
// exclude.
func (c Case) Bytes() []byte {
	b, err := hex.DecodeString(c.Hex)
	if err != nil {
		panic("vectors: " + c.Name + ": " + err.Error())
	}
	return b
}

// Has reports whether a case of the given name is there.
func (f File) Has(name string) bool {
	for _, c := range f.Cases {
		if c.Name == name {
			return true
		}
	}
	return false
}

// Names lists the files, without ".json".
func Names() []string {
	paths, err := fs.Glob(files, "*.json")
	if err != nil {
		panic("vectors: " + err.Error())
	}
	for i := range paths {
		paths[i] = strings.TrimSuffix(paths[i], ".json")
	}
	return paths
}

// Load reads one file.
func Load(name string) (f File, err error) {
	raw, err := files.ReadFile(name + ".json")
	if err != nil {
		return f, fmt.Errorf("load vectors: %w", err)
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return f, fmt.Errorf("load vectors %s: %w", name, err)
	}
	return f, nil
}
