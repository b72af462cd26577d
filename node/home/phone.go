package home

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// SettingError is a value of the configuration that cannot be, with what to do.
type SettingError struct {
	Name    string // as in config.toml
	Problem string
	Try     string
}

// Error gives name and problem.
func (e *SettingError) Error() string { return e.Name + ": " + e.Problem }

func (c Config) checkPhone() error {
	if len(c.PhoneHosts) > maxHosts {
		return &SettingError{"phone_hosts", fmt.Sprintf("more than %d names", maxHosts), "keep the names that phones use"}
	}
	for _, h := range c.PhoneHosts {
		if err := checkHost(h); err != nil {
			return &SettingError{"phone_hosts", fmt.Sprintf("%q %v", h, err), "--phone-host door.example.org"}
		}
	}
	switch {
	case c.PhoneCert != "" && c.PhoneKey == "":
		return &SettingError{"phone_tls_cert", "the certificate has no key", "--phone-tls-key FILE, or leave both out"}
	case c.PhoneKey != "" && c.PhoneCert == "":
		return &SettingError{"phone_tls_key", "the key has no certificate", "--phone-tls-cert FILE, or leave both out"}
	case c.Phone == "":
		return nil
	}
	if err := checkAddr(c.Phone, false); err != nil {
		return &SettingError{"phone_listen", err.Error(), "--phone-listen 127.0.0.1:8080"}
	}
	if checkAddr(c.Phone, true) != nil && len(c.PhoneHosts) == 0 {
		return &SettingError{
			"phone_listen", fmt.Sprintf("%q is open to other machines, and no name is given under which phones reach it", c.Phone),
			"--phone-host door.example.org, or listen on 127.0.0.1",
		}
	}
	return nil
}

// checkHost demands a lower-case domain name, as the relying party of a passkey
// must be one.
func checkHost(name string) error {
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return errors.New("is an IP address, and browsers make passkeys only for names")
	}
	if name == "" || len(name) > maxHost {
		return fmt.Errorf("is not a name of 1 to %d characters", maxHost)
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return errors.New("is not a domain name in lower case, without port")
		}
	}
	// A browser takes a name whose last label is a number for an IPv4 address.
	last, hex := strings.CutPrefix(labels[len(labels)-1], "0x")
	if strings.Trim(last, "0123456789") == "" || hex && strings.Trim(last, "0123456789abcdef") == "" {
		return errors.New("is an IP address, and browsers make passkeys only for names")
	}
	return nil
}

// PhoneOrigin is the origin under which phones reach a page that listens on
// addr, which is host:port with the real port. It bears a name, since browsers
// make no passkeys for IP addresses. Where there is a name but no certificate, a
// proxy that speaks TLS stands in front, on its usual port.
func (c Config) PhoneOrigin(addr string) string {
	host := "localhost"
	if len(c.PhoneHosts) > 0 {
		host = c.PhoneHosts[0]
	}
	scheme, usual := "http", "80"
	switch {
	case c.PhoneCert != "":
		scheme, usual = "https", "443"
	case host != "localhost" && !strings.HasSuffix(host, ".localhost"):
		return "https://" + host
	}
	if _, port, err := net.SplitHostPort(addr); err == nil && port != usual {
		host = net.JoinHostPort(host, port)
	}
	return scheme + "://" + host
}
