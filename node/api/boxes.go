package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/hybridos-net/hybridos/node/box"
)

func boxPath(r *http.Request) (id box.ID, slot box.Slot, err error) {
	if id, err = box.ParseID(r.PathValue("box")); err != nil {
		return id, slot, errID
	}
	if slot, err = box.ParseSlot(r.PathValue("slot")); err != nil {
		return id, slot, errID
	}
	return id, slot, nil
}

// putBox writes a sealed message into a slot, once.
func (s *Server) putBox(w http.ResponseWriter, r *http.Request, message []byte) {
	id, slot, err := boxPath(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	switch err := s.boxes.Put(clientOf(r.RemoteAddr).String(), id, slot, message); {
	case errors.Is(err, box.ErrTaken):
		s.fail(w, errTaken)
	case errors.Is(err, box.ErrFull):
		s.fail(w, errBoxes)
	case err != nil:
		s.fail(w, err)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// getBox gives a slot's message, waiting for it as long as the query says.
func (s *Server) getBox(w http.ResponseWriter, r *http.Request, _ []byte) {
	id, slot, err := boxPath(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	wait, err := waitQuery(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	message, err := s.boxes.Wait(ctx, id, slot)
	if err != nil {
		s.fail(w, errMessage)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(message) // the client may have gone
}

// waitQuery reads wait=SECONDS.
func waitQuery(r *http.Request) (time.Duration, error) {
	q, err := query(r)
	if err != nil {
		return 0, err
	}
	seconds := 0
	for name, v := range q {
		if name != "wait" || len(v) != 1 {
			return 0, errQuery
		}
		if seconds, err = strconv.Atoi(v[0]); err != nil || seconds < 0 || seconds > maxWait {
			return 0, errQuery
		}
	}
	return time.Duration(seconds) * time.Second, nil
}
