package home

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
)

func TestConfig_PhoneRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		names  string // the setting
		tells  string
	}{
		"no port":           {func(c *Config) { c.Phone = "127.0.0.1" }, "phone_listen", "host:port"},
		"no host":           {func(c *Config) { c.Phone = ":8080" }, "phone_listen", "host:port"},
		"open, no name":     {func(c *Config) { c.Phone = "0.0.0.0:443" }, "phone_listen", "no name"},
		"address, no name":  {func(c *Config) { c.Phone = "192.0.2.1:443" }, "phone_listen", "no name"},
		"machine, no name":  {func(c *Config) { c.Phone = "door.example:443" }, "phone_listen", "no name"},
		"IPv4":              {func(c *Config) { c.PhoneHosts = []string{"192.0.2.1"} }, "phone_hosts", "only for names"},
		"short IPv4":        {func(c *Config) { c.PhoneHosts = []string{"192.513"} }, "phone_hosts", "only for names"},
		"number":            {func(c *Config) { c.PhoneHosts = []string{"3221225985"} }, "phone_hosts", "only for names"},
		"hexadecimal":       {func(c *Config) { c.PhoneHosts = []string{"192.0x1f"} }, "phone_hosts", "only for names"},
		"IPv6":              {func(c *Config) { c.PhoneHosts = []string{"2001:db8::1"} }, "phone_hosts", "only for names"},
		"IPv6 in brackets":  {func(c *Config) { c.PhoneHosts = []string{"[::1]"} }, "phone_hosts", "only for names"},
		"empty":             {func(c *Config) { c.PhoneHosts = []string{""} }, "phone_hosts", "1 to 128"},
		"long":              {func(c *Config) { c.PhoneHosts = []string{strings.Repeat("a.", 64) + "b"} }, "phone_hosts", "1 to 128"},
		"long label":        {func(c *Config) { c.PhoneHosts = []string{strings.Repeat("a", 64) + ".b"} }, "phone_hosts", "domain name"},
		"with port":         {func(c *Config) { c.PhoneHosts = []string{"door.example:443"} }, "phone_hosts", "without port"},
		"with scheme":       {func(c *Config) { c.PhoneHosts = []string{"https://door.example"} }, "phone_hosts", "domain name"},
		"capital":           {func(c *Config) { c.PhoneHosts = []string{"Door.example"} }, "phone_hosts", "lower case"},
		"dot at the end":    {func(c *Config) { c.PhoneHosts = []string{"door.example."} }, "phone_hosts", "domain name"},
		"dash":              {func(c *Config) { c.PhoneHosts = []string{"-door.example"} }, "phone_hosts", "domain name"},
		"underscore":        {func(c *Config) { c.PhoneHosts = []string{"door_1.example"} }, "phone_hosts", "domain name"},
		"line":              {func(c *Config) { c.PhoneHosts = []string{"door\n.example"} }, "phone_hosts", "domain name"},
		"letters of others": {func(c *Config) { c.PhoneHosts = []string{"tür.example"} }, "phone_hosts", "domain name"},
		"too many":          {func(c *Config) { c.PhoneHosts = make([]string, maxHosts+1) }, "phone_hosts", "more than"},
		"no key":            {func(c *Config) { c.PhoneCert = "x" }, "phone_tls_cert", "no key"},
		"no certificate":    {func(c *Config) { c.PhoneKey = "x" }, "phone_tls_key", "no certificate"},
	} {
		cfg := Default()
		c.change(&cfg)
		err := cfg.Validate()
		var e *SettingError
		if !errors.As(err, &e) || e.Name != c.names || !strings.Contains(e.Problem, c.tells) || e.Try == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Config){
		"off":              func(*Config) {},
		"here":             func(c *Config) { c.Phone = "127.0.0.1:0" },
		"here by name":     func(c *Config) { c.Phone = "localhost:8080" },
		"here, IPv6":       func(c *Config) { c.Phone = "[::1]:8080" },
		"open":             func(c *Config) { c.Phone, c.PhoneHosts = "0.0.0.0:443", []string{"door.example", "1.door-2.example"} },
		"with certificate": func(c *Config) { c.Phone, c.PhoneCert, c.PhoneKey = "127.0.0.1:443", "a", "b" },
		"off for now":      func(c *Config) { c.PhoneHosts = []string{"door.example"} },
	} {
		cfg := Default()
		change(&cfg)
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfig_PhoneOrigin(t *testing.T) {
	for _, c := range []struct {
		hosts      []string
		cert       bool
		addr, want string
	}{
		{nil, false, "127.0.0.1:8080", "http://localhost:8080"},
		{nil, false, "[::1]:80", "http://localhost"},
		{nil, true, "127.0.0.1:8443", "https://localhost:8443"},
		{[]string{"localhost"}, false, "127.0.0.1:8080", "http://localhost:8080"},
		{[]string{"door.localhost"}, false, "127.0.0.1:8080", "http://door.localhost:8080"},
		{[]string{"door.example", "b.example"}, true, "0.0.0.0:443", "https://door.example"},
		{[]string{"door.example"}, true, "0.0.0.0:8443", "https://door.example:8443"},
		{[]string{"door.example"}, true, "0.0.0.0:80", "https://door.example:80"},
		{[]string{"door.example"}, false, "10.0.0.1:8080", "https://door.example"},
	} {
		cfg := Config{PhoneHosts: c.hosts}
		if c.cert {
			cfg.PhoneCert, cfg.PhoneKey = "a", "b"
		}
		if got := cfg.PhoneOrigin(c.addr); got != c.want {
			t.Errorf("%v, %v: %s, want %s", c.hosts, c.addr, got, c.want)
		}
	}
}

// What is accepted as a host is the whole host of an origin, as a browser and a
// certificate read it, and no address.
func FuzzCheckHost(f *testing.F) {
	for _, s := range []string{"door.example", "localhost", "1.2.3.4", "::1", "a..b", "a@b", "x/y", "xn--tr-xka.example", "0x7f.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkHost(s) != nil {
			return
		}
		u, err := url.Parse("https://" + s + ":8443/")
		if err != nil || u.Hostname() != s || u.Port() != "8443" || u.User != nil || net.ParseIP(s) != nil {
			t.Errorf("%q: %v, %v", s, u, err)
		}
	})
}
