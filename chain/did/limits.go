package did

const (
	// MaxText is the longest DID of this method: "did:hybridos:", a chain id of
	// 48, a colon, and an id of 45.
	MaxText = 13 + maxChain + 1 + 45
	// MaxForeign bounds DIDs of other methods, which are only looked at to say
	// whose they are.
	MaxForeign = 2048

	// minChain and maxChain are the bounds of chain/genesis.
	minChain = 3
	maxChain = 48

	// MaxResult bounds a resolver's answer: value and proof in base64 take at
	// most 406 KiB, and the rest is for the document of an account with 16 keys.
	MaxResult = 512 << 10
)
