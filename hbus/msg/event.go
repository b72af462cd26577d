package msg

import "encoding/json"

// Publish sends an event to whoever subscribed.
type Publish struct {
	ID   uint64 // 0: no answer wanted, not even a refusal
	Name string // "<app>/…", app being the connection's own
	Data json.RawMessage
}

// Type implements Message.
func (*Publish) Type() string { return "publish" }

// Check implements Message.
func (m *Publish) Check() error {
	if m.ID > MaxID {
		return Refuse(BadValue, "id %d", m.ID)
	}
	return CheckEvent(m.Name)
}

func (m *Publish) append(dst []byte) []byte {
	dst = strMember(open(dst, "publish", m.ID), "name", m.Name)
	return append(rawMember(dst, "data", m.Data), '}')
}

func readPublish(f *fields) Message {
	return &Publish{ID: f.optUint("id", MaxID), Name: f.str("name"), Data: f.payload("data")}
}

// Event is a published event as a subscriber gets it, once however many of its
// patterns match.
type Event struct {
	Seq  uint64 // rises with every event of the broker; gaps are normal
	Name string
	Data json.RawMessage
	From *Identity
}

// Type implements Message.
func (*Event) Type() string { return "event" }

// Check implements Message.
func (m *Event) Check() error {
	if err := m.From.check(); err != nil {
		return err
	}
	return CheckEvent(m.Name)
}

func (m *Event) append(dst []byte) []byte {
	dst = uintMember(open(dst, "event", 0), "seq", m.Seq)
	dst = strMember(dst, "name", m.Name)
	dst = m.From.AppendJSON(member(dst, "from"))
	return append(rawMember(dst, "data", m.Data), '}')
}

func readEvent(f *fields) Message {
	from := readIdentity(f, "from", f.need("from"))
	return &Event{Seq: f.uint("seq", MaxID), Name: f.str("name"), Data: f.payload("data"), From: &from}
}

// Subscribe asks for the events of one name, or of all names under a prefix
// ("lock/*", "*").
type Subscribe struct {
	ID      uint64
	Pattern string
}

// Type implements Message.
func (*Subscribe) Type() string { return "subscribe" }

// Check implements Message.
func (m *Subscribe) Check() error { return checkPattern(m.ID, m.Pattern) }

func (m *Subscribe) append(dst []byte) []byte {
	return append(strMember(open(dst, "subscribe", m.ID), "pattern", m.Pattern), '}')
}

func readSubscribe(f *fields) Message { return &Subscribe{ID: f.id(), Pattern: f.str("pattern")} }

// Unsubscribe takes a Subscribe of the same pattern back.
type Unsubscribe struct {
	ID      uint64
	Pattern string
}

// Type implements Message.
func (*Unsubscribe) Type() string { return "unsubscribe" }

// Check implements Message.
func (m *Unsubscribe) Check() error { return checkPattern(m.ID, m.Pattern) }

func (m *Unsubscribe) append(dst []byte) []byte {
	return append(strMember(open(dst, "unsubscribe", m.ID), "pattern", m.Pattern), '}')
}

func readUnsubscribe(f *fields) Message { return &Unsubscribe{ID: f.id(), Pattern: f.str("pattern")} }

func checkPattern(id uint64, pattern string) error {
	if err := checkID(id); err != nil {
		return err
	}
	return CheckPattern(pattern)
}

// Lost tells a subscriber that was too slow how many events it did not get, at
// the place in the stream where they are missing.
type Lost struct {
	N uint64
}

// Type implements Message.
func (*Lost) Type() string { return "lost" }

// Check implements Message.
func (m *Lost) Check() error {
	if m.N == 0 {
		return Refuse(BadValue, "n is 0")
	}
	return nil
}

func (m *Lost) append(dst []byte) []byte {
	return append(uintMember(open(dst, "lost", 0), "n", m.N), '}')
}

func readLost(f *fields) Message { return &Lost{N: f.uint("n", MaxID)} }
