package tx

// StartRecovery proposes new keys for an account whose own are lost or stolen.
// The guardians' threshold signs, and each new key proves that somebody holds
// it. It is the evidence of the key version that a FinishRecovery makes.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type StartRecovery struct {
	Version   uint64       `cbor:"1,keyasint"` // the account's present key version + 1
	Keys      []AccountKey `cbor:"2,keyasint"`
	Threshold uint8        `cbor:"3,keyasint"` // how many admin keys must sign a transaction
}

// Kind is KindStartRecovery.
func (*StartRecovery) Kind() Kind { return KindStartRecovery }

// StaticValidate checks the new key set as that of RotateKeys.
func (p *StartRecovery) StaticValidate() error {
	return (&RotateKeys{Version: p.Version, Keys: p.Keys, Threshold: p.Threshold}).StaticValidate()
}
