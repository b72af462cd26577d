package did

import (
	"mime"
	"strconv"
	"strings"

	"github.com/hybridos-net/hybridos/chain/did"
)

// offers are the media types that there are, the preferred one first: the whole
// result is what can be verified.
var offers = []string{did.TypeResult, did.TypeJSONLD, did.TypeJSON}

// negotiate picks a type for the Accept headers (RFC 9110, section 12.5.1), ""
// if none fits. What does not parse fits nothing.
func negotiate(accept []string) string {
	ranges := strings.Split(strings.Join(accept, ","), ",")
	if len(accept) == 0 || len(ranges) == 1 && strings.TrimSpace(ranges[0]) == "" {
		return offers[0]
	}
	if len(ranges) > maxRanges {
		return ""
	}
	best, most := "", 0.0
	for _, offer := range offers {
		if q := quality(offer, ranges); q > most {
			best, most = offer, q
		}
	}
	return best
}

// quality is how much a type is wanted: what its most specific range says.
func quality(offer string, ranges []string) float64 {
	found, q := 0, 0.0
	for _, text := range ranges {
		name, params, err := mime.ParseMediaType(text)
		if err != nil {
			continue
		}
		specific := 0
		switch name {
		case offer:
			specific = 3
		case "application/*":
			specific = 2
		case "*/*":
			specific = 1
		}
		weight, ok := weightOf(params)
		if ok && specific > found {
			found, q = specific, weight
		}
	}
	return q
}

// weightOf reads q. Our types have no other parameters.
func weightOf(params map[string]string) (float64, bool) {
	text, ok := params["q"]
	if !ok {
		return 1, len(params) == 0
	}
	q, err := strconv.ParseFloat(text, 64)
	return q, err == nil && q >= 0 && q <= 1 && len(params) == 1
}
