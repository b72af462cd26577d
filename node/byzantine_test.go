package node

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cometbft/cometbft/abci/types"
	wire "github.com/cometbft/cometbft/proto/tendermint/types"
	blocks "github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// battle is three honest validators and a fifth column.
type battle struct {
	*testnet
	fifth   *fifthColumn
	log     *record
	clients []*fetch.Client
	rival   *key.Private // a second vendor
	next    map[*key.Private]uint64
	acked   map[[32]byte]int64 // height at which a transaction was acknowledged
}

const honest = 3

func newBattle(t *testing.T) *battle {
	t.Helper()
	b := &battle{
		testnet: newNetwork(t, honest+1, 0), log: &record{}, rival: secret(t, "rival"),
		next: map[*key.Private]uint64{}, acked: map[[32]byte]int64{},
	}
	b.doc.Vendors = append(b.doc.Vendors, genesis.Vendor{
		Name: "rival", Keys: []key.Public{b.rival.Public()}, Threshold: 1, Quota: 100,
	})
	b.logger = b.log.logger()
	t.Cleanup(b.stopAll)
	var before []string
	for i := range honest {
		before = b.start(i, before...).run.Mesh
	}
	b.fifth = b.startFifth(honest)
	for i := range honest {
		<-b.nodes[i].step
		b.clients = append(b.clients, b.client(i))
	}
	return b
}

// product registers a new device of a vendor, not yet signed.
func (b *battle) product(by *key.Private, sequence uint64, expires time.Duration) *tx.Tx {
	b.t.Helper()
	device := secret(b.t, fmt.Sprint(by.Public().ID(), sequence))
	p := &tx.RegisterDevice{Key: device.Public(), SealKey: [32]byte{1}, Model: "lock"}
	out, err := tx.New(by.Public().AccountID(), sequence, uint64(time.Now().Add(expires).Unix()), p)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *battle) signed(by *key.Private, sequence uint64) []byte {
	p := b.product(by, sequence, 10*time.Minute)
	p.Sign(b.doc.Chain(), tx.RoleVendor, by)
	return p.Bytes()
}

// submit has the next transaction of a vendor executed through one of the
// honest nodes, and gives its height.
func (b *battle) submit(t *testing.T, by *key.Private) int64 {
	t.Helper()
	raw := b.signed(by, b.next[by])
	r := mustSubmit(t, b.clients[len(b.acked)%honest], raw)
	b.next[by]++
	b.acked[sha256.Sum256(raw)] = r.Height
	return r.Height
}

// until submits until the channel tells something.
func (b *battle) until(t *testing.T, told <-chan struct{}) {
	t.Helper()
	for range 24 {
		b.submit(t, b.vendor)
		select {
		case <-told:
			return
		default:
		}
	}
	t.Fatal("the fifth column had no turn in 24 blocks")
}

// refusals sums the metric of the honest nodes.
func (b *battle) refusals(t *testing.T) (sum int) {
	t.Helper()
	for i := range honest {
		sum += metric(t, b.nodes[i].run.HTTP, "hosd_proposals_refused_total")
	}
	return sum
}

