package msg

// Register offers a method under an endpoint. The first registration of an
// endpoint makes it the connection's own until that ends.
type Register struct {
	ID       uint64
	Endpoint string
	Method   string // "<app>/<method>", app being the connection's own
	// RequireVerified makes the broker refuse calls without the agent's
	// marker.
	RequireVerified bool
}

// Type implements Message.
func (*Register) Type() string { return "register" }

// Check implements Message.
func (m *Register) Check() error { return checkRoute(m.ID, m.Endpoint, m.Method) }

func (m *Register) append(dst []byte) []byte {
	dst = strMember(open(dst, "register", m.ID), "endpoint", m.Endpoint)
	dst = strMember(dst, "method", m.Method)
	return append(flagMember(dst, "require_verified", m.RequireVerified), '}')
}

func readRegister(f *fields) Message {
	return &Register{
		ID: f.id(), Endpoint: f.str("endpoint"), Method: f.str("method"),
		RequireVerified: f.flag("require_verified"),
	}
}

// Unregister takes a method back. Calls under way are still answered.
type Unregister struct {
	ID       uint64
	Endpoint string
	Method   string
}

// Type implements Message.
func (*Unregister) Type() string { return "unregister" }

// Check implements Message.
func (m *Unregister) Check() error { return checkRoute(m.ID, m.Endpoint, m.Method) }

func (m *Unregister) append(dst []byte) []byte {
	dst = strMember(open(dst, "unregister", m.ID), "endpoint", m.Endpoint)
	return append(strMember(dst, "method", m.Method), '}')
}

func readUnregister(f *fields) Message {
	return &Unregister{ID: f.id(), Endpoint: f.str("endpoint"), Method: f.str("method")}
}

func checkRoute(id uint64, endpoint, method string) error {
	if err := checkID(id); err != nil {
		return err
	}
	if err := CheckEndpoint(endpoint); err != nil {
		return err
	}
	return CheckMethod(method)
}
