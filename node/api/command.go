package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/hybridos-net/hybridos/chain/command"
)

// command forwards a command to its device and answers with the receipt's
// bytes as they came. Whether the command may run is the device's to say, and
// whether the receipt is genuine the sender's to check: this node could forge
// neither.
func (s *Server) command(w http.ResponseWriter, r *http.Request, raw []byte) {
	c, err := command.Decode(raw)
	if err != nil {
		s.fail(w, &Error{errCommand.Status, errCommand.Code, "the body is not a command: " + err.Error(), ""})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	receipt, err := s.devices.Forward(ctx, c.Body.Device, raw)
	switch {
	case errors.Is(err, ErrOffline):
		s.fail(w, errOffline)
	case errors.Is(err, ErrDeviceBusy):
		s.fail(w, errBusy)
	case err != nil, len(receipt) == 0, len(receipt) > command.MaxReceipt:
		// Whatever else went wrong, the command may have reached the device.
		if err != nil && !errors.Is(err, ErrNoReceipt) && ctx.Err() == nil {
			s.log.Error("command not forwarded", "device", c.Body.Device, "err", err)
		}
		s.fail(w, errNoWord)
	default:
		w.Header().Set("Content-Type", "application/cbor")
		_, _ = w.Write(receipt) // the client may have gone
	}
}
