// Package peripheral is what a device can be told to do: the one list of
// endpoints and methods with their freshness classes, and the marker with which
// the agent hands a verified command to the app that drives the hardware.
//
// It drives nothing: each peripheral is a package below this one and a process
// of its own on the bus. Callers use Find and Marker.
//
// What must never change: a method that is not listed does not exist, whatever
// an app registers on the bus; the names of methods, which owners' grants
// contain.
package peripheral

// Endpoint is a part of the device that takes commands.
type Endpoint struct {
	Name    string
	App     string // name on the bus of the app that serves it
	Methods []Method
}

// Method is what an endpoint can do.
type Method struct {
	Name  string
	Class Class // left out: Access
	Floor Class // the loosest class that an owner may choose; left out: Access
	// Resource is the part of the hardware that the method has for itself: of
	// commands to it, an older one does not come after a newer. Left out: none.
	Resource string
}

// BusName is the method's name on the bus.
func (e Endpoint) BusName(method string) string { return e.App + "/" + method }

// Self is the endpoint of what a device does of itself; the agent serves it.
const Self = "device"

// Methods of Self.
const (
	// ReceiptsMethod gives the device's receipts (p2p/receipts).
	ReceiptsMethod = "receipts"
	// AnchorMethod signs an anchor of receipts.
	AnchorMethod = "anchor"
)

// Endpoints is the list. A new peripheral gets its row here and its folder
// beside lock/; grants then can name its methods.
func Endpoints() []Endpoint {
	return []Endpoint{
		{Name: Self, App: "agent", Methods: []Method{
			{Name: AnchorMethod, Class: Access},
			{Name: ReceiptsMethod, Class: Read, Floor: Read},
		}},
		{Name: "lock", App: "lock", Methods: []Method{
			{Name: "lock", Class: Access, Floor: Comfort, Resource: "bolt"},
			{Name: "open", Class: Access, Floor: Comfort, Resource: "bolt"},
			{Name: "state", Class: Read, Floor: Read},
			{Name: "unlock", Class: Access, Floor: Comfort, Resource: "bolt"},
		}},
	}
}

// Find looks a method up.
func Find(endpoint, method string) (Endpoint, Method, bool) {
	for _, e := range Endpoints() {
		if e.Name != endpoint {
			continue
		}
		for _, m := range e.Methods {
			if m.Name == method {
				return e, m, true
			}
		}
	}
	return Endpoint{}, Method{}, false
}

// ClassOf gives a method's class; false for one that does not exist.
func ClassOf(endpoint, method string) (Class, bool) {
	_, m, ok := Find(endpoint, method)
	return m.Class, ok
}

// ResourceOf names the part of the device that a method has for itself; empty for
// none.
func ResourceOf(endpoint, method string) string {
	e, m, _ := Find(endpoint, method)
	if m.Resource == "" {
		return ""
	}
	return e.Name + "." + m.Resource
}

// FloorOf gives the loosest class that an owner may choose for a method; Access
// for one that does not exist.
func FloorOf(endpoint, method string) Class {
	_, m, _ := Find(endpoint, method)
	return m.Floor
}
