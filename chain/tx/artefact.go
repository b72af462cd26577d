package tx

import (
	"fmt"
	"strings"
)

// Artefact is the file of a release.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Artefact struct {
	SHA256 [32]byte `cbor:"1,keyasint"`
	Size   uint64   `cbor:"2,keyasint"`           // bytes
	URLs   []string `cbor:"3,keyasint,omitempty"` // where it may be had; hints, since the hash decides
}

func (a Artefact) validate() error {
	if a.SHA256 == [32]byte{} || a.Size == 0 || a.Size > MaxArtefact {
		return malformed("no hash, no size or one of more than 16 GiB")
	}
	if len(a.URLs) > MaxURLs {
		return malformed(fmt.Sprintf("%d addresses, at most %d", len(a.URLs), MaxURLs))
	}
	for i, u := range a.URLs {
		if !validURL(u) {
			return malformed(fmt.Sprintf("address %q is not https:// and printable ASCII without spaces", u))
		}
		if i > 0 && a.URLs[i-1] >= u {
			return malformed("addresses repeated or out of order")
		}
	}
	return nil
}

// validURL looks at the form only: an address is shown and tried, never
// matched.
func validURL(u string) bool {
	host, ok := strings.CutPrefix(u, "https://")
	if !ok || host == "" || host[0] == '/' || len(u) > MaxURL {
		return false
	}
	for i := range len(u) {
		if u[i] <= ' ' || u[i] > '~' {
			return false
		}
	}
	return true
}
