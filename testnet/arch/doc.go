// Package arch holds the rules of how this project is built, as tests: which
// package may import which, what every source file must have, and that the
// documents name only what is there.
//
// It has no code to use. Start at rules in deps_test.go and checks in
// source_test.go. What must never change: each check is shown to fail on a bad
// example.
package arch
