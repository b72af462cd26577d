package mqttbridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/mqttbridge"
	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

func TestBridge_OpensTheDoorOnce(t *testing.T) {
	r := start(t, nil)
	c := r.connect(t, options(r, "home", password, "ha"))

	// What Home Assistant subscribes to, to find things.
	if code := c.subscribe(t, "homeassistant/+/+/config"); code != 1 {
		t.Fatalf("discovery refused: %#x", code)
	}
	var found map[string]any
	if err := json.Unmarshal(c.await(t, r.home.Discovery, ""), &found); err != nil {
		t.Fatal(err)
	}
	for member, want := range map[string]any{
		"command_topic": r.home.Command, "state_topic": r.home.State, "availability_topic": r.home.Availability,
		"payload_open": "OPEN", "optimistic": false, "retain": false,
	} {
		if found[member] != want {
			t.Errorf("discovery %s is %v, want %v", member, found[member], want)
		}
	}
	c.subscribe(t, found["availability_topic"].(string))
	c.await(t, r.home.Availability, topicmap.Online)
	c.subscribe(t, found["state_topic"].(string))
	c.await(t, r.home.State, "LOCKED")
	c.subscribe(t, r.home.Result)

	c.publish(t, found["command_topic"].(string), found["payload_open"].(string), false)
	got := c.result(t, r.home)
	if got.Method != "open" || got.Status != mqttbridge.StatusExecuted || len(got.Command) != 64 || !strings.HasPrefix(string(got.Receipt), "receipt ") {
		t.Errorf("result is %+v", got)
	}
	c.await(t, r.home.State, "UNLOCKED")
	if n := r.doors.Lock(homeDevice).Calls("open"); n != 1 {
		t.Errorf("lock was opened %d times", n)
	}
	if n := r.doors.Lock(otherDevice).Calls("open"); n != 0 {
		t.Errorf("the other lock was opened %d times", n)
	}
}

func TestBridge_TopicsHideTheDevice(t *testing.T) {
	r := start(t, nil)
	c := r.connect(t, options(r, "home", password, "ha"))
	c.subscribe(t, "#")
	payload := c.await(t, r.home.Discovery, "")
	for _, text := range []string{string(payload), r.home.Command, r.home.Discovery, r.home.Result} {
		if strings.Contains(text, homeDevice) {
			t.Errorf("device id in clear: %s", text)
		}
	}
}

func TestBridge_RefusesCommands(t *testing.T) {
	r := start(t, nil)
	c := r.connect(t, options(r, "home", password, "ha"))
	c.subscribe(t, r.home.Result)
	for _, row := range []struct {
		name, payload string
		retain        bool
		want          topicmap.Result
	}{
		{"retained", "OPEN", true, topicmap.Refusal("open", topicmap.CodeRetained)},
		{"retained nothing", "", true, topicmap.Refusal("", topicmap.CodeRetained)},
		{"unknown", "EXPLODE", false, topicmap.Refusal("", topicmap.CodePayload)},
		{"other case", "open", false, topicmap.Refusal("", topicmap.CodePayload)},
		{"more bytes", "OPEN\n", false, topicmap.Refusal("", topicmap.CodePayload)},
		{"nothing", "", false, topicmap.Refusal("", topicmap.CodePayload)},
	} {
		c.publish(t, r.home.Command, row.payload, row.retain)
		if got := c.result(t, r.home); got.Status != row.want.Status || got.Code != row.want.Code || got.Method != row.want.Method {
			t.Errorf("%s: got %+v, want %+v", row.name, got, row.want)
		}
	}
	if n := r.doors.Lock(homeDevice).Calls("open"); n != 0 {
		t.Errorf("lock was opened %d times", n)
	}
	r.serves(t)
}

func TestBridge_WithoutGrantCanDoNothing(t *testing.T) {
	r := start(t, nil)
	r.doors.Lock(homeDevice).Grant(false)
	c := r.connect(t, options(r, "home", password, "ha"))
	c.subscribe(t, r.home.Result)
	c.publish(t, r.home.Command, "OPEN", false)
	got := c.result(t, r.home)
	if got.Status != mqttbridge.StatusRejected || got.Code != "no-grant" || len(got.Receipt) == 0 {
		t.Errorf("result is %+v", got)
	}
	if n := r.doors.Lock(homeDevice).Calls("open"); n != 0 {
		t.Errorf("lock was opened %d times", n)
	}
}

