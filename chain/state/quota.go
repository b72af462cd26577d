package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Quota is how much an account may write in a period of block time: Base units,
// and PerDevice more for each device that it owns. Periods begin at multiples
// of their length. A transaction costs a unit, and one more for each QuotaUnit
// bytes of its payload. Only what is executed costs anything, so that nobody
// else can use an account's quota up.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type Quota struct {
	Base      uint64 `cbor:"1,keyasint"`
	PerDevice uint64 `cbor:"2,keyasint"`
	Period    uint64 `cbor:"3,keyasint"` // seconds, never 0
}

// DefaultQuota holds until governors set another: far more than people and
// their programs write in a day, and little enough for a disk.
func DefaultQuota() Quota { return Quota{Base: 16, PerDevice: 512, Period: 24 * 60 * 60} }

// GetParams reads the ledger's settings; a state without any has the defaults.
func GetParams(v View) (r Params, err error) {
	_, err = find(v, ParamsKey(), &r)
	return r, err
}

// AccountQuota is the quota in force.
func (p Params) AccountQuota() Quota {
	if p.Quota == nil {
		return DefaultQuota()
	}
	return *p.Quota
}

func quotaOf(v View) (Quota, error) {
	p, err := GetParams(v)
	return p.AccountQuota(), err
}

// Units is what an account that owns so many devices may write in a period.
func (q Quota) Units(devices uint64) uint64 {
	return q.Base + q.PerDevice*min(devices, maxCounted)
}

// maxCounted keeps the product within 64 bits: tx.MaxQuotaUnits is below 2^20.
const maxCounted = 1 << 40

// Begin is when the period of a block's time began, in Unix seconds.
func (q Quota) Begin(blockTime int64) uint64 {
	now := uint64(max(blockTime, 0))
	return now - now%max(q.Period, 1)
}

// Left is how many units an account may still write in the period of a block's
// time.
func (q Quota) Left(a Account, blockTime int64) uint64 {
	units, used := q.Units(a.Devices), a.usedIn(q.Begin(blockTime))
	return units - min(units, used)
}

func (a *Account) usedIn(period uint64) uint64 {
	if a.Period != period {
		return 0
	}
	return a.Used
}

// Cost is how many units a transaction takes.
func Cost(t *tx.Tx) uint64 { return 1 + uint64(len(t.Body.Payload))/QuotaUnit }

func checkQuota(v View, b Block, t *tx.Tx, a Account) error {
	q, err := quotaOf(v)
	if err != nil {
		return err
	}
	if left := q.Left(a, b.Time); left < Cost(t) {
		return &Error{Kind: AccountQuotaExceeded, Detail: fmt.Sprintf("costs %d units, %d of %d are left until %d",
			Cost(t), left, q.Units(a.Devices), q.Begin(b.Time)+q.Period)}
	}
	return nil
}

// charge notes what an executed transaction took.
func charge(v View, b Block, t *tx.Tx, a *Account) error {
	q, err := quotaOf(v)
	if err != nil {
		return err
	}
	period := q.Begin(b.Time)
	a.Used, a.Period = a.usedIn(period)+Cost(t), period
	return nil
}

// moveDevice keeps the accounts' counts of devices right when one changes
// hands, and bounds how often it may.
func moveDevice(s Tree, b Block, id key.DeviceID, dev *Device, owner *key.AccountID) error {
	if owner != nil {
		q, err := quotaOf(s)
		if err != nil {
			return err
		}
		if period := q.Begin(b.Time); dev.Period != period {
			dev.Period, dev.Moves = period, 0
		}
		if dev.Moves++; dev.Moves > MaxMoves {
			return &Error{Kind: TooManyMoves, Detail: fmt.Sprintf("%s got %d owners, the next from %d on", id, MaxMoves, q.Begin(b.Time)+q.Period)}
		}
	}
	if dev.Owner != nil {
		if err := countDevice(s, *dev.Owner, func(a *Account) { a.Devices-- }); err != nil {
			return err
		}
	}
	if owner == nil {
		return nil
	}
	return countDevice(s, *owner, func(a *Account) { a.Devices++ })
}

func countDevice(s Tree, id key.AccountID, count func(*Account)) error {
	a, err := GetAccount(s, id)
	if err != nil {
		return err
	}
	count(&a)
	return put(s, AccountKey(id), a)
}

// setParams changes the quota for everybody, from the next transaction on.
func setParams(s Tree, a *tx.SetParams) error {
	p, err := GetParams(s)
	if err != nil {
		return err
	}
	p.Quota = &Quota{Base: a.Base, PerDevice: a.PerDevice, Period: a.Period}
	return put(s, ParamsKey(), p)
}
