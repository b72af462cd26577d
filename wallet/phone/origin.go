package phone

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origin is a web address on which a passkey can live.
type Origin struct {
	text string
	host string
}

// String is the origin as browsers write it: scheme, host, and a port that is
// not the scheme's own.
func (o Origin) String() string { return o.text }

// RPID is the relying party's id of passkeys made there: the host.
func (o Origin) RPID() string { return o.host }

// ParseOrigin reads the address of the phone's page. Browsers make passkeys for
// names only, and only over https, or over http on the machine itself under the
// name localhost; what a phone cannot use is refused here, with the reason.
func ParseOrigin(text string) (Origin, error) {
	if len(text) > maxOrigin {
		return Origin{}, refuse(BadOrigin, "longer than %d characters", maxOrigin)
	}
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || u.Host == "" || u.Opaque != "" {
		return Origin{}, refuse(BadOrigin, "%.80q is no web address: want https://NAME or http://localhost:PORT", text)
	}
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#") {
		return Origin{}, refuse(BadOrigin, "%.80q has more than scheme, name and port", text)
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if err := checkHost(host); err != nil {
		return Origin{}, err
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && host == "localhost":
	case u.Scheme == "http":
		return Origin{}, refuse(BadOrigin, "browsers make no passkey over plain http, but on http://localhost: %s needs https", host)
	default:
		return Origin{}, refuse(BadOrigin, "the scheme %.20q is neither https nor http", u.Scheme)
	}
	if strings.HasSuffix(u.Host, ":") {
		return Origin{}, refuse(BadOrigin, "%.80q has an empty port", text)
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return Origin{}, refuse(BadOrigin, "%.20q is no port", port)
		}
		if n == 443 && u.Scheme == "https" || n == 80 && u.Scheme == "http" {
			port = ""
		} else {
			port = ":" + port
		}
	}
	return Origin{text: u.Scheme + "://" + host + port, host: host}, nil
}

// checkHost wants a domain name of letters, digits and hyphens.
func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return refuse(BadOrigin, "%s is an IP address, and browsers make passkeys for names only: use a name, or localhost on the same machine", host)
	}
	labels := strings.Split(host, ".")
	if last := labels[len(labels)-1]; last != "" && last[0] <= '9' && last[0] >= '0' {
		return refuse(BadOrigin, "%.80q looks like an IP address, and browsers make passkeys for names only", host)
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return refuse(BadOrigin, "%.80q is no domain name", host)
		}
	}
	return nil
}
