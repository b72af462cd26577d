package mqttbridge_test

import (
	"strings"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/hybridos-net/hybridos/mqttbridge"
	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

var versions = map[string]byte{"3.1.1": 4, "5": 5}

func TestBridge_RefusesLogins(t *testing.T) {
	r := start(t, nil)
	for name, version := range versions {
		for _, login := range [][2]string{
			{"home", "wrong horse"}, {"home", ""}, {"nobody", password}, {"", ""}, {"home/x", password}, {"HOME", password},
			{"home", strings.Repeat("x", 4<<10)},
		} {
			want := byte(0x86)
			if version == 4 {
				want = 0x05
			}
			c := r.raw(t, version)
			if code := c.login(login[0], login[1], "x"); code != want {
				t.Errorf("%s: login %q got %#x, want %#x", name, login[0], code, want)
			}
			c.closed()
		}
	}
	if err := settle(paho.NewClient(options(r, "home", "wrong horse", "x")).Connect()); err == nil {
		t.Error("paho logged in with a wrong password")
	}
	r.serves(t)
}

func TestBridge_SubscribeMatrix(t *testing.T) {
	r := start(t, nil)
	mine, foreign := r.home, r.other
	for _, row := range []struct {
		filter  string
		granted bool
	}{
		{mine.State, true}, {mine.Availability, true}, {mine.Result, true}, {mine.Discovery, true},
		{"homeassistant/#", true}, {"homeassistant/+/+/config", true}, {"hybridos/lock/+/state", true}, {"#", true}, {"+/+/+/result", true},
		{mine.Command, false}, // commands are the bridge's to read
		{foreign.State, false}, {foreign.Availability, false}, {foreign.Result, false}, {foreign.Discovery, false}, {foreign.Command, false},
		{"hybridos/lock/" + foreign.Object + "/#", false}, {"+/lock/" + foreign.Object + "/+", false},
		{"homeassistant/+/" + foreign.Object + "/config", false},
		{"$SYS/#", false}, {"$SYS/broker/version", false}, {"$share/g/" + mine.State, false}, {"$share/g/#", false},
		{topicmap.BirthTopic, false}, {"anything/else", false}, {"+", false},
	} {
		for name, version := range versions {
			c := r.raw(t, version)
			c.login("home", password, "matrix")
			want := byte(1)
			if !row.granted {
				want = map[byte]byte{4: 0x80, 5: 0x87}[version]
			}
			if got := c.subscribe(row.filter); got != want {
				t.Errorf("%s: subscribe %s got %#x, want %#x", name, row.filter, got, want)
			}
			_ = c.Close()
		}
	}
}

func TestBridge_PublishMatrix(t *testing.T) {
	r := start(t, nil)
	for _, topic := range []string{
		r.other.Command, r.other.State, r.home.State, r.home.Availability, r.home.Result, r.home.Discovery,
		"hybridos/lock/x/set", "anything", "$SYS/broker/version", "/" + r.home.Command, r.home.Command + "/",
	} {
		for name, version := range versions {
			c := r.raw(t, version)
			c.login("home", password, "matrix")
			if strings.HasPrefix(topic, "$SYS") {
				// The engine drops these without a word.
				c.send(c.publishPacket(topic, "OPEN", 0, false))
				_ = c.Close()
				continue
			}
			code, closed := c.publish(topic, "OPEN", 9, false)
			if version == 5 && (closed || code != 0x87) || version == 4 && !closed {
				t.Errorf("%s: publish %s got %#x, closed %v", name, topic, code, closed)
			}
			_ = c.Close()
		}
	}
	for _, device := range []string{homeDevice, otherDevice} {
		if n := r.doors.Lock(device).Calls("open"); n != 0 {
			t.Errorf("%s was opened %d times", device, n)
		}
	}
	r.serves(t)
}

// A wildcard is granted, but only what is the account's own comes through.
func TestBridge_WildcardsDoNotCrossAccounts(t *testing.T) {
	r := start(t, nil)
	spy := r.connect(t, options(r, "other", password, "spy"))
	spy.subscribe(t, "#")
	spy.await(t, r.other.Availability, topicmap.Online)
	r.serves(t)
	// The spy's own command comes last: all that went before has been delivered.
	spy.publish(t, r.other.Command, "LOCK", false)
	for {
		m := <-spy.got
		if strings.Contains(m.Topic(), r.home.Object) || strings.HasPrefix(m.Topic(), "$") || strings.HasSuffix(m.Topic(), "/set") {
			t.Fatalf("foreign message on %s", m.Topic())
		}
		if m.Topic() == r.other.Result {
			return
		}
	}
}

func TestBridge_RedeliveryActsOnce(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			watch := r.connect(t, options(r, "home", password, "watch"))
			watch.subscribe(t, r.home.Result)

			c := r.raw(t, version)
			c.login("home", password, "button")
			c.send(c.publishPacket(r.home.Command, "OPEN", 5, false))
			if got := watch.result(t, r.home); got.Status != mqttbridge.StatusExecuted {
				t.Fatalf("first: %+v", got)
			}
			_ = c.Close() // it never saw the acknowledgement

			again := r.raw(t, version)
			again.login("home", password, "button")
			if code, closed := again.publish(r.home.Command, "OPEN", 5, true); closed || code != 0 {
				t.Fatalf("redelivery is not acknowledged: %#x %v", code, closed)
			}
			if got := watch.result(t, r.home); got.Code != string(topicmap.CodeDuplicate) {
				t.Errorf("redelivery: %+v", got)
			}
			if n := r.doors.Lock(homeDevice).Calls("open"); n != 1 {
				t.Errorf("lock was opened %d times", n)
			}
			// A new press of the button is a new command, packet id 5 or not.
			again.publish(r.home.Command, "OPEN", 5, false)
			if got := watch.result(t, r.home); got.Status != mqttbridge.StatusExecuted {
				t.Errorf("new command: %+v", got)
			}
			// DUP of a packet that was never seen is the first that came.
			again.publish(r.home.Command, "OPEN", 6, true)
			if got := watch.result(t, r.home); got.Status != mqttbridge.StatusExecuted {
				t.Errorf("lost and sent again: %+v", got)
			}
		})
	}
}

