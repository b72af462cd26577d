// Package genesis is the document that a ledger starts from: its name, first
// validators and first vendors.
//
// It reads and checks the document and writes the first records; it neither
// stores nor fetches anything. Callers use Parse and Doc.Apply. Everybody who
// joins pins Doc.Hash, from which the chain digest follows.
//
// What must never change: the JSON names, and Hash for an unchanged document.
package genesis

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"unicode"
	"unicode/utf8"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Doc is the genesis document.
//
// Evolution: fields 1 to 5 are fixed; new ones are optional. The JSON form is
// for people and files; the hash is taken over the canonical encoding, so that
// white space does not make another ledger.
type Doc struct {
	ChainID    string      `cbor:"1,keyasint" json:"chain_id"`
	Time       int64       `cbor:"2,keyasint" json:"time"` // Unix seconds
	Validators []Validator `cbor:"3,keyasint" json:"validators"`
	Vendors    []Vendor    `cbor:"4,keyasint" json:"vendors"`
	Governance *Governance `cbor:"5,keyasint,omitempty" json:"governance,omitempty"` // nil: nobody can change who runs the ledger
}

// Power is the voting power of every validator.
const Power = state.Power

// Governance is who may change validators and vendors.
type Governance struct {
	Governors []Governor `cbor:"1,keyasint" json:"governors"`
	Threshold uint8      `cbor:"2,keyasint" json:"threshold"` // how many must approve a change
}

// Governor is a person with a say, by a key that is used for nothing else.
type Governor struct {
	Name string     `cbor:"1,keyasint" json:"name"`
	Key  key.Public `cbor:"2,keyasint" json:"key"`
}

// Validator is one of the first validators. All have the same Power.
type Validator struct {
	Name   string `cbor:"1,keyasint" json:"name"`
	PubKey []byte `cbor:"2,keyasint" json:"pub_key"` // 32 bytes, Ed25519 (RFC 8032)
}

// Vendor is a vendor admitted from the start. Its id follows from its first
// key.
type Vendor struct {
	Name      string       `cbor:"1,keyasint" json:"name"`
	Keys      []key.Public `cbor:"2,keyasint" json:"keys"`
	Threshold uint8        `cbor:"3,keyasint" json:"threshold"`
	Quota     uint64       `cbor:"4,keyasint" json:"quota"` // devices that it may register
}

