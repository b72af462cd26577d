package state

// Overlay collects writes over a tree, so that a transaction that fails half
// way leaves no trace. Not safe for concurrent use.
type Overlay struct {
	under  Tree
	writes []write        // in the order of the first write of each key: map order must not reach the tree
	index  map[string]int // into writes; nil while they are few
	recall *recall        // nil but in the overlay of one transaction
}

type write struct {
	key   string
	value []byte
}

// fewWrites is up to how many writes an overlay looks through them instead of
// keeping an index: a transaction seldom has more than three.
const fewWrites = 8

var _ Tree = (*Overlay)(nil)

// NewOverlay starts an empty overlay over under.
func NewOverlay(under Tree) *Overlay { return &Overlay{under: under} }

// newAttempt is an overlay for one transaction, which remembers what records
// were decoded to.
func newAttempt(under Tree) *Overlay { return &Overlay{under: under, recall: new(recall)} }

// Get reads through the overlay.
func (o *Overlay) Get(k []byte) ([]byte, error) {
	if i := o.find(k); i >= 0 {
		return o.writes[i].value, nil
	}
	return o.under.Get(k)
}

// Set writes into the overlay only.
func (o *Overlay) Set(k, v []byte) error {
	if o.recall != nil {
		o.recall.forget(k)
	}
	if i := o.find(k); i >= 0 {
		o.writes[i].value = v
		return nil
	}
	o.begin(string(k), v)
	return nil
}

// find gives the place of a key among the writes, -1 if it has none.
func (o *Overlay) find(k []byte) int {
	if o.index != nil {
		if i, ok := o.index[string(k)]; ok {
			return i
		}
		return -1
	}
	for i := range o.writes {
		if o.writes[i].key == string(k) {
			return i
		}
	}
	return -1
}

// begin takes the first write of a key.
func (o *Overlay) begin(k string, v []byte) {
	o.writes = append(o.writes, write{k, v})
	switch {
	case o.index != nil:
		o.index[k] = len(o.writes) - 1
	case len(o.writes) > fewWrites:
		o.index = make(map[string]int)
		for i, w := range o.writes {
			o.index[w.key] = i
		}
	}
}

// Flush writes everything to the tree below, in the order of first writing,
// and empties the overlay.
func (o *Overlay) Flush() error {
	under, nested := o.under.(*Overlay)
	for _, w := range o.writes {
		k := []byte(w.key)
		if !nested || under.recall != nil {
			if err := o.under.Set(k, w.value); err != nil {
				return err
			}
		} else if i := under.find(k); i >= 0 {
			under.writes[i].value = w.value
		} else {
			under.begin(w.key, w.value) // the key is shared: no copy for each level
		}
	}
	o.writes, o.index = nil, nil
	if o.recall != nil {
		o.recall = new(recall)
	}
	return nil
}

// recall remembers what the records that one transaction reads and writes were
// decoded to: most ask four times for the record of who acts. It lives no longer
// than the transaction, so that a rule which changed a slice of a record in place
// would still do the same on every validator; none may, as tests that execute
// with and without it show.
type recall struct {
	entries []recalled
}

type recalled struct {
	key    string
	record any
}

func (r *recall) forget(k []byte) {
	for i := range r.entries {
		if r.entries[i].key == string(k) {
			r.entries[i].record = nil
		}
	}
}

func (r *recall) find(k []byte) any {
	for i := range r.entries {
		if r.entries[i].key == string(k) {
			return r.entries[i].record
		}
	}
	return nil
}

func (r *recall) keep(k []byte, record any) {
	for i := range r.entries {
		if r.entries[i].key == string(k) {
			r.entries[i].record = record
			return
		}
	}
	if len(r.entries) < maxRecalled {
		r.entries = append(r.entries, recalled{string(k), record})
	}
}

// recallOf gives the memory of the transaction that reads or writes v, nil if
// there is none.
func recallOf(v View) *recall {
	if o, ok := v.(*Overlay); ok {
		return o.recall
	}
	return nil
}
