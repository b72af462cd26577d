package msg

// Ping asks for a Pong of the same id; both sides may send it.
type Ping struct {
	ID uint64
}

// Type implements Message.
func (*Ping) Type() string { return "ping" }

// Check implements Message.
func (m *Ping) Check() error { return checkID(m.ID) }

func (m *Ping) append(dst []byte) []byte { return append(open(dst, "ping", m.ID), '}') }

func readPing(f *fields) Message { return &Ping{ID: f.id()} }

// Pong answers Ping.
type Pong struct {
	ID uint64
}

// Type implements Message.
func (*Pong) Type() string { return "pong" }

// Check implements Message.
func (m *Pong) Check() error { return checkID(m.ID) }

func (m *Pong) append(dst []byte) []byte { return append(open(dst, "pong", m.ID), '}') }

func readPong(f *fields) Message { return &Pong{ID: f.id()} }
