package api

// Upgrade is what a node knows of the upgrade that is to come.
type Upgrade struct {
	Name   string   `json:"name"`
	Height int64    `json:"height"`        // of the first block that the new program executes
	Hashes []string `json:"hashes"`        // SHA-256 of the programs that may, hex
	URL    string   `json:"url,omitempty"` // where it can be had
	Ready  bool     `json:"ready"`         // this program may
}

// upgradeHeight is 0 while nothing is to come.
func (s Status) upgradeHeight() float64 {
	if s.Upgrade == nil {
		return 0
	}
	return float64(s.Upgrade.Height)
}

// upgradeReady is 1 unless this program must be replaced.
func (s Status) upgradeReady() float64 { return number(s.Upgrade == nil || s.Upgrade.Ready) }
