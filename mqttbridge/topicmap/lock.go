package topicmap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// KindLock is the mapping of a lock, as Home Assistant's MQTT lock.
const KindLock = "lock"

// lockStates maps the states that a lock reports to the payloads of its topic.
var lockStates = map[string]string{
	"locked":    "LOCKED",
	"unlocked":  "UNLOCKED",
	"locking":   "LOCKING",
	"unlocking": "UNLOCKING",
	"jammed":    "JAMMED",
}

func lock() Mapping {
	return Mapping{
		Kind:     KindLock,
		Endpoint: "lock",
		Commands: []Command{
			{Payload: "LOCK", Method: "lock"},
			{Payload: "UNLOCK", Method: "unlock"},
			{Payload: "OPEN", Method: "open"},
		},
		StateMethod: "state",
		State:       lockState,
		Discovery:   lockDiscovery,
	}
}

// lockState reads the JSON that a lock's state method results in: an object
// with the member "state". Other members are the lock's own matter.
func lockState(result []byte) (string, error) {
	if len(result) > maxState {
		return "", errors.New("state result is too long")
	}
	var seen struct {
		State string `json:"state"`
	}
	dec := json.NewDecoder(bytes.NewReader(result))
	if err := dec.Decode(&seen); err != nil {
		return "", fmt.Errorf("state result is not JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("state result has bytes after its end")
	}
	payload, ok := lockStates[seen.State]
	if !ok {
		return "", fmt.Errorf("state %q is not one of a lock", seen.State)
	}
	return payload, nil
}

type lockConfig struct {
	Name                *string      `json:"name"` // null: the entity is the device itself
	UniqueID            string       `json:"unique_id"`
	CommandTopic        string       `json:"command_topic"`
	StateTopic          string       `json:"state_topic"`
	AvailabilityTopic   string       `json:"availability_topic"`
	PayloadAvailable    string       `json:"payload_available"`
	PayloadNotAvailable string       `json:"payload_not_available"`
	PayloadLock         string       `json:"payload_lock"`
	PayloadUnlock       string       `json:"payload_unlock"`
	PayloadOpen         string       `json:"payload_open"`
	StateLocked         string       `json:"state_locked"`
	StateUnlocked       string       `json:"state_unlocked"`
	StateLocking        string       `json:"state_locking"`
	StateUnlocking      string       `json:"state_unlocking"`
	StateJammed         string       `json:"state_jammed"`
	Optimistic          bool         `json:"optimistic"`
	Retain              bool         `json:"retain"`
	QoS                 int          `json:"qos"`
	Device              deviceBlock  `json:"device"`
	Origin              originalName `json:"origin"`
}

type deviceBlock struct {
	Identifiers  []string `json:"identifiers"`
	Name         string   `json:"name"`
	Manufacturer string   `json:"manufacturer"`
	Model        string   `json:"model"`
}

type originalName struct {
	Name string `json:"name"`
}

func lockDiscovery(e Entity) ([]byte, error) {
	id := Root + "_" + e.Object
	return json.Marshal(lockConfig{
		UniqueID:            id + "_lock",
		CommandTopic:        e.Command,
		StateTopic:          e.State,
		AvailabilityTopic:   e.Availability,
		PayloadAvailable:    Online,
		PayloadNotAvailable: Offline,
		PayloadLock:         "LOCK",
		PayloadUnlock:       "UNLOCK",
		PayloadOpen:         "OPEN",
		StateLocked:         lockStates["locked"],
		StateUnlocked:       lockStates["unlocked"],
		StateLocking:        lockStates["locking"],
		StateUnlocking:      lockStates["unlocking"],
		StateJammed:         lockStates["jammed"],
		QoS:                 1,
		Device: deviceBlock{
			Identifiers:  []string{id},
			Name:         e.Name,
			Manufacturer: "HybridOS",
			Model:        "lock",
		},
		Origin: originalName{Name: "hos-bridge"},
	})
}