// chainIDForm is what fits a DID, a topic and a file name.
var chainIDForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{2,47}$`)

// Parse reads the JSON form. Unknown names, trailing data and every value out
// of its range are refused.
func Parse(b []byte) (*Doc, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("genesis document of %d bytes, at most %d", len(b), MaxBytes)
	}
	if err := checkNames(b); err != nil {
		return nil, fmt.Errorf("read genesis document: %w", err)
	}
	d := new(Doc)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("read genesis document: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("read genesis document: data after the end")
	}
	return d, d.Validate()
}

// names are all the names that the JSON form has.
var names = map[string]bool{
	"chain_id": true, "time": true, "validators": true, "vendors": true, "name": true,
	"pub_key": true, "keys": true, "threshold": true, "quota": true,
	"governance": true, "governors": true, "key": true,
}

// checkNames refuses what encoding/json lets pass: a name that stands twice in
// an object, or in other letters. People review the document before they pin
// it, and must not read another value than the machine does.
func checkNames(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	var open []map[string]bool // of each level: the names seen; nil for an array
	isName := false
	for {
		t, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		top := len(open) - 1
		switch t := t.(type) {
		case json.Delim:
			switch t {
			case '{':
				open = append(open, make(map[string]bool))
			case '[':
				open = append(open, nil)
			default:
				open = open[:top]
			}
			isName = len(open) > 0 && open[len(open)-1] != nil
			continue
		case string:
			if isName {
				if !names[t] || open[top][t] {
					return fmt.Errorf("name %q is unknown or stands twice", t)
				}
				open[top][t] = true
				isName = false
				continue
			}
		}
		isName = top >= 0 && open[top] != nil
	}
}

// printable reports whether a name shows as what it is in a terminal: no
// control characters, no changes of writing direction.
func printable(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// Validate checks every value.
func (d *Doc) Validate() error {
	if !chainIDForm.MatchString(d.ChainID) {
		return fmt.Errorf("chain id %q: want 3 to 48 of a-z, 0-9 and '-'", d.ChainID)
	}
	if d.Time <= 0 {
		return fmt.Errorf("genesis time %d is not after 1970", d.Time)
	}
	if len(d.Validators) == 0 || len(d.Validators) > MaxValidators {
		return fmt.Errorf("%d validators, want 1 to %d", len(d.Validators), MaxValidators)
	}
	seen := make(map[string]bool)
	for _, v := range d.Validators {
		if !printable(v.Name) || len(v.PubKey) != validatorKeySize || seen[string(v.PubKey)] {
			return fmt.Errorf("validator %q: needs a name and a 32-byte key of its own", v.Name)
		}
		seen[string(v.PubKey)] = true
	}
	if len(d.Vendors) > MaxVendors {
		return fmt.Errorf("%d vendors, at most %d", len(d.Vendors), MaxVendors)
	}
	for _, v := range d.Vendors {
		if err := v.validate(seen); err != nil {
			return fmt.Errorf("vendor %q: %w", v.Name, err)
		}
	}
	if d.Governance != nil {
		return d.Governance.validate(seen)
	}
	return nil
}

func (g *Governance) validate(seen map[string]bool) error {
	if len(g.Governors) == 0 || len(g.Governors) > state.MaxGovernors || g.Threshold == 0 || int(g.Threshold) > len(g.Governors) {
		return fmt.Errorf("threshold %d of %d governors", g.Threshold, len(g.Governors))
	}
	for _, v := range g.Governors {
		if !printable(v.Name) {
			return fmt.Errorf("governor %q: no name, too long, or not printable", v.Name)
		}
		if err := ownKey(v.Key, "a governor's", seen); err != nil {
			return fmt.Errorf("governor %q: %w", v.Name, err)
		}
	}
	return nil
}

// ownKey demands a valid key that signs transactions and stands nowhere else in
// the document.
func ownKey(k key.Public, as string, seen map[string]bool) error {
	if err := k.Validate(); err != nil {
		return err
	}
	if k.Alg.InvokeOnly() {
		return &tx.Error{Kind: tx.InvokeOnly, Detail: fmt.Sprintf("a key of algorithm %d cannot be %s", k.Alg, as)}
	}
	if seen[k.String()] {
		return fmt.Errorf("key %s stands twice", k)
	}
	seen[k.String()] = true
	return nil
}

func (v Vendor) validate(seen map[string]bool) error {
	if !printable(v.Name) {
		return fmt.Errorf("no name, too long, or not printable")
	}
	if len(v.Keys) == 0 || len(v.Keys) > maxVendorKeys || v.Threshold == 0 || int(v.Threshold) > len(v.Keys) {
		return fmt.Errorf("threshold %d of %d keys", v.Threshold, len(v.Keys))
	}
	for _, k := range v.Keys {
		if err := ownKey(k, "a vendor's", seen); err != nil {
			return err
		}
	}
	return nil
}

// Hash names the document.
func (d *Doc) Hash() [32]byte { return codec.Hash(codec.LabelGenesis, codec.MustMarshal(d)) }

// Chain is the digest of the ledger that starts from this document.
func (d *Doc) Chain() codec.ChainDigest { return codec.NewChainDigest(d.ChainID, d.Hash()) }

// JSON is the form for files, indented.
func (d *Doc) JSON() []byte {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		panic("genesis: " + err.Error())
	}
	return append(b, '\n')
}

// Apply writes the first records.
func (d *Doc) Apply(s state.Tree) error {
	if err := s.Set(state.ParamsKey(), codec.MustMarshal(state.Params{Chain: d.Chain()})); err != nil {
		return err
	}
	for _, v := range d.Vendors {
		r := state.Vendor{Name: v.Name, Keys: v.Keys, Threshold: v.Threshold, Quota: v.Quota}
		if err := s.Set(state.VendorKey(v.Keys[0].AccountID()), codec.MustMarshal(r)); err != nil {
			return err
		}
	}
	if d.Governance == nil {
		return nil
	}
	if err := d.ApplyValidators(s); err != nil {
		return err
	}
	governors := make([]state.Governor, len(d.Governance.Governors))
	for i, g := range d.Governance.Governors {
		governors[i] = state.Governor{Name: g.Name, Key: g.Key}
	}
	return state.FirstGovernors(s, d.Governance.Threshold, governors)
}

// ApplyValidators writes the records of the first validators. Apply does so
// under governance; elsewhere they are written when the first of them is
// punished, so that a ledger without governors has the state that it always had.
func (d *Doc) ApplyValidators(s state.Tree) error {
	first := make([]state.Validator, len(d.Validators))
	for i, v := range d.Validators {
		first[i] = state.Validator{Name: v.Name, Key: tx.ValidatorKey(v.PubKey)}
	}
	return state.FirstValidators(s, first)
}
