// Package e2e tests the real programs together, as processes on the loopback
// network: the journey of the demonstration, the first run, joining, and nodes
// and validators that lie.
//
// It holds tests only. Start at TestMain, which builds the programs, and at
// TestJourney.
//
// What must never change: no test here replaces a program by a fake; liars are
// made of real keys and real state.
package e2e
