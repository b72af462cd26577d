package api

import (
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Subject is what a transaction can name: an account or vendor, a device, a key,
// or a transaction, which is also the name of the grant, proposal or seal that it
// made. It is a byte for the sort, and the id.
type Subject string

// The sorts of subjects. Bytes are append-only: the index keeps them on disk.
const (
	subjectAccount = 'a'
	subjectDevice  = 'd'
	subjectKey     = 'k'
	subjectTx      = 'x'
)

// AccountSubject is an account or vendor.
func AccountSubject(id key.AccountID) Subject {
	return Subject(append([]byte{subjectAccount}, id[:]...))
}

// DeviceSubject is a device.
func DeviceSubject(id key.DeviceID) Subject { return Subject(append([]byte{subjectDevice}, id[:]...)) }

// KeySubject is a key.
func KeySubject(id key.KeyID) Subject { return Subject(append([]byte{subjectKey}, id[:]...)) }

// TxSubject is a transaction and what it made.
func TxSubject(id tx.ID) Subject { return Subject(append([]byte{subjectTx}, id[:]...)) }

// ParseSubject reads any of the text forms of ids.
func ParseSubject(s string) (Subject, error) {
	if id, err := key.ParseAccountID(s); err == nil {
		return AccountSubject(id), nil
	}
	if id, err := key.ParseDeviceID(s); err == nil {
		return DeviceSubject(id), nil
	}
	if id, err := key.ParseKeyID(s); err == nil {
		return KeySubject(id), nil
	}
	id, err := tx.ParseID(s)
	if err != nil {
		return "", err
	}
	return TxSubject(id), nil
}

// String is the text form.
func (s Subject) String() string {
	if s == "" {
		return ""
	}
	switch id := []byte(s[1:]); {
	case s[0] == subjectTx && len(id) == len(tx.ID{}):
		return tx.ID(id).String()
	case len(id) != key.IDSize:
		return ""
	case s[0] == subjectAccount:
		return key.AccountID(id).String()
	case s[0] == subjectDevice:
		return key.DeviceID(id).String()
	case s[0] == subjectKey:
		return key.KeyID(id).String()
	}
	return ""
}

// Tx is the transaction, if the subject is one.
func (s Subject) Tx() (id tx.ID, ok bool) {
	if len(s) != 1+len(id) || s[0] != subjectTx {
		return id, false
	}
	return tx.ID([]byte(s[1:])), true
}
