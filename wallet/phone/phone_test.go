package phone

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"http://localhost:80": "http://localhost", "https://Home.Example:443/": "https://home.example", "http://localhost:8080": "http://localhost:8080",
	} {
		o, err := ParseOrigin(text)
		if err != nil || o.String() != want {
			t.Errorf("%q gives %q, %v", text, o, err)
		}
	}
	// What is taken here, a key may be bound to.
	for _, text := range goodOrigins {
		p := newSoftPhone(t, "any", text)
		if err := p.Public().Validate(); err != nil {
			t.Errorf("%s: no key can have it: %v", text, err)
		}
	}
	for _, b := range badOrigins {
		if o, err := ParseOrigin(b.text); !errors.Is(err, BadOrigin) || !strings.Contains(err.Error(), b.why) {
			t.Errorf("%q gives %q, %v; want a reason with %q", b.text, o, err, b.why)
		}
	}
}

func TestParseLink_Refuses(t *testing.T) {
	s, err := NewSecret(bytes.NewReader(make([]byte, SecretSize)))
	if err != nil {
		t.Fatal(err)
	}
	good := s.Link(mustOrigin(t, "https://home.example"))
	if _, again, err := ParseLink(good); err != nil || again.Box().ID() != s.Box().ID() {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		kind ErrorKind
	}{
		"empty":            {"", BadLink},
		"no mark":          {"https://home.example/", BadLink},
		"cut off":          {good[:len(good)-1], BadLink},
		"longer":           {good + "A", BadLink},
		"stray bits":       {good[:len(good)-1] + "B", BadLink},
		"padding":          {good + "==", BadLink},
		"bad character":    {good[:len(good)-1] + "!", BadLink},
		"very long":        {good + strings.Repeat("A", maxLink), BadLink},
		"address":          {strings.Replace(good, "home.example", "192.0.2.1", 1), BadOrigin},
		"plain http":       {strings.Replace(good, "https", "http", 1), BadOrigin},
		"something before": {"x" + good, BadOrigin},
	} {
		if _, _, err := ParseLink(c.text); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	f.Add("https://home.example/#phone=AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("http://localhost:8080/#phone=AAAAAAAAAAAAAAAAAAAAAA")
	for _, b := range badOrigins {
		f.Add(b.text + "/#phone=AAAAAAAAAAAAAAAAAAAAAA")
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, s, err := ParseLink(text)
		if err != nil {
			return
		}
		again, secret, err := ParseLink(s.Link(o))
		if err != nil || again != o || !bytes.Equal(secret.b[:], s.b[:]) {
			t.Fatalf("%q came back as %q, %v", text, s.Link(o), err)
		}
	})
}

func TestSecret_NeverPrints(t *testing.T) {
	s, err := NewSecret(strings.NewReader("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(format, s); strings.Contains(got, "0123") || strings.Contains(got, "3031") || strings.Contains(got, "48 49") {
			t.Errorf("%s prints %q", format, got)
		}
	}
}

func TestKinds_Print(t *testing.T) {
	seen := make(map[ErrorKind]bool)
	for _, k := range Kinds() {
		err := refuse(k, "why")
		if seen[k] || !errors.Is(err, k) || err.Error() != string(k)+": why" {
			t.Errorf("%q prints %q", k, err)
		}
		seen[k] = true
	}
}
