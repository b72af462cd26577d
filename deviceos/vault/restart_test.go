package vault_test

import (
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/deviceos/vault"
	"github.com/hybridos-net/hybridos/deviceos/vault/vaulttest"
)

// killed is a disk on which the process dies at a certain step: it is refused,
// and the names and bytes stay as the kernel has them in memory.
type killed struct {
	*vaulttest.Disk
	atSyncDir bool
}

var errKilled = errors.New("killed")

func (k *killed) SyncDir(dir string) error {
	if k.atSyncDir {
		return errKilled
	}
	return k.Disk.SyncDir(dir)
}

// TestOpen_KilledInRewrite: a process that is killed after the new file got its
// name, but before that name was on disk, does not leave the next one with a
// file that a power cut takes back.
func TestOpen_KilledInRewrite(t *testing.T) {
	for seed := range uint64(20) {
		disk := &killed{Disk: vaulttest.New()}
		v := open(t, disk)
		disk.atSyncDir = true
		value := make([]byte, 200_000)
		for v.Err() == nil {
			if err := v.Blob(vault.FamilyHead).Save(value); err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
		}
		v.Close()
		disk.atSyncDir = false
		v = open(t, disk)
		if err := v.Commit(put(lane(1), 1)); err != nil {
			t.Fatal(err)
		}
		after := open(t, disk.Crash(seed))
		if raw, err := after.Get(lane(1)); err != nil || len(raw) != 1 {
			t.Fatalf("seed %d: a confirmed record is gone: %x, %v", seed, raw, err)
		}
	}
}

// TestOpen_KilledBeforeSync: what a restarted process reads is on disk.
func TestOpen_KilledBeforeSync(t *testing.T) {
	for seed := range uint64(20) {
		disk := vaulttest.New()
		v := open(t, disk)
		disk.FailSync(errKilled)
		if err := v.Commit(put(lane(1), 1)); !errors.Is(err, errKilled) {
			t.Fatalf("got %v", err)
		}
		v.Close()
		disk.FailSync(nil)
		v = open(t, disk)
		if raw, err := v.Get(lane(1)); err != nil || raw == nil {
			t.Fatalf("not even in memory: %x, %v", raw, err)
		}
		after := open(t, disk.Crash(seed))
		if raw, err := after.Get(lane(1)); err != nil || raw == nil {
			t.Fatalf("seed %d: what was read is gone: %x, %v", seed, raw, err)
		}
	}
}
