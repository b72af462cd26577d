package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/hybridos-net/hybridos/chain/command"
)

// entity is a lock as the bridge announces it to Home Assistant.
type entity struct {
	Command string `json:"command_topic"`
	Device  struct {
		Name string `json:"name"`
	} `json:"device"`
}

// result is what the bridge says about a command.
type result struct {
	Status  string `json:"status"`
	Code    string `json:"code"`
	Command string `json:"command"`
	Receipt []byte `json:"receipt"`
}

// mqtt is an ordinary MQTT client that has logged in at the bridge.
type mqtt struct {
	client  paho.Client
	entity  entity
	results chan result
}

// connect logs in, finds a lock by its discovery message and listens to what
// becomes of commands.
func (w *world) connect(ctx context.Context, device string) (*mqtt, error) {
	b := w.net.State().Bridge
	password, err := os.ReadFile(b.Password)
	if err != nil {
		return nil, err
	}
	m := &mqtt{results: make(chan result, 16)}
	found := make(chan entity, 16)
	m.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + b.Listen).SetClientID("demo").
		SetUsername(b.User).SetPassword(strings.TrimSpace(string(password))).SetAutoReconnect(false))
	if err := settle(ctx, m.client.Connect()); err != nil {
		return nil, fmt.Errorf("log in at the bridge: %w", err)
	}
	err = settle(ctx, m.client.Subscribe("homeassistant/lock/+/config", 1, func(_ paho.Client, msg paho.Message) {
		var e entity
		if json.Unmarshal(msg.Payload(), &e) == nil {
			found <- e
		}
	}))
	for err == nil && m.entity.Command == "" {
		select {
		case e := <-found:
			if e.Device.Name == device {
				m.entity = e
			}
		case <-ctx.Done():
			err = errors.New("the bridge does not announce the lock")
		}
	}
	if err == nil {
		topic := strings.TrimSuffix(m.entity.Command, "/set") + "/result"
		err = settle(ctx, m.client.Subscribe(topic, 1, func(_ paho.Client, msg paho.Message) {
			var r result
			if json.Unmarshal(msg.Payload(), &r) == nil {
				m.results <- r
			}
		}))
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *mqtt) close() { m.client.Disconnect(0) }

// publish sends a payload to the command topic and returns what became of it.
func (m *mqtt) publish(ctx context.Context, payload string) (result, error) {
	if err := settle(ctx, m.client.Publish(m.entity.Command, 1, false, payload)); err != nil {
		return result{}, err
	}
	select {
	case r := <-m.results:
		return r, nil
	case <-ctx.Done():
		return result{}, errors.New("the bridge does not say what became of the command")
	}
}

func settle(ctx context.Context, t paho.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// publishOpen lets an MQTT client open the front door and returns the device's
// receipt, which the bridge passes on.
func (w *world) publishOpen(ctx context.Context) (answer, error) {
	m, err := w.connect(ctx, w.front.Name)
	if err != nil {
		return answer{}, err
	}
	defer m.close()
	w.detail("mqtt$ publish %s OPEN", m.entity.Command)
	r, err := m.publish(ctx, "OPEN")
	if err != nil {
		return answer{}, err
	}
	var id command.ID
	if err := id.UnmarshalText([]byte(r.Command)); err != nil {
		return answer{}, fmt.Errorf("the bridge answers %s (%s) without a command: %w", r.Status, r.Code, err)
	}
	return w.verify(w.front, r.Receipt, id)
}

func (w *world) mqttWithout(ctx context.Context) (string, error) {
	a, err := w.refused(w.front, command.UnknownKey, func() (answer, error) { return w.publishOpen(ctx) })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("the lock itself refuses the bridge's key (%s); the bolt did not move", a.Body.Code), nil
}

func (w *world) mqttWith(ctx context.Context) (string, error) {
	b := w.net.State().Bridge
	var grant struct {
		Grant string `json:"grant"`
	}
	if err := w.hos(ctx, w.owner, &grant, "grant", "add", "--device", w.front.Name, "--to", b.Key.String(),
		"--name", "bridge", "--method", "lock.open,lock.lock,lock.unlock,lock.state", "--for", "1h"); err != nil {
		return "", err
	}
	if err := w.net.GrantBridge(ctx, w.front.Name, grant.Grant); err != nil {
		return "", err
	}
	a, err := w.moved(w.front, func() (answer, error) { return w.publishOpen(ctx) })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("receipt %d says executed, for the bridge's own key under the owner's grant", a.Body.Counter), nil
}
