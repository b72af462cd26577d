package topic

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	var chain [32]byte
	for i := range chain {
		chain[i] = byte(i)
	}
	if got, want := Checkpoint(chain), "hybridos/0001020304050607/checkpoint/1"; got != want {
		t.Errorf("checkpoint topic %q, want %q", got, want)
	}
	if got, want := Event(chain, 0xa), "hybridos/0001020304050607/event/0a/1"; got != want {
		t.Errorf("event topic %q, want %q", got, want)
	}
	other := chain
	other[7] ^= 1
	if Checkpoint(other) == Checkpoint(chain) {
		t.Error("two chains share a topic")
	}
	seen := map[string]bool{}
	for _, p := range Protocols() {
		if seen[p] || !strings.HasPrefix(p, "/hybridos/") || !strings.HasSuffix(p, "/1") {
			t.Errorf("protocol id %q is doubled or malformed", p)
		}
		seen[p] = true
	}
}

// TestShard_Vectors pins the function: devices and wallets must agree for ever.
func TestShard_Vectors(t *testing.T) {
	for _, c := range []struct {
		id   string
		want uint8
	}{
		{"0000000000000000000000000000000000000000", 0xce},
		{"0102030405060708090a0b0c0d0e0f1011121314", 0x9d},
		{"ffffffffffffffffffffffffffffffffffffffff", 0xdd},
	} {
		var id [20]byte
		if _, err := hex.Decode(id[:], []byte(c.id)); err != nil {
			t.Fatal(err)
		}
		if got := Shard(id); got != c.want {
			t.Errorf("shard of %s is %#02x, want %#02x", c.id, got, c.want)
		}
	}
}

// TestEvent_NoDevice: a topic tells nothing but the shard.
func TestEvent_NoDevice(t *testing.T) {
	var chain [32]byte
	id := [20]byte{0xde, 0xad, 0xbe, 0xef}
	if strings.Contains(Event(chain, Shard(id)), hex.EncodeToString(id[:4])) {
		t.Error("topic carries the device id")
	}
	used := map[uint8]int{}
	for i := range 10000 {
		used[Shard([20]byte{byte(i), byte(i >> 8)})]++
	}
	if len(used) != Shards {
		t.Errorf("%d of %d shards used", len(used), Shards)
	}
}
