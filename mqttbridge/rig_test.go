package mqttbridge_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net"
	"path/filepath"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/mqttbridge"
	"github.com/hybridos-net/hybridos/mqttbridge/account"
	"github.com/hybridos-net/hybridos/mqttbridge/bridgetest"
	"github.com/hybridos-net/hybridos/mqttbridge/guard"
	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

const (
	homeDevice, otherDevice = "device-home", "device-other"
	password                = "correct horse"
	patience                = 20 * time.Second
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a running bridge with two accounts, "home" and "other", each with a
// lock of its own.
type rig struct {
	bridge  *mqttbridge.Bridge
	doors   *bridgetest.Doors
	addr    string
	home    topicmap.Entity
	other   topicmap.Entity
	refused chan *guard.Error
}

func book(t testing.TB) *account.Book {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accounts.json")
	hash, err := account.HashPassword(rand.Reader, []byte(password), account.Cost{MemoryKiB: 8 << 10, Passes: 1, Lanes: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, device := range map[string]string{"home": homeDevice, "other": otherDevice} {
		if err := account.Add(path, account.Account{Name: name, Password: hash, Devices: []string{device}}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := account.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func config(t testing.TB, doors *bridgetest.Doors) mqttbridge.Config {
	return mqttbridge.Config{
		Listen:    "127.0.0.1:0",
		Accounts:  book(t),
		Devices:   []mqttbridge.Device{{ID: homeDevice, Name: "Front door"}, {ID: otherDevice, Name: "Shed"}},
		Invoker:   doors,
		ObjectKey: []byte("0123456789abcdef"),
	}
}

func start(t *testing.T, change func(*mqttbridge.Config)) *rig {
	t.Helper()
	r := &rig{doors: bridgetest.NewDoors(homeDevice, otherDevice), refused: make(chan *guard.Error, 4096)}
	cfg := config(t, r.doors)
	cfg.Guard.Refused = func(_ net.Addr, why *guard.Error) { r.refused <- why }
	if change != nil {
		change(&cfg)
	}
	var err error
	if r.bridge, err = mqttbridge.New(cfg); err != nil {
		t.Fatal(err)
	}
	r.home, r.other = r.bridge.Entities()[0], r.bridge.Entities()[1]
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.bridge.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	select {
	case <-r.bridge.Ready():
	case err := <-done:
		done <- nil
		t.Fatalf("run: %v", err)
	}
	r.addr = r.bridge.Addr().String()
	return r
}

// client is an honest paho client and the messages it got.
type client struct {
	paho.Client
	got chan paho.Message
}

func options(r *rig, user, pass, id string) *paho.ClientOptions {
	return paho.NewClientOptions().AddBroker("tcp://" + r.addr).SetUsername(user).SetPassword(pass).
		SetClientID(id).SetProtocolVersion(4).SetAutoReconnect(false).SetConnectTimeout(patience)
}

func (r *rig) connect(t *testing.T, o *paho.ClientOptions) *client {
	t.Helper()
	c := &client{got: make(chan paho.Message, 256)}
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { c.got <- m })
	c.Client = paho.NewClient(o)
	if err := settle(c.Connect()); err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

func settle(tok paho.Token) error {
	if !tok.WaitTimeout(patience) {
		return context.DeadlineExceeded
	}
	return tok.Error()
}

// subscribe returns the code that the server granted.
func (c *client) subscribe(t *testing.T, filter string) byte {
	t.Helper()
	tok := c.Subscribe(filter, 1, nil).(*paho.SubscribeToken)
	if err := settle(tok); err != nil && tok.Result()[filter] != 0x80 {
		t.Fatalf("subscribe %s: %v", filter, err)
	}
	return tok.Result()[filter]
}

func (c *client) publish(t *testing.T, topic, payload string, retain bool) {
	t.Helper()
	if err := settle(c.Publish(topic, 1, retain, payload)); err != nil {
		t.Fatalf("publish %s: %v", topic, err)
	}
}

// await waits for a message on topic, and, if want is not empty, with it.
func (c *client) await(t *testing.T, topic, want string) []byte {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case m := <-c.got:
			if m.Topic() == topic && (want == "" || string(m.Payload()) == want) {
				return m.Payload()
			}
		case <-timeout:
			t.Fatalf("nothing on %s (%q)", topic, want)
		}
	}
}

func (c *client) result(t *testing.T, e topicmap.Entity) topicmap.Result {
	t.Helper()
	var r topicmap.Result
	if err := json.Unmarshal(c.await(t, e.Result, ""), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// serves asserts that the bridge is alive for an honest client: its command
// reaches the lock and the result comes back.
func (r *rig) serves(t *testing.T) {
	t.Helper()
	before := r.doors.Lock(homeDevice).Calls("lock")
	c := r.connect(t, options(r, "home", password, "honest"))
	c.subscribe(t, r.home.Result)
	c.publish(t, r.home.Command, "LOCK", false)
	if got := c.result(t, r.home); got.Status != mqttbridge.StatusExecuted {
		t.Fatalf("honest client got %+v", got)
	}
	if after := r.doors.Lock(homeDevice).Calls("lock"); after != before+1 {
		t.Fatalf("lock was called %d times", after-before)
	}
	c.Disconnect(10)
}
