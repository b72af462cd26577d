package store

// Revert makes an older version the last one and forgets the later ones, in one
// durable step. The ledger above must be stopped, and go back as well.
func (t *Tree) Revert(version int64) (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.at(version); err != nil {
		return err
	}
	defer t.catch("revert", &err)
	if err := t.tree.LoadVersionForOverwriting(version); err != nil {
		return t.fault("revert", err)
	}
	return t.renew()
}
