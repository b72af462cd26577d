package key_test

import (
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
)

// wycheproofDir lies beside the project, not in it.
const wycheproofDir = "../../../shared/testdata/wycheproof"

type wycheproofFile struct {
	NumberOfTests int `json:"numberOfTests"`
	TestGroups    []struct {
		PublicKey struct {
			Curve        string `json:"curve"`
			Uncompressed string `json:"uncompressed"`
		} `json:"publicKey"`
		Sha   string           `json:"sha"`
		Tests []wycheproofCase `json:"tests"`
	} `json:"testGroups"`
}

type wycheproofCase struct {
	TcID    int    `json:"tcId"`
	Comment string `json:"comment"`
	Msg     string `json:"msg"`
	Sig     string `json:"sig"`
	Result  string `json:"result"`
}

// curve is what the two curves' files differ in.
type curve struct {
	name string
	alg  key.Alg
	n    *big.Int
}

var (
	k1 = curve{"secp256k1", key.Secp256k1, order}
	r1 = curve{"secp256r1", key.P256, elliptic.P256().Params().N}
)

// eachWycheproof calls check for every case of a file and asserts the counts.
func eachWycheproof(t *testing.T, on curve, name string, count int, check func(*testing.T, key.Public, [32]byte, []byte, wycheproofCase)) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(wycheproofDir, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not there: Project Wycheproof's vectors lie beside the project, not in it", wycheproofDir)
	}
	if err != nil {
		t.Fatal(err)
	}
	var f wycheproofFile
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, g := range f.TestGroups {
		if g.PublicKey.Curve != on.name || g.Sha != "SHA-256" {
			t.Fatalf("group of curve %s with %s", g.PublicKey.Curve, g.Sha)
		}
		pub := compress(t, on.alg, unhex(t, g.PublicKey.Uncompressed))
		for _, c := range g.Tests {
			seen++
			if c.Result != "valid" && c.Result != "invalid" {
				t.Fatalf("case %d: result %q", c.TcID, c.Result)
			}
			check(t, pub, sha256.Sum256(unhex(t, c.Msg)), unhex(t, c.Sig), c)
		}
	}
	if seen != count || f.NumberOfTests != count {
		t.Fatalf("ran %d cases of %d, want %d", seen, f.NumberOfTests, count)
	}
}

func TestVerify_WycheproofBitcoin(t *testing.T) {
	valid := 0
	eachWycheproof(t, k1, "ecdsa_secp256k1_sha256_bitcoin.json", 463,
		func(t *testing.T, pub key.Public, digest [32]byte, sig []byte, c wycheproofCase) {
			raw, ok := parseDER(sig)
			accepted := ok && pub.Verify(digest, raw) == nil
			if accepted != (c.Result == "valid") {
				t.Errorf("case %d (%s): accepted %v, file says %s", c.TcID, c.Comment, accepted, c.Result)
			}
			if accepted {
				valid++
			}
		})
	if valid != 162 {
		t.Errorf("%d valid cases, want 162", valid)
	}
}

func TestVerify_WycheproofP1363(t *testing.T) {
	if low, high := wycheproofP1363(t, k1, "ecdsa_secp256k1_sha256_p1363.json", 252); low+high != 167 || low == 0 || high == 0 {
		t.Errorf("%d low and %d high valid cases, want 167 in all", low, high)
	}
}

func TestVerify_WycheproofP256P1363(t *testing.T) {
	if low, high := wycheproofP1363(t, r1, "ecdsa_secp256r1_sha256_p1363.json", 262); low != 103 || high != 70 {
		t.Errorf("%d low and %d high valid cases, want 103 and 70", low, high)
	}
}

