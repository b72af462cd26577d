package topicmap

import "strings"

// Access is what one account may do: it follows from the entities that the
// account is mapped to, and from nothing else. The zero value and the nil
// pointer may do nothing. It does not change after it was made.
type Access struct {
	read  map[string]bool
	write map[string]bool
}

// NewAccess gives access to the topics of the entities.
func NewAccess(entities ...Entity) *Access {
	a := &Access{read: map[string]bool{}, write: map[string]bool{BirthTopic: true}}
	for _, e := range entities {
		for _, topic := range []string{e.Discovery, e.State, e.Availability, e.Result} {
			a.read[topic] = true
		}
		a.write[e.Command] = true
	}
	return a
}

// CanPublish says whether the account may publish to topic.
func (a *Access) CanPublish(topic string) bool { return a != nil && a.write[topic] }

// CanWill says whether the account may leave a will at topic. A will is nobody's
// wish of the moment, so it is never a command.
func (a *Access) CanWill(topic string) bool { return a != nil && topic == BirthTopic }

// CanRead says whether a message of topic may be delivered to the account.
func (a *Access) CanRead(topic string) bool { return a != nil && a.read[topic] }

// CanSubscribe says whether the filter reaches any topic that the account may
// read. What else it reaches is held back by CanRead at delivery. Filters under
// $, which are the engine's own and shared ones, are refused.
func (a *Access) CanSubscribe(filter string) bool {
	if a == nil || strings.HasPrefix(filter, "$") {
		return false
	}
	for topic := range a.read {
		if Match(filter, topic) {
			return true
		}
	}
	return false
}

// Match says whether topic is covered by filter, by the rules of MQTT 4.7.
func Match(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") != strings.HasPrefix(filter, "$") {
		return false
	}
	fs, ts := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, f := range fs {
		if f == "#" {
			return i == len(fs)-1
		}
		if i >= len(ts) || f != "+" && f != ts[i] {
			return false
		}
	}
	return len(fs) == len(ts)
}
