// Package browser drives a real Chromium of the size of a phone, with a virtual
// authenticator in place of the phone's fingerprint sensor, as a person would
// use the phone page: by what is on the screen.
//
// It is no part of the system and knows no key: the passkey never leaves the
// browser. Callers use Find and Start.
//
// What must never change: everything goes through the page that a node really
// serves, and the browser ends with Close.
package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// ErrNone: there is no Chromium on this machine.
var ErrNone = errors.New("no Chromium found (Debian's package chromium has it)")

// names are those under which distributions install it.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// Find gives the path of a Chromium; ErrNone if there is none.
func Find() (string, error) {
	for _, n := range names {
		if p, err := exec.LookPath(n); err == nil {
			return p, nil
		}
	}
	return "", ErrNone
}

// The screen: that of a common phone, in CSS pixels.
const (
	screenWidth  = 390
	screenHeight = 844
	screenScale  = 2
)

// pollTime is how often the screen is looked at.
const pollTime = 20 * time.Millisecond

// Browser is a running Chromium with one page. Its methods must not be called
// concurrently.
type Browser struct {
	ctx           context.Context
	end, stop     context.CancelFunc
	authenticator webauthn.AuthenticatorID
	said          *console
}

// Start starts a Chromium with an empty profile and an authenticator that
// verifies its user.
func Start(ctx context.Context, path string) (*Browser, error) {
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.NoSandbox) // its sandbox refuses to run as root
	}
	b := new(Browser)
	// The browser outlives the step in which it is started; Close ends it.
	ctx, b.stop = chromedp.NewExecAllocator(context.WithoutCancel(ctx), opts...)
	b.ctx, b.end = chromedp.NewContext(ctx)
	if err := b.setUp(); err != nil {
		b.Close()
		return nil, fmt.Errorf("start the browser: %w", err)
	}
	return b, nil
}

func (b *Browser) setUp() error {
	b.said = listen(b.ctx)
	err := chromedp.Do(b.ctx, chromedp.EmulateViewport(screenWidth, screenHeight,
		chromedp.EmulateScale(screenScale), chromedp.EmulateMobile, chromedp.EmulateTouch))
	if err != nil {
		return err
	}
	if _, err := chromedp.Call(b.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		return err
	}
	made, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		},
	})
	b.authenticator = made.AuthenticatorID
	return err
}

// Close ends the browser and removes its profile.
func (b *Browser) Close() {
	_ = chromedp.Cancel(b.ctx) // waits for the process, which may have gone by itself
	b.end()
	b.stop()
}

// Said is what the page wrote to its console, errors among it.
func (b *Browser) Said() string { return b.said.String() }

// Visit opens a page, and loads it anew if it is open already.
func (b *Browser) Visit(ctx context.Context, link string) error {
	ctx, done := b.within(ctx)
	defer done()
	// A change of the fragment alone would load nothing.
	return chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(link))
}

// find looks for an element also in the trees of other elements, as an eye
// does. "host >>> part" is a part of an element.
const find = `((selector) => {
	const [host, part] = selector.split(' >>> ');
	if (part) selector = host;
	const look = (root) => {
		const hit = root.querySelector(selector);
		if (hit) return hit;
		for (const e of root.querySelectorAll('*')) {
			const deep = e.shadowRoot && look(e.shadowRoot);
			if (deep) return deep;
		}
		return null;
	};
	let e = look(document);
	if (e && part) e = e.shadowRoot?.querySelector('[part~=' + part + ']');
	return e && e.checkVisibility() ? e : null;
})`

// Await waits until an element can be seen and its text holds some words (none:
// any text), and gives the text.
func (b *Browser) Await(ctx context.Context, selector, words string) (string, error) {
	var text string
	err := b.poll(ctx, fmt.Sprintf(`((e) => e && (e.innerText || ' '))(%s(%s))`, find, quote(selector)), func(got string) bool {
		text = strings.TrimSpace(got)
		return got != "" && strings.Contains(got, words)
	})
	if err != nil {
		return "", fmt.Errorf("%s %q is not on the screen: %w\nthe page shows: %s", selector, words, err, b.Screen())
	}
	return text, nil
}

// Attribute waits until an element's attribute has one of some values, and
// gives it.
func (b *Browser) Attribute(ctx context.Context, selector, name string, values ...string) (string, error) {
	var value string
	err := b.poll(ctx, fmt.Sprintf(`((e) => e && e.getAttribute(%s))(%s(%s))`, quote(name), find, quote(selector)), func(got string) bool {
		value = got
		return slices.Contains(values, got)
	})
	if err != nil {
		return "", fmt.Errorf("%s of %s is %q, not one of %q: %w\nthe page shows: %s", name, selector, value, values, err, b.Screen())
	}
	return value, nil
}

// Press waits until a button can be pressed and presses it.
func (b *Browser) Press(ctx context.Context, selector string) error {
	err := b.poll(ctx, fmt.Sprintf(`((e) => e && !e.disabled && (e.click(), 'pressed'))(%s(%s))`, find, quote(selector)),
		func(got string) bool { return got != "" })
	if err != nil {
		return fmt.Errorf("%s cannot be pressed: %w\nthe page shows: %s", selector, err, b.Screen())
	}
	return nil
}

// poll evaluates an expression until its text is as wanted. What is no text
// counts as none.
func (b *Browser) poll(ctx context.Context, expression string, ok func(string) bool) error {
	for {
		var got string
		err := b.Script(ctx, "String("+expression+" || '')", &got)
		if err == nil && ok(got) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(pollTime):
		}
	}
}

// Script runs an expression in the page, as the page's own code might, and
// waits for its promise. The value is decoded into what into points to.
func (b *Browser) Script(ctx context.Context, expression string, into any) error {
	ctx, done := b.within(ctx)
	defer done()
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](expression, chromedp.EvalAwaitPromise, chromedp.EvalAsValue))
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// Screen is the text on the screen and what the page said, for people.
func (b *Browser) Screen() string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var text string
	if err := b.Script(ctx, `document.body ? document.body.innerText : ''`, &text); err != nil {
		text = err.Error()
	}
	return text + "\n" + b.Said()
}

// Shot is a picture of the screen, PNG.
func (b *Browser) Shot(ctx context.Context) ([]byte, error) {
	ctx, done := b.within(ctx)
	defer done()
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}

// SetVerified says whether the authenticator recognises its user from now on.
func (b *Browser) SetVerified(ctx context.Context, yes bool) error {
	ctx, done := b.within(ctx)
	defer done()
	_, err := chromedp.Call(ctx, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: b.authenticator, IsUserVerified: yes})
	return err
}

// within is the browser's context, which also ends with ctx.
func (b *Browser) within(ctx context.Context) (context.Context, context.CancelFunc) {
	page, cancel := context.WithCancelCause(b.ctx)
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return page, func() { stop(); cancel(nil) }
}

// quote makes a JavaScript literal.
func quote(s string) string {
	b, _ := json.Marshal(s) // a string always can be
	return string(b)
}
