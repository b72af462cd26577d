package codec

import (
	"cmp"
	"encoding"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

// A plan decodes one Go type from its canonical encoding in one pass, and gives
// what follows. It accepts nothing that decoding, encoding again and comparing
// would refuse, and sets what these would set; where it is not sure it says no,
// and Unmarshal goes the long way, whose refusals are the ones that count. A
// validator reads thousands of records for each block: the long way decodes each
// of them three times over.
//
// depth is how many containers stand around b; into is settable and zero.
type plan func(b []byte, into reflect.Value, depth int) (rest []byte, ok bool)

// plans holds a plan for each type that was asked for, nil where there is none.
var plans sync.Map // reflect.Type -> plan

// onePass decodes b into v, a pointer to a zero value. If it says no, v is as
// before.
func onePass(b []byte, v any) bool {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return false
	}
	into := p.Elem()
	if !into.IsZero() { // what stands there could take part in the comparison
		return false
	}
	decode := planOf(into.Type())
	if decode == nil {
		return false
	}
	if rest, ok := decode(b, into, 0); ok && len(rest) == 0 {
		return true
	}
	into.SetZero()
	return false
}

func planOf(t reflect.Type) plan {
	if p, ok := plans.Load(t); ok {
		return p.(plan)
	}
	p := newPlan(t, 0)
	plans.Store(t, p)
	return p
}

// The interfaces by which a type could take its encoding into its own hands.
var ownForms = []reflect.Type{
	reflect.TypeFor[cbor.Marshaler](), reflect.TypeFor[cbor.Unmarshaler](),
	reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](),
}

func hasOwnForm(t reflect.Type) bool {
	if t.PkgPath() == reflect.TypeFor[Raw]().PkgPath() { // some are known to the library by name
		return true
	}
	return slices.ContainsFunc(ownForms, func(form reflect.Type) bool {
		return t.Implements(form) || reflect.PointerTo(t).Implements(form)
	})
}

// newPlan gives nil for a type that only the library can decode. nesting ends
// types that contain themselves.
func newPlan(t reflect.Type, nesting int) plan {
	switch {
	case t == reflect.TypeFor[Raw]():
		return planRaw
	case hasOwnForm(t), nesting > MaxDepth:
		return nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return planBool
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return planUint
	case reflect.Int64:
		return planInt
	case reflect.String:
		return planText
	case reflect.Array:
		if t.Elem() == reflect.TypeFor[byte]() {
			return planArray
		}
	case reflect.Slice:
		return newSlicePlan(t, nesting)
	case reflect.Pointer:
		return newPointerPlan(t, nesting)
	case reflect.Struct:
		return newStructPlan(t, nesting)
	}
	return nil
}

func planBool(b []byte, into reflect.Value, _ int) ([]byte, bool) {
	const no, yes = majorSimple<<5 | 20, majorSimple<<5 | 21
	if len(b) == 0 || b[0] != no && b[0] != yes {
		return nil, false
	}
	into.SetBool(b[0] == yes)
	return b[1:], true
}

func planUint(b []byte, into reflect.Value, _ int) ([]byte, bool) {
	major, n, rest, err := head(b)
	if err != nil || major != majorUint || into.OverflowUint(n) {
		return nil, false
	}
	into.SetUint(n)
	return rest, true
}

func planInt(b []byte, into reflect.Value, _ int) ([]byte, bool) {
	major, n, rest, err := head(b)
	if err != nil || major != majorUint || n > math.MaxInt64 {
		return nil, false
	}
	into.SetInt(int64(n))
	return rest, true
}

func planText(b []byte, into reflect.Value, _ int) ([]byte, bool) {
	text, rest, ok := str(b, majorText)
	if !ok || !utf8.Valid(text) {
		return nil, false
	}
	into.SetString(string(text))
	return rest, true
}

func planBytes(b []byte, into reflect.Value, _ int) ([]byte, bool) {
	data, rest, ok := str(b, majorBytes)
	if !ok {
		return nil, false
	}
	into.SetBytes(append(make([]byte, 0, len(data)), data...))
	return rest, true
}

func planArray(b []byte, into reflect.Value, _ int) ([]byte, bool) {
	data, rest, ok := str(b, majorBytes)
	if !ok || len(data) != into.Len() {
		return nil, false
	}
	copy(into.Bytes(), data)
	return rest, true
}

