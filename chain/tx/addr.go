package tx

import (
	"strconv"
	"strings"
)

// ValidAddr reports whether s is an address that may stand on the ledger: a
// multiaddr of the form
//
//	/HOST/tcp/PORT[/p2p/RELAY/p2p-circuit]/p2p/ID
//
// where HOST is ip4, ip6, dns4 or dns6 with its value and ID names an Ed25519
// key. One form for each place, and nothing that this code does not know: what
// stands on the ledger is dialled by every language.
func ValidAddr(s string) bool {
	if len(s) > MaxAddr {
		return false
	}
	p := strings.Split(s, "/")
	if len(p) != 7 && len(p) != 10 || p[0] != "" || !validHost(p[1], p[2]) || p[3] != "tcp" || !validPort(p[4]) {
		return false
	}
	for i := 5; i < len(p); i += 3 {
		if p[i] != "p2p" || !validPeer(p[i+1]) || i+2 < len(p) && p[i+2] != "p2p-circuit" {
			return false
		}
	}
	return true
}

// validHost demands the one form of an address: no leading zeros, no zone, and
// no IPv4 address in the clothes of an IPv6 one.
func validHost(proto, value string) bool {
	switch proto {
	case "ip4":
		return validIP4(value)
	case "ip6":
		return validIP6(value)
	case "dns4", "dns6":
		return validDNS(value)
	}
	return false
}

func validIP4(s string) bool {
	p := strings.Split(s, ".")
	for _, octet := range p {
		if n, err := strconv.ParseUint(octet, 10, 8); err != nil || strconv.FormatUint(n, 10) != octet {
			return false
		}
	}
	return len(p) == 4
}

// validIP6 reads the eight groups and compares with the form of RFC 5952
// section 4. Package net does so too, but floor 0 does without it.
func validIP6(s string) bool {
	left, right, short := strings.Cut(s, "::")
	var g []uint64
	for i, side := range []string{left, right} {
		if i == 1 && short {
			n := 8 - len(g) - len(strings.Split(right, ":"))
			if right == "" {
				n++
			}
			for range n {
				g = append(g, 0)
			}
		}
		if side == "" {
			continue
		}
		for text := range strings.SplitSeq(side, ":") {
			n, err := strconv.ParseUint(text, 16, 16)
			if err != nil {
				return false
			}
			g = append(g, n)
		}
	}
	if len(g) != 8 || g[0]|g[1]|g[2]|g[3]|g[4] == 0 && g[5] == 0xffff {
		return false
	}
	return formatIP6(g) == s
}

// formatIP6 shortens the first of the longest runs of two zeros and more.
func formatIP6(g []uint64) string {
	from, most := 0, 1
	for i := range g {
		n := 0
		for i+n < len(g) && g[i+n] == 0 {
			n++
		}
		if n > most {
			from, most = i, n
		}
	}
	text := func(g []uint64) string {
		out := make([]string, len(g))
		for i, n := range g {
			out[i] = strconv.FormatUint(n, 16)
		}
		return strings.Join(out, ":")
	}
	if most == 1 {
		return text(g)
	}
	return text(g[:from]) + "::" + text(g[from+most:])
}

// validDNS allows labels of a-z, 0-9 and inner '-' (RFC 1123 section 2.1), in
// small letters.
func validDNS(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}

// validPeer looks at the letters of a peer id only; whoever dials it decodes
// it. An Ed25519 key's begins in this way and has 52 letters (the libp2p peer
// id specification).
func validPeer(s string) bool {
	const letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	if len(s) != 52 || !strings.HasPrefix(s, "12D3KooW") {
		return false
	}
	for i := range len(s) {
		if strings.IndexByte(letters, s[i]) < 0 {
			return false
		}
	}
	return true
}
