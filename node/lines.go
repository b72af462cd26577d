package node

import (
	"context"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// lineHead is the first line of an export as JSON, lineEnd the last.
type lineHead struct {
	Ledger  string `json:"ledger"`
	Genesis string `json:"genesis_hash"`
	Height  int64  `json:"height"`
	Root    string `json:"root"`
}

type lineEnd struct {
	Records int `json:"records"`
}

// line is one record.
type line struct {
	Record string `json:"record"`
	Key    string `json:"key"`    // hex
	Value  []byte `json:"value"`  // base64: the bytes that the root covers
	Fields any    `json:"fields"` // the same, readable
}

// ExportLines writes every record of a stopped home's state at a height as a
// line of JSON, in the order of their keys. It is for reading: nothing can be
// imported from it.
func ExportLines(ctx context.Context, w io.Writer, doc *genesis.Doc, tree *store.Tree, height int64) error {
	root, err := tree.HashAt(height)
	if err != nil {
		return err
	}
	hash := doc.Hash()
	out := json.NewEncoder(w)
	if err := out.Encode(lineHead{doc.ChainID, hex.EncodeToString(hash[:]), height, hex.EncodeToString(root)}); err != nil {
		return err
	}
	count := 0
	for prefix := 1; prefix < 0xff; prefix++ { // the tree's own fence is left out
		err := tree.ScanAt(height, []byte{byte(prefix)}, func(k, v []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			name, record, err := state.Describe(k, v)
			if err != nil {
				return err
			}
			count++
			return out.Encode(line{name, hex.EncodeToString(k), v, readable(reflect.ValueOf(record))})
		})
		if err != nil {
			return err
		}
	}
	return out.Encode(lineEnd{count})
}

// readable gives what json.Marshal makes readable text of: names in snake case,
// ids in their text forms, bytes in hex, signed transactions decoded, and what is
// not set left out.
func readable(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		if t, ok := v.Interface().(*tx.Tx); ok {
			return readableTx(t)
		}
		return readable(v.Elem())
	}
	switch x := v.Interface().(type) {
	case encoding.TextMarshaler, tx.Kind:
		return fmt.Sprint(x)
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(b), v)
			return hex.EncodeToString(b)
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = readable(v.Index(i))
		}
		return out
	case reflect.Struct:
		return readableStruct(v)
	}
	return v.Interface()
}

func readableStruct(v reflect.Value) map[string]any {
	out := make(map[string]any)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || v.Field(i).IsZero() {
			continue
		}
		if raw, ok := v.Field(i).Interface().([]byte); ok && f.Name == "Tx" {
			if t, err := tx.Decode(raw); err == nil {
				out["tx"] = readableTx(t)
				continue
			}
		}
		out[snake(f.Name)] = readable(v.Field(i))
	}
	return out
}

func readableTx(t *tx.Tx) map[string]any {
	return map[string]any{
		"kind": t.Body.Kind.String(), "account": t.Body.Account.String(), "sequence": t.Body.Sequence, "expires": t.Body.Expires,
		"payload": readable(reflect.ValueOf(t.Payload)), "signatures": readable(reflect.ValueOf(t.Sigs)),
	}
}

// snake gives NotBefore as not_before.
func snake(name string) string {
	var b strings.Builder
	low := false
	for _, r := range name {
		if unicode.IsUpper(r) && low {
			b.WriteByte('_')
		}
		low = unicode.IsLower(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