func metric(t *testing.T, base, name string) int {
	t.Helper()
	resp, err := http.Get(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(rest))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// lies is a battle: three honest validators and one that lies in every way that
// its place allows. The chain goes on, nothing of the lies stands in it, and
// everything that was acknowledged does, once. Each is most of its time in
// CometBFT's pauses, so they run side by side.
func lies(t *testing.T, run func(t *testing.T, b *battle)) {
	t.Parallel()
	b := newBattle(t)
	b.submit(t, b.vendor)
	b.submit(t, b.rival)
	run(t, b)
	b.fifth.tell(false, nil)
	b.submit(t, b.vendor)
	b.testOneChain(t)
	b.testOnce(t)
	b.log.calm(t)
}

// strange is a payload of a kind that is not known.
type strange struct {
	Field uint64 `cbor:"1,keyasint"`
}

func (*strange) Kind() tx.Kind         { return 60_000 }
func (*strange) StaticValidate() error { return nil }

// lie is a proposal of the fifth column, and why the others must refuse it.
type lie struct {
	name string
	want error
	make proposal
}

// behind puts one transaction behind the honest ones.
func behind(raw func(*types.RequestPrepareProposal) []byte) proposal {
	return func(r *types.RequestPrepareProposal, good [][]byte) [][]byte { return append(good, raw(r)) }
}

func (b *battle) testLies(t *testing.T, lies []lie) {
	for _, l := range lies {
		t.Run(l.name, func(t *testing.T) {
			before, mark := b.refusals(t), len(b.log.String())
			b.fifth.tell(true, l.make)
			b.until(t, b.fifth.lied)
			if after := b.refusals(t); after <= before {
				t.Errorf("%d proposals refused, before %d", after, before)
			}
			found := false
			for line := range strings.Lines(b.log.String()[mark:]) {
				found = found || strings.Contains(line, "proposal refused") && strings.Contains(line, l.want.Error()) &&
					strings.Contains(line, b.fifth.signer.address().String())
			}
			if !found {
				t.Errorf("no log of a refusal with %v of the fifth column", l.want)
			}
		})
	}
}

// Proposals of bytes that are no transactions of this ledger, and of bytes that
// are no block at all.
func TestByzantine_Bytes(t *testing.T) {
	lies(t, func(t *testing.T, b *battle) {
		noise := rand.NewChaCha8([32]byte{1})
		garbage := func(n int) []byte {
			out := make([]byte, n)
			_, _ = noise.Read(out)
			return out
		}
		b.testLies(t, []lie{
			{"cut short", codec.Malformed, behind(func(*types.RequestPrepareProposal) []byte {
				raw := b.signed(b.rival, 1)
				return raw[:len(raw)-1]
			})},
			{"oversized", codec.TooLarge, behind(func(*types.RequestPrepareProposal) []byte { return garbage(1 << 20) })},
			{"unsigned", tx.Malformed, behind(func(*types.RequestPrepareProposal) []byte {
				return b.product(b.rival, 1, time.Minute).Bytes()
			})},
			{"unknown kind", tx.UnknownKind, behind(func(*types.RequestPrepareProposal) []byte {
				p, err := tx.New(b.rival.Public().AccountID(), 1, uint64(time.Now().Unix())+60, &strange{1})
				if err != nil {
					panic(err)
				}
				p.Sign(b.doc.Chain(), tx.RoleVendor, b.rival)
				return p.Bytes()
			})},
			{"a full block of garbage", codec.Malformed, func(r *types.RequestPrepareProposal, _ [][]byte) (out [][]byte) {
				for left := r.MaxTxBytes; left > 260; left -= 260 {
					out = append(out, garbage(256))
				}
				return out
			}},
		})
		b.testNoBlocks(t)
	})
}

// Proposals of transactions in good form that may not be executed.
func TestByzantine_Transactions(t *testing.T) {
	lies(t, func(t *testing.T, b *battle) {
		old := b.signed(b.rival, 0) // executed already
		b.testLies(t, []lie{
			{"signed by another", state.WrongSigner, behind(func(*types.RequestPrepareProposal) []byte {
				p := b.product(b.rival, 1, time.Minute)
				p.Sign(b.doc.Chain(), tx.RoleVendor, b.vendor)
				return p.Bytes()
			})},
			{"damaged signature", key.BadSignature, behind(func(*types.RequestPrepareProposal) []byte {
				p := b.product(b.rival, 1, time.Minute)
				p.Sign(b.doc.Chain(), tx.RoleVendor, b.rival)
				p.Sigs[0].Bytes[40] ^= 1
				return p.Bytes()
			})},
			{"twice in a block", state.BadSequence, func(_ *types.RequestPrepareProposal, good [][]byte) [][]byte {
				if len(good) == 0 {
					return nil
				}
				return append(good, good[0])
			}},
			{"executed long ago", state.BadSequence, behind(func(*types.RequestPrepareProposal) []byte { return old })},
			{"expired", state.TxExpired, behind(func(r *types.RequestPrepareProposal) []byte {
				p := b.product(b.rival, 1, time.Until(r.Time.Add(-time.Second)))
				p.Sign(b.doc.Chain(), tx.RoleVendor, b.rival)
				return p.Bytes()
			})},
			{"out of sequence", state.BadSequence, behind(func(*types.RequestPrepareProposal) []byte { return b.signed(b.rival, 7) })},
		})
	})
}

// A validator that censors and votes against everything delays what it can.
func TestByzantine_CensorAndNilVotes(t *testing.T) {
	lies(t, func(t *testing.T, b *battle) {
		b.testCensorship(t)
		b.testNilVotes(t)
	})
}

// One account's transactions are left out by the fifth column for as long as it
// is proposer; the next proposer takes them.
func (b *battle) testCensorship(t *testing.T) {
	victim := b.rival.Public().AccountID()
	turns := make(chan int64, 64) // heights of the blocks that it was left out of
	b.fifth.tell(false, func(r *types.RequestPrepareProposal, good [][]byte) [][]byte {
		out := [][]byte{}
		for _, raw := range good {
			if p, err := tx.Decode(raw); err != nil || p.Body.Account != victim {
				out = append(out, raw)
			}
		}
		if len(out) < len(good) {
			turns <- r.Height
		}
		return out
	})
	worst := int64(0)
	for seen := 0; seen < 2; {
		if b.next[b.rival] > 30 {
			t.Fatal("nothing was censored in 30 blocks")
		}
		height := b.submit(t, b.rival)
		for more := true; more; {
			select {
			case left := <-turns:
				seen++
				worst = max(worst, height-left)
			default:
				more = false
			}
		}
	}
	b.fifth.tell(false, nil)
	t.Logf("in a block at most %d heights after the one that it was left out of", worst)
	if worst > 2 { // 2 only if it had not yet reached the next proposer
		t.Errorf("a censored transaction was executed %d heights later", worst)
	}
}

func (b *battle) height(t *testing.T) int64 {
	t.Helper()
	return b.head(t, 0).Header.Height
}

// head is the newest block of an honest node.
func (b *battle) head(t *testing.T, i int) *light.Block { return b.block(t, i, 0) }

func (b *battle) block(t *testing.T, i int, height int64) *light.Block {
	t.Helper()
	raw, err := b.clients[i].LightBlock(t.Context(), height)
	if err != nil {
		t.Fatal(err)
	}
	block, err := light.DecodeBlock(b.doc.ChainID, raw)
	if err != nil {
		t.Fatal(err)
	}
	return block
}

// The fifth column votes against every block.
func (b *battle) testNilVotes(t *testing.T) {
	b.fifth.signer.nilVotes.Store(true)
	from := b.height(t) + 1
	var last int64
	for range 5 {
		last = b.submit(t, b.vendor)
	}
	b.fifth.signer.nilVotes.Store(false)
	b.fifth.await(t, last)
	nils := 0
	for h := from + 1; h <= last; h++ {
		for _, s := range b.fifth.comet.BlockStore().LoadBlock(h).LastCommit.Signatures {
			if s.BlockIDFlag == blocks.BlockIDFlagNil && bytes.Equal(s.ValidatorAddress, b.fifth.signer.address()) {
				nils++
			}
		}
	}
	if nils == 0 {
		t.Errorf("no vote for nothing in the commits of blocks %d to %d", from, last)
	}
}

// Proposals that CometBFT itself has to stop: a whole block's worth of bytes
// that are no block, and one that promises far more parts than a block may have.
func (b *battle) testNoBlocks(t *testing.T) {
	for name, other := range map[string]func(p *wire.Proposal) *blocks.PartSet{
		"bytes": func(p *wire.Proposal) *blocks.PartSet {
			parts := blocks.NewPartSetFromData(bytes.Repeat([]byte{0xfe}, 4<<20), blocks.BlockPartSizeBytes)
			head := parts.Header()
			p.BlockID.PartSetHeader = head.ToProto()
			return parts
		},
		"promises": func(p *wire.Proposal) *blocks.PartSet {
			p.BlockID.PartSetHeader.Total = 1 << 20
			return nil
		},
	} {
		b.until(t, b.fifth.signer.instead(other))
		t.Logf("%s: the chain goes on", name)
	}
	b.submit(t, b.vendor)
}

// testOneChain compares the honest nodes' chains: the hash of a header covers
// the state before it and all headers before.
func (b *battle) testOneChain(t *testing.T) {
	t.Helper()
	last := b.height(t)
	for i := range honest {
		last = min(last, b.head(t, i).Header.Height)
	}
	for i := range honest {
		if got, want := b.block(t, i, last), b.block(t, 0, last); got.Hash != want.Hash || !bytes.Equal(got.Header.AppHash, want.Header.AppHash) {
			t.Errorf("block %d of node %d differs", last, i)
		}
	}
}

func hashOf(b *light.Block) []byte { return b.Hash[:] }

// testOnce reads the whole chain: every acknowledged transaction stands in it
// once, at its height, and nothing else does.
func (b *battle) testOnce(t *testing.T) {
	t.Helper()
	// The first honest node may be a block behind the one that acknowledged last.
	last := slices.Max(slices.Collect(maps.Values(b.acked)))
	b.fifth.await(t, last)
	known := min(last, b.height(t))
	if got := b.fifth.comet.BlockStore().LoadBlockMeta(known).BlockID.Hash; !bytes.Equal(got, hashOf(b.block(t, 0, known))) {
		t.Fatal("the chain that is read is not that of the honest nodes")
	}
	seen := map[[32]byte]int64{}
	for h := int64(1); h <= last; h++ {
		for _, raw := range b.fifth.comet.BlockStore().LoadBlock(h).Txs {
			id := sha256.Sum256(raw)
			if seen[id] != 0 {
				t.Errorf("a transaction stands in blocks %d and %d", seen[id], h)
			}
			if seen[id] = h; b.acked[id] != h {
				t.Errorf("block %d has a transaction that was acknowledged at %d", h, b.acked[id])
			}
		}
	}
	if len(seen) != len(b.acked) {
		t.Errorf("%d transactions in blocks, %d acknowledged", len(seen), len(b.acked))
	}
}
