package topicmap

// Mappings is the whole table. A new kind of thing over MQTT is one file of this
// package and one line here.
func Mappings() []Mapping {
	return []Mapping{
		lock(),
	}
}

// Find gives the mapping of that kind.
func Find(kind string) (Mapping, bool) {
	for _, m := range Mappings() {
		if m.Kind == kind {
			return m, true
		}
	}
	return Mapping{}, false
}
