package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// victim is the validator that dies; three others go on without it.
const victim = "val4"

// phases are the moments of a commit at which the victim dies, in their order:
// the end of each place's name and what stands on disk then.
var phases = []struct{ place, what string }{
	{"before stores/blockstore", "votes for the block in the WAL, the block not stored"},
	{"after stores/blockstore", "block stored, its end not in the WAL"},
	{"finalize", "block's end in the WAL, not executed"},
	{"finalized", "executed in memory, nothing of it stored"},
	{"before stores/state", "executed, its results not stored"},
	{"after stores/state", "results stored, state tree a block behind"},
	{"commit", "in Commit, before anything is written"},
	{"before data/state", "in Commit, the tree's batch made but not synced"},
	{"after data/state", "in Commit, the tree's batch synced"},
	{"unpruned", "tree committed, old versions still there"},
	{"committed", "tree committed, CometBFT's state a block behind"},
	{"before stores/outcomes", "state stored, outcomes not kept"},
	{"after stores/outcomes", "outcomes kept"},
}

// mortal is a network of four validators under load, of which one can be told
// where to die.
type mortal struct {
	t    *testing.T
	ctx  context.Context
	net  *harness.Network
	load *load
	file string // orders for the places
}

func newMortal(t *testing.T) *mortal {
	t.Helper()
	bin := mortalPrograms(t)
	n, ctx := upWith(t, bin, manifest.Manifest{Name: "hos-crash", Validators: 4, LogLevel: "info"}, time.Duration(rounds(5, 30))*time.Minute)
	m := &mortal{t: t, ctx: ctx, net: n, file: filepath.Join(t.TempDir(), "place")}
	check(t, n.Stop(ctx, victim))
	t.Setenv(failpointFile, m.file)
	check(t, n.Start(ctx, victim))
	m.load = startLoad(t, n, 6)
	m.back()
	return m
}

// mesh is where a node answers.
func (m *mortal) mesh(name string) string { return nodeMesh(m.net, name) }

// back waits until the victim has a block after the newest of the others, which
// a light client verifies: it carries the state's root after that.
func (m *mortal) back() {
	m.t.Helper()
	head := must(m.net.AwaitHead(m.ctx, 1, m.mesh("val1")))(m.t)
	must(m.net.AwaitHead(m.ctx, head.Height+1, m.mesh(victim)))(m.t)
}

// died waits for the victim's end by its own hand and gives the place.
func (m *mortal) died() string {
	m.t.Helper()
	select {
	case err := <-m.net.Crashes():
		var crash *harness.CrashError
		if !errors.As(err, &crash) || crash.Name != victim {
			m.t.Fatal(err)
		}
	case <-m.ctx.Done():
		m.t.Fatalf("the victim passes no such place: %q", must(os.ReadFile(m.file))(m.t))
	}
	return m.told()
}

func (m *mortal) told() string {
	m.t.Helper()
	place := must(os.ReadFile(m.file + ".told"))(m.t)
	check(m.t, os.Remove(m.file))
	check(m.t, os.Remove(m.file+".told"))
	return string(place)
}

// TestCrash kills a validator at each phase of a commit, in the replay after
// that, at random writes and at random moments, and tears its WAL. It must come
// back each time by a plain start, and in the end no node's chain or state may
// differ, nobody may have signed twice, and what was acknowledged must stand in
// the chain exactly once.
func TestCrash(t *testing.T) {
	m := newMortal(t)
	random := rand.New(rand.NewPCG(4, uint64(rounds(1, 2))))
	kills := 0
	for range rounds(1, 5) {
		for _, p := range phases {
			order(t, m.file, 1+random.IntN(2), p.place)
			m.died()
			check(t, m.net.Start(m.ctx, victim))
			m.back()
			kills++
		}
	}
	kills += m.byComet(rounds(2, 22))
	kills += m.inReplay(random, rounds(1, 30))
	kills += m.atRandom(random, rounds(6, 200))
	m.load.end()
	t.Logf("%d kills, %d transactions acknowledged", kills, m.load.count())
	m.stopAll()
	m.judge()
}

// byComet lets CometBFT's own fail points end the victim, among them the two
// after its votes went into the WAL and before they are handled.
func (m *mortal) byComet(n int) int {
	m.t.Helper()
	for i := range n {
		check(m.t, m.net.Stop(m.ctx, victim))
		check(m.t, os.Setenv("FAIL_TEST_INDEX", strconv.Itoa(i)))
		err := m.net.Start(m.ctx, victim)
		check(m.t, os.Unsetenv("FAIL_TEST_INDEX"))
		if err == nil {
			err = <-m.net.Crashes()
		}
		var crash *harness.CrashError
		if !errors.As(err, &crash) {
			m.t.Fatal(err)
		}
		check(m.t, m.net.Start(m.ctx, victim))
		m.back()
	}
	return n
}

// inReplay kills the victim again while it makes up for a block that it had
// stored but not executed.
func (m *mortal) inReplay(random *rand.Rand, n int) int {
	m.t.Helper()
	for range n {
		order(m.t, m.file, 1, "after stores/blockstore")
		m.died()
		order(m.t, m.file, 1+random.IntN(8), "")
		err := m.net.Start(m.ctx, victim)
		var crash *harness.CrashError
		switch {
		case err == nil:
			m.died()
		case errors.As(err, &crash):
			m.told()
		default:
			m.t.Fatal(err)
		}
		check(m.t, m.net.Start(m.ctx, victim))
		m.back()
	}
	return 2 * n
}

// atRandom kills the victim at a random write of any store, or from outside
// once the load has made some way; every fourth time the end of its WAL is
// torn off.
func (m *mortal) atRandom(random *rand.Rand, n int) int {
	m.t.Helper()
	for i := range n {
		if i%2 == 0 {
			order(m.t, m.file, 1+random.IntN(80), "")
			m.died()
		} else {
			check(m.t, m.load.await(m.ctx, 1+random.IntN(9)))
			check(m.t, m.net.Kill(m.ctx, victim))
		}
		if i%4 == 0 {
			m.tear(1 + random.IntN(300))
		}
		check(m.t, m.net.Start(m.ctx, victim))
		m.back()
	}
	return n
}

func (m *mortal) home(name string) home.Dir { return home.Dir(filepath.Join(m.net.Dir(), name)) }

func (m *mortal) tear(n int) {
	m.t.Helper()
	wal := filepath.Join(m.home(victim).EngineDir(), "wal", "wal")
	size := must(os.Stat(wal))(m.t).Size()
	check(m.t, os.Truncate(wal, max(0, size-int64(n))))
}

func (m *mortal) stopAll() {
	m.t.Helper()
	for _, name := range m.net.Names() {
		if err := m.net.Stop(m.ctx, name); err != nil {
			m.t.Fatal(fmt.Errorf("stop %s: %w", name, err))
		}
	}
}
