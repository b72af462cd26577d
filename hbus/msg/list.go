package msg

// List asks which methods are registered. The answer is sorted by endpoint and
// method and holds at most MaxListing entries; to go on, ask again with After
// set to the last entry.
type List struct {
	ID       uint64
	Endpoint string // only of this endpoint; empty: all
	// AfterEndpoint and AfterMethod go together, or are both empty.
	AfterEndpoint string
	AfterMethod   string
}

// Type implements Message.
func (*List) Type() string { return "list" }

// Check implements Message.
func (m *List) Check() error {
	if err := checkID(m.ID); err != nil {
		return err
	}
	if m.Endpoint != "" {
		if err := CheckEndpoint(m.Endpoint); err != nil {
			return err
		}
	}
	if m.AfterEndpoint == "" && m.AfterMethod == "" {
		return nil
	}
	return checkRoute(m.ID, m.AfterEndpoint, m.AfterMethod)
}

func (m *List) append(dst []byte) []byte {
	dst = open(dst, "list", m.ID)
	if m.Endpoint != "" {
		dst = strMember(dst, "endpoint", m.Endpoint)
	}
	if m.AfterEndpoint != "" {
		dst = strMember(dst, "after_endpoint", m.AfterEndpoint)
		dst = strMember(dst, "after_method", m.AfterMethod)
	}
	return append(dst, '}')
}

func readList(f *fields) Message {
	return &List{
		ID: f.id(), Endpoint: f.opt("endpoint"),
		AfterEndpoint: f.opt("after_endpoint"), AfterMethod: f.opt("after_method"),
	}
}

// Entry is one registered method.
type Entry struct {
	Endpoint        string
	Method          string
	RequireVerified bool
	Provider        Identity
}

// Listing answers List.
type Listing struct {
	ID      uint64
	More    bool // there are entries after the last
	Methods []Entry
}

// Type implements Message.
func (*Listing) Type() string { return "listing" }

// Check implements Message.
func (m *Listing) Check() error {
	if len(m.Methods) > MaxListing {
		return Refuse(BadValue, "%d entries, at most %d", len(m.Methods), MaxListing)
	}
	for i := range m.Methods {
		e := &m.Methods[i]
		if err := checkRoute(m.ID, e.Endpoint, e.Method); err != nil {
			return err
		}
		if err := e.Provider.check(); err != nil {
			return err
		}
	}
	return checkID(m.ID)
}

func (m *Listing) append(dst []byte) []byte {
	dst = flagMember(open(dst, "listing", m.ID), "more", m.More)
	dst = append(member(dst, "methods"), '[')
	for i := range m.Methods {
		e := &m.Methods[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"endpoint":`...)
		dst = strMember(appendString(dst, e.Endpoint), "method", e.Method)
		dst = flagMember(dst, "require_verified", e.RequireVerified)
		dst = append(e.Provider.AppendJSON(member(dst, "provider")), '}')
	}
	return append(dst, ']', '}')
}

func readListing(f *fields) Message {
	m := &Listing{ID: f.id(), More: f.flag("more"), Methods: []Entry{}}
	raw := f.need("methods")
	if raw == nil {
		return m
	}
	if raw[0] != '[' {
		f.fail(BadValue, "methods is not an array")
		return m
	}
	var s scanner
	s.reset(raw)
	err := s.array(MaxDepth, func(val []byte) error {
		if len(m.Methods) == MaxListing {
			return Refuse(BadValue, "more than %d entries", MaxListing)
		}
		if val[0] != '{' {
			return Refuse(BadValue, "entry is not an object")
		}
		f.object("methods", val, func(in *fields) {
			m.Methods = append(m.Methods, Entry{
				Endpoint: in.str("endpoint"), Method: in.str("method"),
				RequireVerified: in.flag("require_verified"),
				Provider:        readIdentity(in, "provider", in.need("provider")),
			})
		})
		return f.err
	})
	if err != nil && f.err == nil {
		f.fail(BadValue, "%v", err)
	}
	return m
}
