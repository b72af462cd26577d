package vault

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hybridos-net/hybridos/chain/key"
)

// Identity is a device's secrets. Each serves one purpose, so that none signs
// or opens what belongs to another.
type Identity struct {
	_ [0]func() // not comparable
	// Device signs receipts and the claim; its hash is the device's id.
	Device *key.Private
	// Seal opens bodies that were sealed to the device.
	Seal *ecdh.PrivateKey
	// Transport is the libp2p key, bound to nothing but the address.
	Transport ed25519.PrivateKey
	// Bus proves to the bus that this is the agent.
	Bus ed25519.PrivateKey
	// Secret is what a pairing code proves knowledge of.
	Secret []byte
}

// String never shows the secrets.
func (*Identity) String() string { return "device identity (hidden)" }

// The names of the key files in a device's home.
const (
	deviceFile    = "device.key"
	sealFile      = "seal.key"
	transportFile = "transport.key"
	busFile       = "bus.key"
	secretFile    = "claim.secret"
)

// ErrExists says that the home has keys already; they are never overwritten.
var ErrExists = errors.New("the keys are there already")

// CreateIdentity makes the keys of a new device in dir. random must be a
// cryptographic source. If any key file is there already it changes nothing and
// returns ErrExists. What it made before an error, on a full disk say, it takes
// away again, so that it can be tried anew.
func CreateIdentity(dir string, random io.Reader) (_ *Identity, err error) {
	for _, name := range []string{deviceFile, sealFile, transportFile, busFile, secretFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), ErrExists)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	device, err := key.Generate(random)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, 3*32+SecretSize)
	if _, err := io.ReadFull(random, raw); err != nil {
		return nil, fmt.Errorf("generate keys: %w", err)
	}
	files := []struct {
		name   string
		secret []byte
	}{
		{sealFile, raw[:32]}, {transportFile, raw[32:64]}, {busFile, raw[64:96]}, {secretFile, raw[96:]},
		// Last: a home with a device key is complete.
		{deviceFile, device.Secret()},
	}
	var made []string
	defer func() {
		for _, path := range made {
			if err != nil {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}()
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := writeSecret(path, f.secret); err != nil {
			return nil, err
		}
		made = append(made, path)
		clear(f.secret)
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	return LoadIdentity(dir)
}

// LoadIdentity reads the keys in dir. A file that others could read is refused.
func LoadIdentity(dir string) (*Identity, error) {
	var id Identity
	device, err := readSecret(filepath.Join(dir, deviceFile), 32)
	if err != nil {
		return nil, err
	}
	if id.Device, err = key.FromBytes(device); err != nil {
		return nil, fmt.Errorf("%s: %w", deviceFile, err)
	}
	clear(device)
	seal, err := readSecret(filepath.Join(dir, sealFile), 32)
	if err != nil {
		return nil, err
	}
	if id.Seal, err = ecdh.X25519().NewPrivateKey(seal); err != nil {
		return nil, fmt.Errorf("%s: %w", sealFile, err)
	}
	if id.Transport, err = readSeed(filepath.Join(dir, transportFile)); err != nil {
		return nil, err
	}
	if id.Bus, err = readSeed(filepath.Join(dir, busFile)); err != nil {
		return nil, err
	}
	if id.Secret, err = readSecret(filepath.Join(dir, secretFile), SecretSize); err != nil {
		return nil, err
	}
	return &id, nil
}

// CreateKey makes an Ed25519 key in a new file that only its owner reads, for
// apps on the bus, and its public half in hex beside it, in path.pub.
func CreateKey(path string, random io.Reader) (ed25519.PrivateKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	k := ed25519.NewKeyFromSeed(seed)
	err := writeSecret(path, seed)
	clear(seed)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s: %w", path, ErrExists)
	}
	if err != nil {
		return nil, err
	}
	public := hex.EncodeToString(k.Public().(ed25519.PublicKey)) + "\n"
	return k, os.WriteFile(path+".pub", []byte(public), 0o644)
}

// LoadKey reads a key that CreateKey made.
func LoadKey(path string) (ed25519.PrivateKey, error) { return readSeed(path) }

func readSeed(path string) (ed25519.PrivateKey, error) {
	seed, err := readSecret(path, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// writeSecret makes a new file that only the owner reads, on disk when it
// returns.
func writeSecret(path string, secret []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(path)) // half a key is none
		}
	}()
	if _, err := f.WriteString(hex.EncodeToString(secret) + "\n"); err != nil {
		return err
	}
	return f.Sync()
}

func readSecret(path string, size int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %o: others could read the key", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, err
	}
	secret, err := hex.DecodeString(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(secret) != size {
		return nil, fmt.Errorf("%s does not hold a key of %d bytes", path, size)
	}
	return secret, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
