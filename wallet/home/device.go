package home

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hybridos-net/hybridos/chain/key"
)

// Device is a device that the wallet knows.
type Device struct {
	Name  string       `json:"name"` // unique in this wallet; a-z, 0-9, '-', '_'
	ID    key.DeviceID `json:"id"`
	Key   key.Public   `json:"key"` // its receipts are checked against this, pinned at pairing
	Model string       `json:"model"`
	Addrs []string     `json:"addrs"`
	Epoch uint64       `json:"epoch"`
	Guest bool         `json:"guest"` // known from an invitation, not owned
}

// Devices lists the known devices in the order of their names.
func (h *Home) Devices() ([]Device, error) {
	list, err := load[[]Device](h, deviceFile)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if err := d.validate(); err != nil {
			return nil, refuse(BadFile, "%s: %v", h.file(deviceFile), err)
		}
	}
	slices.SortFunc(list, func(a, b Device) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// FindDevice gives the device with this name, id, or beginning of an id. An
// empty text means the only device.
func (h *Home) FindDevice(text string) (Device, error) {
	list, err := h.Devices()
	if err != nil {
		return Device{}, err
	}
	var fit []Device
	for _, d := range list {
		if text != "" && (d.Name == text || d.ID.String() == text) {
			return d, nil
		}
		if text == "" || (len(text) >= minIDText && strings.HasPrefix(d.ID.String(), text)) {
			fit = append(fit, d)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		names := make([]string, len(fit))
		for i, d := range fit {
			names[i] = d.Name
		}
		return Device{}, refuse(Ambiguous, "could be %s", strings.Join(names, ", "))
	case text == "":
		return Device{}, refuse(NoDevice, "no device is known yet")
	default:
		return Device{}, refuse(NoDevice, "%.80q", text)
	}
}

// minIDText is "hosdev1" and some: a shorter beginning is likelier a mistyped
// name.
const minIDText = 10

// PutDevice remembers a device, or what is new about one. An empty name keeps
// the old one or makes one; the entry as stored is returned.
func (h *Home) PutDevice(ctx context.Context, d Device) (Device, error) {
	err := update(ctx, h, deviceFile, func(list *[]Device) error {
		i := slices.IndexFunc(*list, func(o Device) bool { return o.ID == d.ID })
		if d.Name == "" && i >= 0 {
			d.Name = (*list)[i].Name
		}
		if d.Name == "" {
			d.Name = freeName(*list, d.Model)
		}
		if err := d.validate(); err != nil {
			return err
		}
		if slices.ContainsFunc(*list, func(o Device) bool { return o.Name == d.Name && o.ID != d.ID }) {
			return refuse(NameTaken, "%q", d.Name)
		}
		if i >= 0 {
			(*list)[i] = d
			return nil
		}
		if len(*list) >= MaxDevices {
			return refuse(Full, "%d devices", len(*list))
		}
		*list = append(*list, d)
		return nil
	})
	return d, err
}

// RemoveDevice forgets a device; NoDevice if it was not known.
func (h *Home) RemoveDevice(ctx context.Context, id key.DeviceID) error {
	return update(ctx, h, deviceFile, func(list *[]Device) error {
		n := len(*list)
		*list = slices.DeleteFunc(*list, func(o Device) bool { return o.ID == id })
		if len(*list) == n {
			return refuse(NoDevice, "%s", id)
		}
		return nil
	})
}

func (d Device) validate() error {
	if !ValidName(d.Name) {
		return refuse(BadValue, "name %.40q: want 1 to %d of a-z, 0-9, '-' and '_'", d.Name, MaxName)
	}
	if err := d.Key.Validate(); err != nil {
		return refuse(BadValue, "key of %s: %v", d.Name, err)
	}
	if d.Key.DeviceID() != d.ID {
		return refuse(BadValue, "the key of %s does not hash to its id", d.Name)
	}
	return checkAddrs(d.Addrs, MaxAddrs)
}

// ValidName reports whether s can name a device or a grant in this wallet.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// freeName makes a name of a model: "Acme Lock 2" gives acme-lock-2, and the
// next of its kind acme-lock-2-2.
func freeName(list []Device, model string) string {
	base := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		default:
			return '-'
		}
	}, model), "-")
	base = strings.Trim(base[:min(len(base), MaxName-5)], "-")
	if base == "" {
		base = "device"
	}
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		if !slices.ContainsFunc(list, func(o Device) bool { return o.Name == name }) {
			return name
		}
	}
}
