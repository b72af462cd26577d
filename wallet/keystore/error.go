package keystore

// ErrorKind names why the keystore refused; comparable with errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// NotFound: there is no key file.
	NotFound ErrorKind = "no_key_file"
	// Exists: there is a key file, and it is never overwritten.
	Exists ErrorKind = "key_file_exists"
	// Insecure: others may read the key file.
	Insecure ErrorKind = "insecure_key_file"
	// WrongPassphrase: the file is whole, the passphrase is another.
	WrongPassphrase ErrorKind = "wrong_passphrase"
	// Corrupt: the file is damaged, cut short or was tampered with.
	Corrupt ErrorKind = "corrupt"
	// TooNew: written by a later version of the wallet.
	TooNew ErrorKind = "too_new"
	// BadCost: the file asks for less work than is safe, or for more than is
	// sane.
	BadCost ErrorKind = "bad_cost"
	// BadPassphrase: empty where that was not asked for, or too long.
	BadPassphrase ErrorKind = "bad_passphrase"
	// BadWords: not 24 words of the list with a right checksum.
	BadWords ErrorKind = "bad_words"
	// NoKey: the file does not hold the key.
	NoKey ErrorKind = "no_key"
	// Full: the file holds MaxKeys keys.
	Full ErrorKind = "key_file_full"
	// Locked: another process is changing the file.
	Locked ErrorKind = "key_file_locked"
)

// Kinds lists every kind.
func Kinds() []ErrorKind {
	return []ErrorKind{NotFound, Exists, Insecure, WrongPassphrase, Corrupt, TooNew, BadCost, BadPassphrase, BadWords, NoKey, Full, Locked}
}

// Error is a refusal with its kind and detail for people.
type Error struct {
	Kind   ErrorKind
	Detail string
}

// Error gives kind and detail.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(k ErrorKind, detail string) error { return &Error{Kind: k, Detail: detail} }
