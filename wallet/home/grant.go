package home

import (
	"context"
	"slices"
	"strings"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Grant is a grant that this wallet gave. The ledger has the truth; this is
// what to ask it about.
type Grant struct {
	ID        tx.ID        `json:"id"`
	Device    key.DeviceID `json:"device"`
	Grantee   key.Public   `json:"grantee"`
	Name      string       `json:"name"` // who that is, for people; may be empty
	Methods   []string     `json:"methods"`
	NotBefore uint64       `json:"not_before"` // Unix seconds
	NotAfter  uint64       `json:"not_after"`  // Unix seconds
	Revoked   bool         `json:"revoked"`
	Limits
}

// Limits is what narrows a grant, in words that people use.
type Limits struct {
	Windows string `json:"windows,omitempty"` // "mon-fri 08:00-18:00 Europe/Berlin"
	Uses    uint64 `json:"uses,omitempty"`    // 0: any number
	Rate    string `json:"rate,omitempty"`    // "5/1h"
	Depth   uint8  `json:"depth,omitempty"`   // how often it may be given on
	Private bool   `json:"private,omitempty"` // the ledger does not know who and how
	Parent  *tx.ID `json:"parent,omitempty"`  // which it was given on from
}

// Grants lists the grants given, oldest first.
func (h *Home) Grants() ([]Grant, error) { return load[[]Grant](h, grantFile) }

// PutGrant remembers a grant given, or what is new about one.
func (h *Home) PutGrant(ctx context.Context, g Grant) error {
	if g.ID.IsZero() || (g.Name != "" && !ValidName(g.Name)) {
		return refuse(BadValue, "a grant needs an id, and a name of a-z, 0-9, '-' and '_' if any")
	}
	return update(ctx, h, grantFile, func(list *[]Grant) error {
		return put(list, g, func(o Grant) bool { return o.ID == g.ID })
	})
}

// FindGrant gives the id of the grant, given or received, that begins with
// text. A whole id needs no entry.
func (h *Home) FindGrant(text string) (tx.ID, error) {
	if id, err := tx.ParseID(text); err == nil {
		return id, nil
	}
	given, err := h.Grants()
	if err != nil {
		return tx.ID{}, err
	}
	got, err := h.Invites()
	if err != nil {
		return tx.ID{}, err
	}
	var ids []tx.ID
	for _, g := range given {
		ids = append(ids, g.ID)
	}
	for _, i := range got {
		ids = append(ids, i.ID)
	}
	var fit []tx.ID
	for _, id := range ids {
		if len(text) >= minGrantText && strings.HasPrefix(id.String(), text) && !slices.Contains(fit, id) {
			fit = append(fit, id)
		}
	}
	if len(fit) == 1 {
		return fit[0], nil
	}
	return tx.ID{}, refuse(NoGrant, "%.80q fits %d grants", text, len(fit))
}

const minGrantText = 6

// Invite is an invitation that this wallet accepted, in its text form.
type Invite struct {
	ID   tx.ID  `json:"id"`
	Text string `json:"text"`
}

// Invites lists the accepted invitations, oldest first.
func (h *Home) Invites() ([]Invite, error) { return load[[]Invite](h, inviteFile) }

// PutInvite remembers an accepted invitation.
func (h *Home) PutInvite(ctx context.Context, i Invite) error {
	if i.ID.IsZero() || i.Text == "" || len(i.Text) > MaxInvite {
		return refuse(BadValue, "an invitation needs an id and a text of at most %d characters", MaxInvite)
	}
	return update(ctx, h, inviteFile, func(list *[]Invite) error {
		return put(list, i, func(o Invite) bool { return o.ID == i.ID })
	})
}

func put[T any](list *[]T, entry T, same func(T) bool) error {
	if i := slices.IndexFunc(*list, same); i >= 0 {
		(*list)[i] = entry
		return nil
	}
	if len(*list) >= MaxGrants {
		return refuse(Full, "%d entries", len(*list))
	}
	*list = append(*list, entry)
	return nil
}
