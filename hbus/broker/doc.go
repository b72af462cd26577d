// Package broker is the core of hbus: who is connected, which endpoint has
// which method, which call waits for whom until when, who subscribed to what.
//
// It is not a socket: a face (hbus/face/native) reads messages, gives them to a
// Session and implements Peer for what goes out. It keeps no goroutine.
//
// Use New, then Attach for every connection; Session.Handle takes what the
// peer says.
//
// What must never change: every call gets exactly one answer; only the called
// provider can give it; a deadline holds whatever the provider does; a
// verified marker passes only from a session that has both the agent's uid and
// its key; nothing here waits for a peer.
package broker
