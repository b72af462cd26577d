package api

import (
	"crypto/sha256"
	"encoding/base64"
)

// A cursor says where a list goes on: a version, which list and filters it is
// of, and a position. It is opaque to clients and grants nothing: a forged one
// gives some other place of the same list.
//
// Evolution: another version; old cursors are then refused, and clients begin
// again.
const (
	cursorVersion = 1
	cursorList    = 8 // bytes of the hash of the list's name
)

// encodeCursor names a position in a list. The name says id and filters too.
func encodeCursor(list string, position []byte) string {
	sum := sha256.Sum256([]byte(list))
	raw := append([]byte{cursorVersion}, sum[:cursorList]...)
	return base64.RawURLEncoding.EncodeToString(append(raw, position...))
}

// decodeCursor gives the position, which has the given length.
func decodeCursor(list, text string, size int) ([]byte, error) {
	if len(text) > maxCursor || size > maxPosition {
		return nil, errCursor
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 1+cursorList+size || raw[0] != cursorVersion {
		return nil, errCursor
	}
	sum := sha256.Sum256([]byte(list))
	if string(raw[1:1+cursorList]) != string(sum[:cursorList]) {
		return nil, errCursor
	}
	return raw[1+cursorList:], nil
}
