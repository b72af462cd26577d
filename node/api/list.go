package api

import (
	"net/http"

	"github.com/hybridos-net/hybridos/chain/key"
)

// ListedDevice is a device in an account's list, and whether this node reaches
// it.
type ListedDevice struct {
	OwnedDevice
	Online bool `json:"online"`
}

// DeviceList is the devices of an account.
type DeviceList struct {
	Devices []ListedDevice `json:"devices"` // sorted by id
	Version int64          `json:"version"`
	More    bool           `json:"more,omitempty"` // there are more than fit
}

func (s *Server) accountDevices(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, err := key.ParseAccountID(r.PathValue("id"))
	if err != nil {
		s.fail(w, errID)
		return
	}
	devices, head := s.index.DevicesOf(id)
	out := DeviceList{Devices: []ListedDevice{}, Version: head.Height, More: len(devices) > maxListed}
	for _, d := range devices[:min(len(devices), maxListed)] {
		out.Devices = append(out.Devices, ListedDevice{d, s.devices.Online(d.ID)})
	}
	s.answer(w, http.StatusOK, out)
}

// GrantList is the grants whose grantee is a key.
type GrantList struct {
	Grants  []GrantRef `json:"grants"` // sorted by id
	Version int64      `json:"version"`
	More    bool       `json:"more,omitempty"` // there are more than fit
}

func (s *Server) keyGrants(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, err := key.ParseKeyID(r.PathValue("id"))
	if err != nil {
		s.fail(w, errID)
		return
	}
	grants, head := s.index.GrantsTo(id)
	out := GrantList{Grants: []GrantRef{}, Version: head.Height, More: len(grants) > maxListed}
	out.Grants = append(out.Grants, fewer(grants, maxListed)...)
	s.answer(w, http.StatusOK, out)
}

// fewer keeps at most n grants. Anybody may give a key grants that it never
// asked for; revoked ones go first, so that they do not hide what is in force.
func fewer(grants []GrantRef, n int) []GrantRef {
	over := len(grants) - n
	if over <= 0 {
		return grants
	}
	kept := make([]GrantRef, 0, n)
	for _, g := range grants {
		if over > 0 && g.Status != "active" {
			over--
			continue
		}
		kept = append(kept, g)
	}
	return kept[:n]
}
