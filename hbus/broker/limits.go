package broker

// Defaults of Limits.
const (
	// DefaultPeers bounds connections: a device has tens of apps.
	DefaultPeers = 1024
	// DefaultPeersPerUID keeps one user from taking all of them. The agent's
	// uid is not held to it: the lock must stay reachable.
	DefaultPeersPerUID = 512
	// DefaultOutstanding bounds the calls one peer has waiting.
	DefaultOutstanding = 256
	// DefaultServing bounds the calls that wait for one provider.
	DefaultServing = 1024
	// DefaultMethods bounds the methods one peer registers.
	DefaultMethods = 256
	// DefaultSubscriptions bounds the patterns of one peer.
	DefaultSubscriptions = 128
)

// Limits bounds what peers can make the broker hold. A zero means the default.
type Limits struct {
	Peers         int
	PeersPerUID   int
	Outstanding   int
	Serving       int
	Methods       int
	Subscriptions int
}

func (l *Limits) each(f func(v *int, def int)) {
	f(&l.Peers, DefaultPeers)
	f(&l.PeersPerUID, DefaultPeersPerUID)
	f(&l.Outstanding, DefaultOutstanding)
	f(&l.Serving, DefaultServing)
	f(&l.Methods, DefaultMethods)
	f(&l.Subscriptions, DefaultSubscriptions)
}

func (l *Limits) defaults() {
	l.each(func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	})
}

func (l *Limits) validate() error {
	var err error
	l.each(func(v *int, _ int) {
		if *v < 0 {
			err = errNegative
		}
	})
	return err
}
