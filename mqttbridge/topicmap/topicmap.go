// Package topicmap is the table between MQTT topics and devices' methods: which
// topic stands for what, which payload calls which method, and what is published.
//
// It is pure: no I/O, no clock, no engine. It does not decide whether a command
// is obeyed; it only translates.
//
// Entry points: Mappings is the table, Bind ties one of its rows to a device and
// gives the topics. Access answers what an account may publish and subscribe to.
//
// What must never change: topics carry no owner or device id in clear; a payload
// that is not in the table calls nothing.
package topicmap

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

const (
	// Root is the first level of all topics but the discovery ones.
	Root = "hybridos"
	// DiscoveryRoot is the first level at which Home Assistant looks.
	DiscoveryRoot = "homeassistant"
	// BirthTopic is where Home Assistant says that it came or went. A client may
	// publish and leave its will there; the bridge consumes it.
	BirthTopic = DiscoveryRoot + "/status"

	// Online and Offline are the payloads of an availability topic.
	Online, Offline = "online", "offline"

	objectLabel = "hybridos/mqtt/object/v1"
	objectBytes = 10 // 80 bits: no chance meeting within one broker
)

// Command ties one payload of the command topic to a method of the endpoint.
type Command struct {
	// Payload is compared byte for byte.
	Payload string
	// Method is the method called when it comes, with no parameters.
	Method string
}

// Mapping is one row of the table: how one kind of endpoint looks over MQTT.
type Mapping struct {
	// Kind names the row; it is a topic level and Home Assistant's component.
	Kind string
	// Endpoint is the endpoint of the device that the methods belong to.
	Endpoint string
	// Commands are all payloads that are understood.
	Commands []Command
	// StateMethod reads the state; its class is R0 and it changes nothing.
	StateMethod string
	// State turns the result of StateMethod into the payload of the state topic.
	State func(result []byte) (string, error)
	// Discovery makes the retained payload of the discovery topic.
	Discovery func(e Entity) ([]byte, error)
}

// Method finds the method that payload calls.
func (m Mapping) Method(payload []byte) (string, bool) {
	for _, c := range m.Commands {
		if string(payload) == c.Payload {
			return c.Method, true
		}
	}
	return "", false
}

// Entity is one mapping bound to one device: its topics.
type Entity struct {
	Mapping Mapping
	// Object is the object id: it stands for the device in all topics.
	Object string
	// Name is the owner's name for the device, shown to people.
	Name string
	// Discovery, State, Availability are retained topics; Command is where
	// clients publish; Result carries one message per command.
	Discovery, State, Availability, Command, Result string
}

// Bind ties the mapping called kind to a device. key is the bridge's own secret,
// at least 16 bytes, and must stay the same or all topics change.
func Bind(key []byte, kind, device, name string) (Entity, error) {
	m, ok := Find(kind)
	if !ok {
		return Entity{}, fmt.Errorf("no topic mapping is called %q", kind)
	}
	if len(key) < 16 {
		return Entity{}, errors.New("object key is shorter than 16 bytes")
	}
	if device == "" || name == "" || len(name) > maxName {
		return Entity{}, fmt.Errorf("device needs an id and a name of 1 to %d bytes", maxName)
	}
	object := ObjectID(key, kind, device)
	base := Root + "/" + m.Kind + "/" + object
	return Entity{
		Mapping:      m,
		Object:       object,
		Name:         name,
		Discovery:    DiscoveryRoot + "/" + m.Kind + "/" + object + "/config",
		State:        base + "/state",
		Availability: base + "/availability",
		Command:      base + "/set",
		Result:       base + "/result",
	}, nil
}

// ObjectID is a short keyed hash of a device and a mapping: it is stable, and
// says nothing to whom does not hold the key.
func ObjectID(key []byte, kind, device string) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range []string{objectLabel, kind, device} {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	return hex.EncodeToString(mac.Sum(nil)[:objectBytes])
}
