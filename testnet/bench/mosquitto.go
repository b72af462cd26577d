package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/eclipse/paho.mqtt.golang"
)

// Topics of the comparison.
const (
	topicCommand = "door/command"
	topicReceipt = "door/receipt"
)

// mosquittoTransport is what a smart lock behind a broker does today: command
// and answer each published at QoS 1 through mosquitto.
type mosquittoTransport struct {
	broker  *exec.Cmd
	clients []mqtt.Client
	answers chan []byte
}

func openMosquitto(ctx context.Context, dir string, h handler) (transport, error) {
	addr, cmd, err := startMosquitto(ctx, dir)
	if err != nil {
		return nil, err
	}
	t := &mosquittoTransport{broker: cmd, answers: make(chan []byte, 1)}
	door, err := t.connect(addr, "door")
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	sender, err := t.connect(addr, "sender")
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	err = errors.Join(
		wait(door.Subscribe(topicCommand, 1, func(c mqtt.Client, m mqtt.Message) {
			answer := h(m.Payload())
			go func() { c.Publish(topicReceipt, 1, false, answer).Wait() }() // paho must not be held in a callback
		})),
		wait(sender.Subscribe(topicReceipt, 1, func(_ mqtt.Client, m mqtt.Message) { t.answers <- m.Payload() })),
	)
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// startMosquitto runs the broker on a free loopback port with its defaults, no
// persistence and no log.
func startMosquitto(ctx context.Context, dir string) (string, *exec.Cmd, error) {
	path, err := findMosquitto()
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		return "", nil, err
	}
	conf := filepath.Join(dir, "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_dest none\n", addr.Port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, path, "-c", conf)
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start mosquitto: %w", err)
	}
	return "tcp://" + addr.String(), cmd, nil
}

func findMosquitto() (string, error) {
	if p, err := exec.LookPath("mosquitto"); err == nil {
		return p, nil
	}
	const debian = "/usr/sbin/mosquitto" // not on every user's PATH
	if _, err := os.Stat(debian); err != nil {
		return "", errors.New("mosquitto is not installed (try: apt-get install mosquitto)")
	}
	return debian, nil
}

func (t *mosquittoTransport) connect(addr, id string) (mqtt.Client, error) {
	o := mqtt.NewClientOptions().AddBroker(addr).SetClientID(id).SetConnectRetry(true).
		SetConnectRetryInterval(50 * time.Millisecond).SetConnectTimeout(5 * time.Second)
	c := mqtt.NewClient(o)
	t.clients = append(t.clients, c)
	return c, wait(c.Connect())
}

func wait(tok mqtt.Token) error {
	if !tok.WaitTimeout(10 * time.Second) {
		return errors.New("mosquitto did not answer within 10 s")
	}
	return tok.Error()
}

func (t *mosquittoTransport) call(ctx context.Context, b []byte) ([]byte, error) {
	tok := t.clients[1].Publish(topicCommand, 1, false, b)
	select {
	case answer := <-t.answers:
		return answer, tok.Error()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *mosquittoTransport) close() error {
	for _, c := range t.clients {
		c.Disconnect(50)
	}
	if err := t.broker.Process.Kill(); err != nil {
		return err
	}
	t.broker.Wait() // it was killed; its exit status says nothing
	return nil
}
