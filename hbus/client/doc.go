// Package client is how a Go program takes part in the bus: call methods, offer
// methods, publish and receive events over one connection to hbusd.
//
// It is not a broker and it does not reconnect: Done tells that the connection
// is lost, and what to do then is the program's business.
//
// Use Dial, then Client.Call or Client.Register.
//
// What must never change: payload bytes go out and come in untouched; every
// call returns, at the latest with the deadline; buffers are bounded and what
// they drop is told.
package client
