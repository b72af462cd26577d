// Package msg is the native language of hbus: the frame format and the
// message types of docs/spec/hbus.md, with a strict decoder and an encoder
// that never looks inside a payload.
//
// It is pure: no socket, no clock, no randomness. It is not the bus (that is
// hbus/broker) and not a client (hbus/client).
//
// Use Decoder.Decode to read the body of one frame, and Append to write one
// frame.
//
// What must never change: the four-byte big-endian length, the names of
// message types, fields and codes that are already listed here, and the rule
// that payload bytes (params, result, data, verified) are forwarded as they
// came. New fields and types belong to a new protocol Version.
package msg