func TestBridge_NoReceipt(t *testing.T) {
	r := start(t, nil)
	c := r.connect(t, options(r, "home", password, "ha"))
	c.subscribe(t, r.home.Availability)
	c.await(t, r.home.Availability, topicmap.Online)
	r.doors.Lock(homeDevice).Switch(false)
	c.subscribe(t, r.home.Result)
	c.publish(t, r.home.Command, "OPEN", false)
	if got := c.result(t, r.home); got.Status != topicmap.StatusUnknown || got.Code != string(topicmap.CodeNoReceipt) {
		t.Errorf("result is %+v", got)
	}
	c.await(t, r.home.Availability, topicmap.Offline)
}

func TestBridge_BusyAndExpired(t *testing.T) {
	clock := make(chan time.Time, 1)
	clock <- time.Unix(1000, 0)
	now := func() time.Time { n := <-clock; clock <- n; return n }
	r := start(t, func(c *mqttbridge.Config) { c.Now = now })
	c := r.connect(t, options(r, "home", password, "ha"))
	c.subscribe(t, r.home.Result)
	release := r.doors.Lock(homeDevice).Hold()
	defer release()
	// One in hand, a full queue behind it, and at least one more.
	const sent = 12
	for range sent {
		c.publish(t, r.home.Command, "OPEN", false)
	}
	if got := c.result(t, r.home); got.Code != string(topicmap.CodeBusy) {
		t.Errorf("over the queue: %+v", got)
	}
	<-clock
	clock <- time.Unix(1000, 0).Add(mqttbridge.DefaultCommandMaxAge + time.Second)
	release()
	counts := map[string]int{string(topicmap.CodeBusy): 1}
	for range sent - 1 {
		counts[c.result(t, r.home).Code]++
	}
	// The first was in hand when the clock moved, or just not yet.
	opened := r.doors.Lock(homeDevice).Calls("open")
	if opened > 1 || counts[string(topicmap.CodeExpired)] < 8 || counts["ok"] != opened {
		t.Errorf("opened %d times, results %v", opened, counts)
	}
}

func TestBridge_UsedPort(t *testing.T) {
	r := start(t, nil)
	cfg := config(t, r.doors)
	cfg.Listen = r.addr
	second, err := mqttbridge.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "listen on "+r.addr) {
		t.Errorf("run on a used port: %v", err)
	}
}

func TestNew_RefusesBadConfig(t *testing.T) {
	r := start(t, nil)
	for name, change := range map[string]func(*mqttbridge.Config){
		"any interface":      func(c *mqttbridge.Config) { c.Listen = "0.0.0.0:1883" },
		"no host":            func(c *mqttbridge.Config) { c.Listen = ":1883" },
		"a name":             func(c *mqttbridge.Config) { c.Listen = "example.org:1883" },
		"no port":            func(c *mqttbridge.Config) { c.Listen = "127.0.0.1" },
		"no accounts":        func(c *mqttbridge.Config) { c.Accounts = nil },
		"no invoker":         func(c *mqttbridge.Config) { c.Invoker = nil },
		"no object key":      func(c *mqttbridge.Config) { c.ObjectKey = nil },
		"device twice":       func(c *mqttbridge.Config) { c.Devices = append(c.Devices, c.Devices[0]) },
		"device without id":  func(c *mqttbridge.Config) { c.Devices = append(c.Devices, mqttbridge.Device{Name: "x"}) },
		"unknown mapping":    func(c *mqttbridge.Config) { c.Devices[0].Mapping = "toaster" },
		"account's device":   func(c *mqttbridge.Config) { c.Devices = c.Devices[:1] },
		"negative poll":      func(c *mqttbridge.Config) { c.PollInterval = -1 },
		"negative guard cap": func(c *mqttbridge.Config) { c.Guard.MaxPacket = -1 },
	} {
		cfg := config(t, r.doors)
		change(&cfg)
		if _, err := mqttbridge.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(name, "interface") && !errors.Is(err, mqttbridge.ErrNotLoopback) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