// TestVerify_WycheproofP256 takes the DER file through a strict parser. Unlike
// the bitcoin file it knows no low-S rule, so that high ones are valid in it.
func TestVerify_WycheproofP256(t *testing.T) {
	var low, high, noForm int
	eachWycheproof(t, r1, "ecdsa_secp256r1_sha256.json", 484,
		func(t *testing.T, pub key.Public, digest [32]byte, sig []byte, c wycheproofCase) {
			raw, ok := parseDER(sig)
			if !ok {
				noForm++
				if c.Result == "valid" {
					t.Errorf("case %d (%s): valid in the file, but not in DER", c.TcID, c.Comment)
				}
				return
			}
			countValid(t, r1, pub, digest, raw, c, &low, &high)
		})
	if low != 103 || high != 71 || noForm == 0 {
		t.Errorf("%d low and %d high valid cases, want 103 and 71; %d without a form", low, high, noForm)
	}
}

func wycheproofP1363(t *testing.T, on curve, name string, count int) (low, high int) {
	eachWycheproof(t, on, name, count,
		func(t *testing.T, pub key.Public, digest [32]byte, sig []byte, c wycheproofCase) {
			countValid(t, on, pub, digest, sig, c, &low, &high)
		})
	return low, high
}

// countValid checks one case. What is valid in the file with a high s is
// refused by our rule of one form, and its low form accepted; and the other way
// round.
func countValid(t *testing.T, on curve, pub key.Public, digest [32]byte, sig []byte, c wycheproofCase, low, high *int) {
	t.Helper()
	err := pub.Verify(digest, sig)
	if c.Result == "invalid" {
		if err == nil {
			t.Errorf("case %d (%s): accepted", c.TcID, c.Comment)
		}
		return
	}
	other := pub.Verify(digest, on.negateS(sig))
	if on.isHighS(sig) {
		*high++
		err, other = other, err
	} else {
		*low++
	}
	if err != nil {
		t.Errorf("case %d (%s): its low form: %v", c.TcID, c.Comment, err)
	}
	if !errors.Is(other, key.HighS) {
		t.Errorf("case %d (%s): its high form: got %v, want high_s", c.TcID, c.Comment, other)
	}
}

// order is n of SEC 2 section 2.4.1.
var order, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)

func (c curve) isHighS(sig []byte) bool {
	return new(big.Int).SetBytes(sig[32:]).Cmp(new(big.Int).Rsh(c.n, 1)) > 0
}

func (c curve) negateS(sig []byte) []byte {
	out := append([]byte{}, sig...)
	new(big.Int).Sub(c.n, new(big.Int).SetBytes(sig[32:])).FillBytes(out[32:])
	return out
}

// parseDER reads SEQUENCE { INTEGER r, INTEGER s } in strict DER (as BIP-66
// demands) and gives r||s. Integers that do not fit 32 bytes are no signature.
func parseDER(b []byte) ([]byte, bool) {
	if len(b) < 2 || b[0] != 0x30 || b[1] >= 0x80 || int(b[1]) != len(b)-2 {
		return nil, false
	}
	r, rest, ok := parseInteger(b[2:])
	if !ok {
		return nil, false
	}
	s, rest, ok := parseInteger(rest)
	if !ok || len(rest) != 0 {
		return nil, false
	}
	return append(r, s...), true
}

func parseInteger(b []byte) (n, rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 0x02 || b[1] == 0 || b[1] >= 0x80 || int(b[1]) > len(b)-2 {
		return nil, nil, false
	}
	v, rest := b[2:2+int(b[1])], b[2+int(b[1]):]
	if v[0]&0x80 != 0 || len(v) > 1 && v[0] == 0 && v[1]&0x80 == 0 {
		return nil, nil, false // negative, or not the shortest form
	}
	if v[0] == 0 {
		v = v[1:]
	}
	if len(v) > 32 {
		return nil, nil, false
	}
	return append(make([]byte, 32-len(v), 64), v...), rest, true
}

func compress(t *testing.T, alg key.Alg, point []byte) key.Public {
	t.Helper()
	if len(point) != 65 || point[0] != 4 {
		t.Fatalf("not an uncompressed point: %x", point)
	}
	p := key.Public{Alg: alg, Bytes: append([]byte{2 + point[64]&1}, point[1:33]...)}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return p
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
