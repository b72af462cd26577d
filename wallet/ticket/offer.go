package ticket

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Schema names the JSON form of an offer file.
const Schema = "hos.offer"

const offerVersion = 1

// wireOffer is the file's JSON.
//
// Evolution: a field that is added must be optional; a change of meaning raises
// the version.
type wireOffer struct {
	Schema  string `json:"schema"`
	Version int    `json:"version"`
	Chain   string `json:"chain"` // hex of the chain digest
	Kind    string `json:"kind"`  // of the transaction, for people
	Tx      []byte `json:"tx"`    // the envelope, base64

	Addrs []string `json:"addrs,omitempty"` // of the device, for a transfer
}

// Offer is a transaction that one side has signed and the other has yet to.
type Offer struct {
	Chain codec.ChainDigest
	Tx    *tx.Tx
	Addrs []string // where a transferred device was last; a hint, nothing signs it
}

// Bytes is the file form.
func (o Offer) Bytes() []byte {
	b, err := json.MarshalIndent(wireOffer{
		Schema: Schema, Version: offerVersion, Chain: hex.EncodeToString(o.Chain[:]),
		Kind: o.Tx.Body.Kind.String(), Tx: o.Tx.Bytes(), Addrs: o.Addrs,
	}, "", "  ")
	if err != nil {
		panic("ticket: " + err.Error())
	}
	return append(b, '\n')
}

// ParseOffer reads an offer file made for the given ledger.
func ParseOffer(b []byte, chain codec.ChainDigest) (Offer, error) {
	if len(b) > MaxOffer {
		return Offer{}, refuse(BadOffer, "more than %d bytes", MaxOffer)
	}
	var w wireOffer
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return Offer{}, refuse(BadOffer, "%v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Offer{}, refuse(BadOffer, "data after the end")
	}
	if w.Schema != Schema || w.Version != offerVersion {
		return Offer{}, refuse(BadOffer, "schema %.40q version %d, want %s version %d", w.Schema, w.Version, Schema, offerVersion)
	}
	if w.Chain != hex.EncodeToString(chain[:]) {
		return Offer{}, refuse(OtherLedger, "it was made for the ledger %.16s…, this wallet follows %.16s…", w.Chain, hex.EncodeToString(chain[:]))
	}
	t, err := tx.Decode(w.Tx)
	if err != nil {
		return Offer{}, refuse(BadOffer, "%v", err)
	}
	if t.Body.Kind.String() != w.Kind {
		return Offer{}, refuse(BadOffer, "says %.40q and holds a %s", w.Kind, t.Body.Kind)
	}
	if err := checkAddrs(w.Addrs, maxAddrs); err != nil {
		return Offer{}, refuse(BadOffer, "%v", err)
	}
	return Offer{Chain: chain, Tx: t, Addrs: w.Addrs}, nil
}