func TestBridge_Wills(t *testing.T) {
	r := start(t, nil)
	for _, topic := range []string{r.home.Command, r.other.Command, r.home.State, "anything"} {
		for name, version := range versions {
			pk := connectPacket(version, "home", password, "will")
			pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload = true, topic, []byte("OPEN")
			c := r.raw(t, version)
			if code, want := c.loginWith(pk), map[byte]byte{4: 0x05, 5: 0x87}[version]; code != want {
				t.Errorf("%s: login with a will at %s got %#x, want %#x", name, topic, code, want)
			}
			c.closed()
		}
	}
	// Home Assistant's own will is accepted and goes nowhere.
	watch := r.connect(t, options(r, "home", password, "watch"))
	watch.subscribe(t, "#")
	pk := connectPacket(4, "home", password, "ha")
	pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload = true, topicmap.BirthTopic, []byte("offline")
	ha := r.raw(t, 4)
	if code := ha.loginWith(pk); code != 0 {
		t.Fatalf("birth will refused: %#x", code)
	}
	if _, closed := ha.publish(topicmap.BirthTopic, "online", 1, false); closed {
		t.Fatal("birth message refused")
	}
	_ = ha.Close()
	r.serves(t)
	for {
		m := <-watch.got
		if m.Topic() == topicmap.BirthTopic {
			t.Fatal("birth or will reached a client")
		}
		if m.Topic() == r.home.Result {
			break
		}
	}
	if n := r.doors.Lock(homeDevice).Calls("open") + r.doors.Lock(otherDevice).Calls("open"); n != 0 {
		t.Errorf("a will opened a door %d times", n)
	}
}

// Client ids are an account's own: the same id under two accounts is two
// sessions.
func TestBridge_SessionsBelongToAccounts(t *testing.T) {
	r := start(t, nil)
	victim := r.raw(t, 4)
	victim.login("home", password, "same")
	thief := r.raw(t, 4)
	if code := thief.login("other", password, "same"); code != 0 {
		t.Fatalf("login refused: %#x", code)
	}
	victim.send([]byte{0xC0, 0x00})
	if first, _, ok := victim.next(); !ok || first != 0xD0 {
		t.Errorf("session was taken over: %x", first)
	}
}

func TestBridge_SessionsOfAnAccountAreCapped(t *testing.T) {
	r := start(t, nil)
	id := func(i int) string { return "client" + strings.Repeat("x", i) }
	for i := range 32 {
		c := r.raw(t, 4)
		pk := connectPacket(4, "home", password, id(i))
		pk.Connect.Clean = false
		if code := c.loginWith(pk); code != 0 {
			t.Fatalf("session %d refused: %#x", i, code)
		}
		_ = c.Close()
	}
	for _, version := range versions {
		if code, want := r.raw(t, version).login("home", password, "one more"), map[byte]byte{4: 0x03, 5: 0x97}[version]; code != want {
			t.Errorf("session over the cap got %#x, want %#x", code, want)
		}
	}
	if code := r.raw(t, 4).login("home", password, id(0)); code != 0 {
		t.Errorf("an existing session was refused: %#x", code)
	}
	if code := r.raw(t, 4).login("other", password, "x"); code != 0 {
		t.Errorf("another account was refused: %#x", code)
	}
}

// At QoS 2 the command is passed on at the first sight of the packet, and not
// again however often the client repeats it before it gives it free.
func TestBridge_QoS2ActsOnce(t *testing.T) {
	r := start(t, nil)
	c := r.connect(t, options(r, "home", password, "ha"))
	c.subscribe(t, r.home.Result)
	if err := settle(c.Publish(r.home.Command, 2, false, "OPEN")); err != nil {
		t.Fatal(err)
	}
	if got := c.result(t, r.home); got.Status != mqttbridge.StatusExecuted {
		t.Errorf("paho: %+v", got)
	}
	w := r.raw(t, 4)
	w.login("home", password, "raw")
	first := w.publishPacket(r.home.Command, "OPEN", 3, false)
	first[0] = 0x34
	again := append([]byte{0x3C}, first[1:]...)
	w.send(append(first, again...))
	for range 2 {
		if head, body, ok := w.next(); !ok || head != 0x50 || len(body) < 2 {
			t.Fatalf("no PUBREC: %x %x", head, body)
		}
	}
	w.send([]byte{0x62, 2, 0, 3})
	if head, _, ok := w.next(); !ok || head != 0x70 {
		t.Fatalf("no PUBCOMP: %x", head)
	}
	if got := c.result(t, r.home); got.Status != mqttbridge.StatusExecuted {
		t.Errorf("raw: %+v", got)
	}
	r.serves(t)
	if n := r.doors.Lock(homeDevice).Calls("open"); n != 2 {
		t.Errorf("lock was opened %d times for two commands", n)
	}
}

// A client that has not acknowledged anything can still subscribe with any
// packet id: packet ids of the two directions do not meet.
func TestBridge_PacketIDsDoNotMeet(t *testing.T) {
	r := start(t, nil)
	for name, version := range versions {
		c := r.raw(t, version)
		c.login("home", password, "ids")
		for range 5 { // all with packet id 7; retained messages come each time
			if code := c.subscribe("#"); code != 1 {
				t.Fatalf("%s: subscription got %#x", name, code)
			}
		}
		_ = c.Close()
	}
}
