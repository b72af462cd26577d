package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"strconv"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// health answers 200 while this node keeps step with the network, else 503.
func (s *Server) health(w http.ResponseWriter, _ *http.Request, _ []byte) {
	st := s.ledger.Status()
	if st.Syncing || st.Height == 0 {
		s.fail(w, &Error{http.StatusServiceUnavailable, "unavailable", "this node is catching up", "look at /v1/status"})
		return
	}
	s.answer(w, http.StatusOK, map[string]any{"status": "ok", "height": st.Height})
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request, _ []byte) { s.scrape.ServeHTTP(w, r) }

func (s *Server) status(w http.ResponseWriter, _ *http.Request, _ []byte) {
	s.answer(w, http.StatusOK, s.now())
}

// Record is a raw record, for those who verify it themselves.
type Record struct {
	Key     string `json:"key"`             // hex
	Version int64  `json:"version"`         // the block after which it was so
	Found   bool   `json:"found"`           // false: proven absent
	Value   []byte `json:"value,omitempty"` // base64
	Proof   []byte `json:"proof,omitempty"` // base64, ics23; with prove=1
}

func (s *Server) record(w http.ResponseWriter, r *http.Request, _ []byte) {
	k, err := hex.DecodeString(r.PathValue("key"))
	if err != nil || len(k) == 0 || len(k) > maxKey {
		s.fail(w, errID)
		return
	}
	prove, version, err := recordQuery(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	if version == 0 && !prove {
		version = s.newest().Height
	}
	p, err := s.ledger.Prove(ctx, k, version)
	if err != nil {
		s.fail(w, err)
		return
	}
	out := Record{Key: hex.EncodeToString(k), Version: p.Height, Found: len(p.Value) > 0, Value: p.Value}
	if prove {
		out.Proof = p.Proof
	}
	s.answer(w, http.StatusOK, out)
}

// recordQuery reads the query of /v1/records: prove=1 and version=N.
func recordQuery(r *http.Request) (prove bool, version int64, err error) {
	q, err := query(r)
	if err != nil {
		return false, 0, err
	}
	for name, v := range q {
		switch {
		case name == "prove" && len(v) == 1 && (v[0] == "0" || v[0] == "1"):
			prove = v[0] == "1"
		case name == "version" && len(v) == 1:
			if version, err = strconv.ParseInt(v[0], 10, 64); err != nil || version < 1 {
				return false, 0, errQuery
			}
		default:
			return false, 0, errQuery
		}
	}
	return prove, version, nil
}

// view reads records for one request.
type view func(k []byte) ([]byte, error)

func (v view) Get(k []byte) ([]byte, error) { return v(k) }

// read answers with what a reader makes of the newest state.
func (s *Server) read(w http.ResponseWriter, r *http.Request, reader func(state.View) (any, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	version := s.newest().Height
	out, err := reader(view(func(k []byte) ([]byte, error) {
		p, err := s.ledger.Prove(ctx, k, version)
		return p.Value, err
	}))
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, http.StatusOK, map[string]any{"version": version, "record": out})
}

// Device is a device's record.
type Device struct {
	ID      key.DeviceID   `json:"id"`
	Key     key.Public     `json:"key"`
	SealKey string         `json:"seal_key"` // hex, X25519
	Vendor  key.AccountID  `json:"vendor"`
	Model   string         `json:"model"`
	Epoch   uint64         `json:"epoch"`
	Owner   *key.AccountID `json:"owner"` // null: unowned
	Lost    bool           `json:"lost"`
}

func (s *Server) device(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, err := key.ParseDeviceID(r.PathValue("id"))
	if err != nil {
		s.fail(w, errID)
		return
	}
	s.read(w, r, func(v state.View) (any, error) {
		d, err := state.GetDevice(v, id)
		return Device{id, d.Key, hex.EncodeToString(d.SealKey[:]), d.Vendor, d.Model, d.Epoch, d.Owner, d.Lost}, err
	})
}

// Account is an account's record.
type Account struct {
	ID         key.AccountID `json:"id"`
	Root       key.Public    `json:"root"`
	KeyVersion uint64        `json:"key_version"`
	Threshold  uint8         `json:"threshold"`
	Keys       []AccountKey  `json:"keys"`
	Sequence   uint64        `json:"sequence"`
	Frozen     bool          `json:"frozen"`
	Guardians  *Guardians    `json:"guardians"` // null: nobody can recover the account
	Recovery   *Recovery     `json:"recovery"`  // null: none is open
}

// Guardians are who can recover an account together.
type Guardians struct {
	Keys      []key.Public `json:"keys"`
	Threshold uint8        `json:"threshold"`
	Delay     uint64       `json:"delay"` // seconds until a recovery can be finished
}

// Recovery is an open recovery of an account.
type Recovery struct {
	Version uint64 `json:"version"` // of the keys that it is to make
	Due     uint64 `json:"due"`     // Unix seconds: finished from then on, cancelled until then
}

// AccountKey is a key of an account.
type AccountKey struct {
	ID     key.KeyID  `json:"id"`
	Key    key.Public `json:"key"`
	Admin  bool       `json:"admin"`
	Invoke bool       `json:"invoke"`
}

func (s *Server) account(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, err := key.ParseAccountID(r.PathValue("id"))
	if err != nil {
		s.fail(w, errID)
		return
	}
	s.read(w, r, func(v state.View) (any, error) {
		a, err := state.GetAccount(v, id)
		out := Account{ID: id, Root: a.Root, KeyVersion: a.KeySet.Version, Threshold: a.KeySet.Threshold, Sequence: a.Sequence, Frozen: a.Frozen}
		for _, k := range a.KeySet.Keys {
			out.Keys = append(out.Keys, AccountKey{k.Key.ID(), k.Key, k.Rights&tx.RightAdmin != 0, k.Rights&tx.RightInvoke != 0})
		}
		if g := a.KeySet.Guardians; g != nil {
			out.Guardians = &Guardians{g.Keys, g.Threshold, g.Delay}
		}
		if r := a.Recovery; r != nil {
			out.Recovery = &Recovery{r.Version, r.Due}
		}
		return out, err
	})
}

// Target is what a grant covers of one device.
type Target struct {
	Device   key.DeviceID `json:"device"`
	Epoch    uint64       `json:"epoch"`
	Endpoint string       `json:"endpoint"`
	Methods  []string     `json:"methods"`
}

func (s *Server) grant(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, err := tx.ParseID(r.PathValue("id"))
	if err != nil {
		s.fail(w, errID)
		return
	}
	s.read(w, r, func(v state.View) (any, error) {
		g, err := state.GetGrant(v, id)
		if err != nil {
			return nil, err
		}
		return describeGrant(id, g)
	})
}

// Committed is the answer to a transaction that was executed.
type Committed struct {
	Height int64  `json:"height"`
	Block  string `json:"block"` // hex hash of the header
}

// submit takes the bytes of one signed transaction.
func (s *Server) submit(w http.ResponseWriter, r *http.Request, raw []byte) {
	ctx, cancel := context.WithTimeout(r.Context(), submitTimeout)
	defer cancel()
	out, err := s.ledger.Submit(ctx, raw)
	switch {
	case err != nil:
		s.fail(w, err)
	case out.Code != 0:
		s.fail(w, refused(out.Code, out.Log))
	default:
		s.answer(w, http.StatusOK, Committed{Height: out.Height, Block: hex.EncodeToString(out.Hash)})
	}
}
