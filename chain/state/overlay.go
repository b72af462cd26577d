package state

// Overlay collects writes over a tree, so that a transaction that fails half
// way leaves no trace. Not safe for concurrent use.
type Overlay struct {
	under  Tree
	values map[string][]byte
	order  []string // first write of each key: map order must not reach the tree
}

var _ Tree = (*Overlay)(nil)

// NewOverlay starts an empty overlay over under.
func NewOverlay(under Tree) *Overlay {
	return &Overlay{under: under, values: make(map[string][]byte)}
}

// Get reads through the overlay.
func (o *Overlay) Get(k []byte) ([]byte, error) {
	if v, ok := o.values[string(k)]; ok {
		return v, nil
	}
	return o.under.Get(k)
}

// Set writes into the overlay only.
func (o *Overlay) Set(k, v []byte) error {
	if _, ok := o.values[string(k)]; !ok {
		o.order = append(o.order, string(k))
	}
	o.values[string(k)] = v
	return nil
}

// Flush writes everything to the tree below, in the order of first writing,
// and empties the overlay.
func (o *Overlay) Flush() error {
	for _, k := range o.order {
		if err := o.under.Set([]byte(k), o.values[k]); err != nil {
			return err
		}
	}
	o.order, o.values = nil, make(map[string][]byte)
	return nil
}
