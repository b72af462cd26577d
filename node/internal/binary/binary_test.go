package binary

import (
	"crypto/sha256"
	"os"
	"testing"
)

func TestHash_IsThatOfTheFile(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Hash()
	if err != nil || got != sha256.Sum256(raw) {
		t.Errorf("%x, %v", got, err)
	}
}
