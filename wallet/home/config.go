package home

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/store/durable"
	"github.com/hybridos-net/hybridos/wallet/phone"
)

// Config is the ledger that the wallet follows and whom it asks about it.
//
// Evolution: a field that is added is optional, so that a file without it still
// reads.
type Config struct {
	ChainID string   `json:"chain_id"`
	Chain   string   `json:"chain"`           // hex of the chain digest: pins the genesis document
	Nodes   []string `json:"nodes"`           // multiaddresses that end in /p2p/<peer id>
	Phone   string   `json:"phone,omitempty"` // origin of the page that phones open; empty: none
}

// Config reads the configuration; ChainID is empty before Pin.
func (h *Home) Config() (Config, error) { return load[Config](h, configFile) }

// Genesis reads the pinned genesis document, and checks it against the pin;
// nil before Pin.
func (h *Home) Genesis() (*genesis.Doc, error) {
	cfg, err := h.Config()
	if err != nil || cfg.ChainID == "" {
		return nil, err
	}
	raw, err := durable.Read(h.file(genesisFile), genesis.MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(BadFile, "%s is missing", h.file(genesisFile))
	}
	if err != nil {
		return nil, err
	}
	doc, err := genesis.Parse(raw)
	if err != nil {
		return nil, refuse(BadFile, "%s: %v", h.file(genesisFile), err)
	}
	if digestText(doc.Chain()) != cfg.Chain {
		return nil, refuse(BadFile, "%s is not the document that was pinned", h.file(genesisFile))
	}
	return doc, nil
}

// Pin binds the folder to a ledger for good and adds nodes to ask. A folder
// that belongs to another ledger refuses: devices and grants of one mean
// nothing on the other.
func (h *Home) Pin(ctx context.Context, doc *genesis.Doc, nodes []string) error {
	if err := checkAddrs(nodes, MaxNodes); err != nil {
		return err
	}
	if err := h.keepGenesis(ctx, doc); err != nil {
		return err
	}
	return update(ctx, h, configFile, func(c *Config) error {
		if err := c.fits(doc); err != nil {
			return err
		}
		c.ChainID, c.Chain = doc.ChainID, digestText(doc.Chain())
		for _, n := range nodes {
			if !slices.Contains(c.Nodes, n) {
				c.Nodes = append(c.Nodes, n)
			}
		}
		if len(c.Nodes) > MaxNodes {
			return refuse(Full, "%d nodes, at most %d", len(c.Nodes), MaxNodes)
		}
		return nil
	})
}

// SetPhone remembers the page that phones open, in place of another one.
func (h *Home) SetPhone(ctx context.Context, o phone.Origin) error {
	return update(ctx, h, configFile, func(c *Config) error {
		c.Phone = o.String()
		return nil
	})
}

// keepGenesis writes the document before the pin that names it.
func (h *Home) keepGenesis(ctx context.Context, doc *genesis.Doc) error {
	unlock, err := h.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := h.Config()
	if err != nil {
		return err
	}
	if err := c.fits(doc); err != nil {
		return err
	}
	return durable.Write(h.file(genesisFile), doc.JSON())
}

// Fits refuses a genesis document of another ledger than the pinned one.
func (h *Home) Fits(doc *genesis.Doc) error {
	c, err := h.Config()
	if err != nil {
		return err
	}
	return c.fits(doc)
}

func (c Config) fits(doc *genesis.Doc) error {
	if c.ChainID != "" && c.Chain != digestText(doc.Chain()) {
		return refuse(OtherLedger, "this wallet follows %s (%.16s…), the document is of %s (%.16s…)",
			c.ChainID, c.Chain, doc.ChainID, digestText(doc.Chain()))
	}
	return nil
}

func digestText(d codec.ChainDigest) string { return hex.EncodeToString(d[:]) }

func checkAddrs(addrs []string, most int) error {
	if len(addrs) > most {
		return refuse(BadValue, "%d addresses, at most %d", len(addrs), most)
	}
	for _, a := range addrs {
		if a == "" || a[0] != '/' || len(a) > maxAddr {
			return refuse(BadValue, "%.40q is not a multiaddress", a)
		}
	}
	return nil
}
