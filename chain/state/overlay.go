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
func NewOverlay(under Tree) *Overlay { return &Overlay{under: under} }

// Get reads through the overlay.
func (o *Overlay) Get(k []byte) ([]byte, error) {
	if v, ok := o.values[string(k)]; ok {
		return v, nil
	}
	return o.under.Get(k)
}

// Set writes into the overlay only.
func (o *Overlay) Set(k, v []byte) error {
	if _, ok := o.values[string(k)]; ok {
		o.values[string(k)] = v
		return nil
	}
	o.begin(string(k), v)
	return nil
}

// begin takes the first write of a key.
func (o *Overlay) begin(k string, v []byte) {
	if o.values == nil {
		o.values = make(map[string][]byte)
	}
	o.order = append(o.order, k)
	o.values[k] = v
}

// Flush writes everything to the tree below, in the order of first writing,
// and empties the overlay.
func (o *Overlay) Flush() error {
	under, nested := o.under.(*Overlay)
	for _, k := range o.order {
		v := o.values[k]
		if !nested {
			if err := o.under.Set([]byte(k), v); err != nil {
				return err
			}
		} else if _, ok := under.values[k]; ok {
			under.values[k] = v
		} else {
			under.begin(k, v) // the key is shared: no copy for each level
		}
	}
	o.order, o.values = nil, nil
	return nil
}
