package gate

import (
	"errors"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/deviceos/vault"
	"github.com/hybridos-net/hybridos/deviceos/vault/vaulttest"
)

// TestJournal_OvertakenAtExpiry: a command that read the time before it expired,
// and gets its turn after a later one has forgotten all that had, is refused.
// Its record and its lane are gone, so nothing else would notice a replay.
func TestJournal_OvertakenAtExpiry(t *testing.T) {
	v, err := vault.Open("device", vault.Config{FS: vaulttest.New()})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	j, err := openJournal(v, 100)
	if err != nil {
		t.Fatal(err)
	}
	expiry := time.UnixMilli(2_000_000)
	order := func(salt uint64, expires time.Time) *request {
		return &request{id: command.ID{byte(salt)}, cmd: &command.Command{Body: command.Body{
			Key: key.KeyID{1}, Salt: salt, Nonce: 1, Expires: uint64(expires.UnixMilli())}}}
	}
	begin := func(r *request, now time.Time) error {
		e, _, err := j.reserve(r, now)
		if err == nil {
			close(e.done)
		}
		return err
	}
	if err := begin(order(1, expiry), expiry.Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	for salt := uint64(2); salt <= MaxLanesPerKey+1; salt++ {
		// The first of these forgets the record; the last needs the lane's room.
		now := expiry.Add(keep + time.Duration(salt)*10*time.Millisecond)
		if err := begin(order(salt, now.Add(5*time.Millisecond)), now); err != nil {
			t.Fatal(err)
		}
	}
	if err := begin(order(1, expiry), expiry.Add(-time.Millisecond)); !errors.Is(err, command.Expired) {
		t.Fatalf("taken twice: %v", err)
	}
}
