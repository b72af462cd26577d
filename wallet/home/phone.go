package home

import (
	"context"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/wallet/phone"
)

// Phone is a phone's key that this wallet has added, with what the phone called
// itself. Nothing follows from the name.
type Phone struct {
	ID    key.KeyID `json:"id"`
	Label string    `json:"label"`
}

// Phones lists the phones that were added here, oldest first. Which of them
// still hold is for the ledger to say.
func (h *Home) Phones() ([]Phone, error) {
	list, err := load[[]Phone](h, phoneFile)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if err := p.validate(); err != nil {
			return nil, refuse(BadFile, "%s: %v", h.file(phoneFile), err)
		}
	}
	return list, nil
}

// PutPhone remembers a phone; the oldest makes room if there are too many.
func (h *Home) PutPhone(ctx context.Context, p Phone) error {
	if err := p.validate(); err != nil {
		return err
	}
	return update(ctx, h, phoneFile, func(list *[]Phone) error {
		for i := range *list {
			if (*list)[i].ID == p.ID {
				(*list)[i] = p
				return nil
			}
		}
		*list = append(*list, p)
		*list = (*list)[max(0, len(*list)-MaxPhones):]
		return nil
	})
}

func (p Phone) validate() error {
	if p.ID == (key.KeyID{}) || !phone.Printable(p.Label, phone.MaxLabel) {
		return refuse(BadValue, "a phone needs a key id, and a label of at most %d printable bytes", phone.MaxLabel)
	}
	return nil
}
