package e2e

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	cmtcons "github.com/cometbft/cometbft/proto/tendermint/consensus"
	blocks "github.com/cometbft/cometbft/store"

	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/node/cometdb"
)

// judge compares what the stopped nodes have on disk.
func (m *mortal) judge() {
	m.t.Helper()
	chains := make(map[string]*blocks.BlockStore)
	trees := make(map[string]*store.Tree)
	for _, name := range m.net.Names() {
		db := must(cometdb.Open(filepath.Join(m.home(name).EngineDir(), "stores", "blockstore"), kv.Options{}))(m.t)
		tree := must(store.Open(store.Config{Dir: m.home(name).StateDir()}))(m.t)
		chains[name], trees[name] = blocks.NewBlockStore(db), tree
		m.t.Cleanup(func() { check(m.t, db.Close()); check(m.t, tree.Close()) })
	}
	last := chains[victim].Height()
	seen := make(map[string][]int64)
	for h := int64(1); h <= last; h++ {
		block := chains[victim].LoadBlock(h)
		if len(block.Evidence.Evidence) > 0 {
			m.t.Errorf("block %d holds evidence against a validator", h)
		}
		for _, raw := range block.Txs {
			seen[string(raw)] = append(seen[string(raw)], h)
		}
		for name, c := range chains {
			if other := c.LoadBlockMeta(h); other != nil && !bytes.Equal(other.BlockID.Hash, block.Hash()) {
				m.t.Errorf("%s has another block %d", name, h)
			}
			if h == 1 || trees[name].Version() < h-1 {
				continue
			}
			if root, err := trees[name].HashAt(h - 1); err != nil || !bytes.Equal(root, block.AppHash) {
				m.t.Errorf("%s: state %d has root %x (%v), header %d says %X", name, h-1, root, err, h, block.AppHash)
			}
		}
	}
	if got := trees[victim].Version(); got != last {
		m.t.Errorf("the victim stopped with %d blocks and state %d", last, got)
	}
	for raw, heights := range seen {
		if len(heights) != 1 {
			m.t.Errorf("a transaction stands in the blocks %v", heights)
		}
		if told, ok := m.load.acked[raw]; ok && told != heights[0] {
			m.t.Errorf("a transaction stands in block %d, acknowledged was %d", heights[0], told)
		}
	}
	lost := 0
	for raw, height := range m.load.acked {
		if height <= last && len(seen[raw]) == 0 {
			lost++
		}
	}
	if lost > 0 {
		m.t.Errorf("%d acknowledged transactions are lost", lost)
	}
	m.t.Logf("%d blocks, %d transactions, %d of them acknowledged", last, len(seen), len(m.load.acked))
	m.judgeVotes()
}

// judgeVotes looks for two votes of one validator in one step, in the WALs of
// all: they hold what each signed and what each was sent.
func (m *mortal) judgeVotes() {
	m.t.Helper()
	type step struct {
		who           string
		height, round int64
		kind          int32
	}
	votes := make(map[step]string)
	for _, name := range m.net.Names() {
		files := must(filepath.Glob(filepath.Join(m.home(name).EngineDir(), "wal", "*")))(m.t)
		if len(files) == 0 {
			m.t.Fatalf("%s has no WAL", name)
		}
		for _, file := range files {
			for _, msg := range readWAL(m.t, file) {
				v := msg.GetMsg().GetMsgInfo()
				if v == nil || v.Msg.GetVote() == nil || v.Msg.GetVote().Vote == nil {
					continue
				}
				vote := v.Msg.GetVote().Vote
				s := step{string(vote.ValidatorAddress), vote.Height, int64(vote.Round), int32(vote.Type)}
				id := string(vote.BlockID.Hash)
				if before, ok := votes[s]; ok && before != id {
					m.t.Errorf("validator %x voted twice at %d/%d/%d: %x and %x", s.who, s.height, s.round, s.kind, before, id)
				}
				votes[s] = id
			}
		}
	}
	if len(votes) == 0 {
		m.t.Fatal("no votes in any WAL")
	}
	m.t.Logf("%d votes, none against another", len(votes))
}

// readWAL reads the whole records of a file of CometBFT's WAL: checksum, length,
// protobuf. What is torn or was repaired ends it.
func readWAL(t *testing.T, file string) (out []*cmtcons.TimedWALMessage) {
	t.Helper()
	raw := must(os.ReadFile(file))(t)
	for len(raw) >= 8 {
		n := uint64(binary.BigEndian.Uint32(raw[4:]))
		if uint64(len(raw)) < 8+n {
			break
		}
		msg := new(cmtcons.TimedWALMessage)
		if msg.Unmarshal(raw[8:8+n]) != nil {
			break
		}
		out, raw = append(out, msg), raw[8+n:]
	}
	return out
}
