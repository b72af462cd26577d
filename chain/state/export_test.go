package state

import "github.com/hybridos-net/hybridos/chain/tx"

// RuleRows gives the roles of every row of the authorisation table.
func RuleRows() map[tx.Kind][][]tx.Role {
	rows := make(map[tx.Kind][][]tx.Role)
	for _, r := range rules {
		rows[r.kind] = append(rows[r.kind], r.roles)
	}
	return rows
}

// WithRoles runs f while the row of a kind lists other roles; nil takes the row
// out of the table.
func WithRoles(k tx.Kind, roles []tx.Role, f func()) {
	saved := rules
	defer func() { rules = saved }()
	rules = nil
	for _, r := range saved {
		if r.kind == k {
			if roles == nil {
				continue
			}
			r.roles = roles
		}
		rules = append(rules, r)
	}
	f()
}

// ExecutePlainly is Execute without a memory of decoded records.
func ExecutePlainly(s Tree, b Block, t *tx.Tx) error {
	o := NewOverlay(s)
	if err := Check(o, b, t); err != nil {
		return err
	}
	if err := Apply(o, b, t); err != nil {
		return err
	}
	return o.Flush()
}
