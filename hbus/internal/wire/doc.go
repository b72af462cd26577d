// Package wire carries msg frames over one Unix-socket connection: a buffered
// reader, and a bounded write queue that never blocks the one who queues.
//
// It is not a protocol: it knows no order of messages. Use New, then Next in
// one goroutine and Queue with Flush in any.
//
// What must never change: memory per connection is bounded by limits.go
// whatever the peer does; Queue and Flush never wait for the peer; events that
// are dropped are counted and told with a Lost message at their place.
package wire