func planRaw(b []byte, into reflect.Value, depth int) ([]byte, bool) {
	rest, err := walk(b, depth)
	if err != nil {
		return nil, false
	}
	item := b[:len(b)-len(rest)]
	into.SetBytes(append(make([]byte, 0, len(item)), item...))
	return rest, true
}

// str reads a byte or text string.
func str(b []byte, want byte) (data, rest []byte, ok bool) {
	major, n, rest, err := head(b)
	if err != nil || major != want || uint64(len(rest)) < n {
		return nil, nil, false
	}
	return rest[:n], rest[n:], true
}

func newSlicePlan(t reflect.Type, nesting int) plan {
	if t.Elem() == reflect.TypeFor[byte]() {
		return planBytes
	}
	element := newPlan(t.Elem(), nesting+1)
	if element == nil || t.Elem().Kind() == reflect.Uint8 { // of which the library makes a byte string
		return nil
	}
	return func(b []byte, into reflect.Value, depth int) ([]byte, bool) {
		major, n, rest, err := head(b)
		if err != nil || major != majorArray || depth >= MaxDepth || n > MaxItems || n > uint64(len(rest)) {
			return nil, false
		}
		list, ok := reflect.MakeSlice(t, int(n), int(n)), true
		for i := range int(n) {
			if rest, ok = element(rest, list.Index(i), depth+1); !ok {
				return nil, false
			}
		}
		into.Set(list)
		return rest, true
	}
}

func newPointerPlan(t reflect.Type, nesting int) plan {
	target := newPlan(t.Elem(), nesting+1)
	if target == nil {
		return nil
	}
	return func(b []byte, into reflect.Value, depth int) ([]byte, bool) {
		made := reflect.New(t.Elem())
		rest, ok := target(b, made.Elem(), depth) // null is none of its forms
		if ok {
			into.Set(made)
		}
		return rest, ok
	}
}

// member is a field of a struct: a pair of the map that stands for it.
type member struct {
	index    int
	key      uint64
	optional bool
	decode   plan
}

// newStructPlan knows structs all of whose fields have an integer key.
func newStructPlan(t reflect.Type, nesting int) plan {
	members := make([]member, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		m, ok := memberOf(f)
		if !ok {
			return nil
		}
		m.index = i
		if m.decode = newPlan(f.Type, nesting+1); m.decode == nil {
			return nil
		}
		members = append(members, m)
	}
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.key, b.key) })
	return func(b []byte, into reflect.Value, depth int) ([]byte, bool) {
		return decodeStruct(members, b, into, depth)
	}
}

// memberOf reads the tag of a field: its key, "keyasint" and perhaps
// "omitempty".
func memberOf(f reflect.StructField) (m member, ok bool) {
	name, rest, _ := strings.Cut(f.Tag.Get("cbor"), ",")
	n, err := strconv.ParseUint(name, 10, 16)
	if err != nil || !f.IsExported() || f.Anonymous {
		return m, false
	}
	m.key = n
	switch rest {
	case "keyasint":
		return m, true
	case "keyasint,omitempty":
		m.optional = true
		// To the library an array and a Raw are never empty, a struct only if all
		// its fields are.
		return m, f.Type.Kind() != reflect.Array && f.Type.Kind() != reflect.Struct && f.Type != reflect.TypeFor[Raw]()
	}
	return m, false
}

func decodeStruct(members []member, b []byte, into reflect.Value, depth int) ([]byte, bool) {
	major, n, rest, err := head(b)
	if err != nil || major != majorMap || depth >= MaxDepth || n > uint64(len(members)) {
		return nil, false
	}
	for _, m := range members {
		if n == 0 {
			if !m.optional {
				return nil, false
			}
			continue
		}
		major, k, after, err := head(rest)
		if err != nil || major != majorUint {
			return nil, false
		}
		if k != m.key {
			if !m.optional {
				return nil, false
			}
			continue // keys rise, so that an unknown or repeated one is never taken
		}
		value, ok := into.Field(m.index), false
		if rest, ok = m.decode(after, value, depth+1); !ok {
			return nil, false
		}
		if m.optional && (value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0) {
			return nil, false // it would be left out
		}
		n--
	}
	return rest, n == 0
}
