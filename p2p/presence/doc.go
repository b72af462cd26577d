// Package presence tells a node which device is at the other end of a
// connection, on the stream /hybridos/presence/1, so that the node can hand
// commands to a device that it could never dial.
//
// It proves nothing to anybody but that node, is never gossiped, and gives the
// node no right over the device: a command is judged by the device's gate, its
// receipt by whoever signed the command. Entry points: Announce for the device,
// New for the node.
//
// What must never change: a statement names both ends of the connection that it
// came over, so that neither a node nor a listener can use it anywhere else; and
// what a node knows about a device ends with that connection.
package presence
