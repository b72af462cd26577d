// Package account holds the legacy MQTT accounts: who may log in with a name and
// a password, and which devices' topics such a client may touch.
//
// It is not an authority over devices: an account only opens the bridge's own
// topics. Whether a command is obeyed is decided by the device, by the grant
// that its owner gave to the bridge's delegate key.
//
// Entry points: Load reads the accounts file, NewVerifier checks logins. Add is
// what the command line uses to write the file.
//
// What must never change: passwords are kept only as argon2id hashes; a file
// that others can read, or that is not understood to the last byte, is refused
// whole; a wrong password and an unknown name cannot be told apart, not even by
// the time they take.
package account

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// fileVersion is the layout of the accounts file; others are refused.
const fileVersion = 1

// ErrorKind names one refusal of this package; it works with errors.Is.
type ErrorKind string

// Error makes a kind usable as the target of errors.Is.
func (k ErrorKind) Error() string { return "mqtt account: " + string(k) }

// The kinds of refusal.
const (
	// BadFile: the accounts file is not strict JSON of the known version.
	BadFile ErrorKind = "bad-file"
	// BadMode: the accounts file is not a regular file of mode 0600 or less.
	BadMode ErrorKind = "bad-mode"
	// BadName: an account name outside [a-z0-9._-], or too long.
	BadName ErrorKind = "bad-name"
	// BadHash: a password hash that is not argon2id in PHC form within bounds.
	BadHash ErrorKind = "bad-hash"
	// BadPassword: a new password that is too short or too long.
	BadPassword ErrorKind = "bad-password"
	// BadDevices: an account's device list is empty, too long or has repeats.
	BadDevices ErrorKind = "bad-devices"
	// Exists: an account of that name is there already.
	Exists ErrorKind = "exists"
	// Refused: unknown name or wrong password; it does not say which.
	Refused ErrorKind = "refused"
	// Busy: too many logins are being checked; try again.
	Busy ErrorKind = "busy"
)

// Kinds lists every kind, for documents and tests.
func Kinds() []ErrorKind {
	return []ErrorKind{BadFile, BadMode, BadName, BadHash, BadPassword, BadDevices, Exists, Refused, Busy}
}

// Error is a refusal with its kind.
type Error struct {
	Kind   ErrorKind
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return e.Kind.Error() + ": " + e.Detail }

// Unwrap lets errors.Is compare with the kind.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind ErrorKind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// Account is one legacy login.
//
// Rules of evolution: JSON names are fixed, new fields are optional, a field is
// never reused.
type Account struct {
	// Name is the MQTT user name.
	Name string `json:"name"`
	// Password is the argon2id hash in PHC form.
	Password string `json:"password"`
	// Devices are the ids of the devices whose topics this client may use.
	Devices []string `json:"devices"`
}

// Book is a checked set of accounts. It does not change after it was made and
// may be read by several goroutines.
type Book struct {
	accounts []Account
	hashes   map[string]hash
}

type file struct {
	Version  int       `json:"version"`
	Accounts []Account `json:"accounts"`
}

// Decode reads an accounts file strictly: unknown fields, trailing bytes,
// repeated names and bad hashes refuse the whole file.
func Decode(data []byte) (*Book, error) {
	if len(data) > maxFile {
		return nil, refuse(BadFile, "larger than %d bytes", maxFile)
	}
	var f file
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, refuse(BadFile, "not the expected JSON: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse(BadFile, "bytes after the end")
	}
	if f.Version != fileVersion {
		return nil, refuse(BadFile, "version %d, this program reads version %d", f.Version, fileVersion)
	}
	return newBook(f.Accounts)
}

func newBook(accounts []Account) (*Book, error) {
	if len(accounts) > maxAccounts {
		return nil, refuse(BadFile, "more than %d accounts", maxAccounts)
	}
	b := &Book{accounts: accounts, hashes: make(map[string]hash, len(accounts))}
	for _, a := range accounts {
		if err := a.validate(); err != nil {
			return nil, err
		}
		if _, twice := b.hashes[a.Name]; twice {
			return nil, refuse(BadFile, "account %q stands twice", a.Name)
		}
		h, err := parseHash(a.Password)
		if err != nil {
			return nil, fmt.Errorf("account %q: %w", a.Name, err)
		}
		b.hashes[a.Name] = h
	}
	return b, nil
}

func (a Account) validate() error {
	if len(a.Name) == 0 || len(a.Name) > maxName {
		return refuse(BadName, "a name has 1 to %d characters", maxName)
	}
	for i, r := range a.Name {
		plain := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		if !plain && (i == 0 || r != '.' && r != '_' && r != '-') {
			return refuse(BadName, "%q: use a-z, 0-9 and, not in front, . _ -", a.Name)
		}
	}
	if len(a.Devices) == 0 || len(a.Devices) > maxDevices {
		return refuse(BadDevices, "account %q names %d devices, 1 to %d are possible", a.Name, len(a.Devices), maxDevices)
	}
	for i, d := range a.Devices {
		if d == "" || len(d) > maxDeviceID || slices.Contains(a.Devices[:i], d) {
			return refuse(BadDevices, "account %q: device %d is empty, too long or named twice", a.Name, i+1)
		}
	}
	return nil
}

// Accounts returns a copy of all accounts, in file order.
func (b *Book) Accounts() []Account { return slices.Clone(b.accounts) }

// Lookup finds an account by name.
func (b *Book) Lookup(name string) (Account, bool) {
	for _, a := range b.accounts {
		if a.Name == name {
			return a, true
		}
	}
	return Account{}, false
}

func (b *Book) encode() ([]byte, error) {
	data, err := json.MarshalIndent(file{Version: fileVersion, Accounts: b.accounts}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode accounts: %w", err)
	}
	return append(data, '\n'), nil
}
