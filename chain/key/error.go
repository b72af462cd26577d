package key

// ErrorKind names why a key, id or signature was refused; comparable with
// errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// UnknownAlg: an algorithm number that this version does not know.
	UnknownAlg ErrorKind = "unknown_alg"
	// BadKey: not a valid public or secret key of its algorithm.
	BadKey ErrorKind = "bad_key"
	// BadSignature: wrong length or form, out of range, or not over this digest
	// by this key.
	BadSignature ErrorKind = "bad_signature"
	// HighS: the other of the two valid forms; refused so that there is one.
	HighS ErrorKind = "high_s"
	// WrongChallenge: an assertion over another digest.
	WrongChallenge ErrorKind = "wrong_challenge"
	// WrongOrigin: an assertion made on a page that the key does not name, or in
	// a frame of another site.
	WrongOrigin ErrorKind = "wrong_origin"
	// WrongRP: an assertion for another relying party than the key's.
	WrongRP ErrorKind = "wrong_rp"
	// UserNotPresent: an assertion that nobody touched the authenticator for.
	UserNotPresent ErrorKind = "user_not_present"
	// UserNotVerified: an assertion without PIN or biometrics.
	UserNotVerified ErrorKind = "user_not_verified"
	// BadText: not the text form of this kind of id or key.
	BadText ErrorKind = "bad_text"
)

// Error is a refusal with its kind and detail for people.
type Error struct {
	Kind   ErrorKind
	Detail string
}

// Error gives kind and detail.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }
