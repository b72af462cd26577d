package manifest

import "slices"

// shapes is the one list of networks that have a name. A new shape gets its row
// here.
var shapes = []struct {
	name, what string
	m          Manifest
}{
	{"default", "four validators and a lock: one validator may fail", Manifest{Name: "hybridos-testnet", Validators: 4, Devices: 1, LogLevel: "info"}},
	{"single", "one validator and a lock, for small machines", Manifest{Name: "hybridos-single", Validators: 1, Devices: 1, LogLevel: "info"}},
	{"bridged", "four validators, a lock and the MQTT bridge", Manifest{Name: "hybridos-bridged", Validators: 4, Devices: 1, Bridge: true, LogLevel: "info"}},
	{"phone", "four validators and a lock, with the page that makes a phone a key", Manifest{Name: "hybridos-phone", Validators: 4, Devices: 1, Phone: true, LogLevel: "info"}},
	{"demo", "what the demonstration runs on", Manifest{Name: "hybridos-demo", Validators: 4, Devices: 2, Bridge: true, Phone: true, LogLevel: "info"}},
}

// Shape gives the network of a name.
func Shape(name string) (Manifest, bool) {
	for _, s := range shapes {
		if s.name == name {
			return s.m, true
		}
	}
	return Manifest{}, false
}

// Shapes lists the names with what they are for, in order.
func Shapes() (names, what []string) {
	for _, s := range shapes {
		names, what = append(names, s.name), append(what, s.what)
	}
	return slices.Clip(names), slices.Clip(what)
}
