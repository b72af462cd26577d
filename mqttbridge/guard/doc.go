// Package guard is the strict front that stands between the network and the
// MQTT engine: it owns the socket, reads the MQTT framing itself, and hands the
// engine only whole packets that it has checked byte by byte.
//
// It is not a broker: it knows nothing of accounts, topics' owners or sessions.
// It only decides whether bytes are MQTT 3.1.1 or 5 as a client may send them,
// and whether they came in time and in bounds.
//
// Entry points: New makes a Front, Front.Run serves a listener until its context
// ends. Validator is the pure part and can be used (and fuzzed) by itself.
//
// What must never change: no byte reaches the engine before the packet that it
// belongs to was accepted whole; nothing is allocated on the word of a declared
// length; no client can end the process; each refusal has a kind of its own.
package guard
