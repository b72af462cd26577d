package key

// maxText is the longest text form that is looked at; BIP-173 caps bech32 at
// 90 characters, which our longest form (a public key, 67) fits.
const maxText = 90
