package sdk

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// ways adds to the addresses of a device those through the client's nodes, which
// are relays to devices that nobody can dial. The host tries them half a second
// after the direct ones, or at once when those have failed; whichever way comes
// first, Noise proves that the device is at its end.
func (c *Client) ways(device peer.AddrInfo) peer.AddrInfo {
	addrs := slices.Clone(device.Addrs)
	for _, node := range c.nodes {
		circuit := multiaddr.StringCast("/p2p/" + node.ID.String() + "/p2p-circuit")
		for _, a := range node.Addrs {
			addrs = append(addrs, a.Encapsulate(circuit))
		}
	}
	return peer.AddrInfo{ID: device.ID, Addrs: addrs}
}
