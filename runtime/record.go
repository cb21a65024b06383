package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Record adds an entry to the session's journal. data is encoded as JSON; json.RawMessage is taken as it is.
// It may be called from any goroutine; what a replay has to find again must be recorded within a turn.
func (s *Session) Record(kind string, data any) { s.RecordWith(kind, data, nil) }

// RecordWith is Record for an entry that says to a replay what timelines do not show.
func (s *Session) RecordWith(kind string, data, outcome any) {
	if s.dry {
		return
	}
	s.recordNow(Entry{Kind: kind, Data: encode(data), Outcome: encode(outcome)})
}

func (s *Session) recordNow(e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		return
	}
	e.Time = s.time()
	s.record(e)
}

func encode(data any) json.RawMessage {
	if data == nil {
		return nil
	}
	if raw, ok := data.(json.RawMessage); ok {
		return raw
	}
	raw, err := json.Marshal(data)
	if err != nil {
		raw, _ = json.Marshal(map[string]string{"unencodable": err.Error()})
	}
	return raw
}

// record needs s.mu.
func (s *Session) record(e Entry) {
	limit := s.rt.limits.JournalSize
	size := len(e.Data) + len(e.Outcome)
	last := e.Kind == "fault" || e.Kind == "end"
	switch {
	case s.recorded > limit && !last:
		return
	case s.recorded+size > limit && !last:
		e = Entry{Time: e.Time, Kind: "journal_full", Data: json.RawMessage(fmt.Sprintf(`{"limit":%d}`, limit))}
		s.recorded = limit
		size = len(e.Data)
	}
	s.recorded += size + 1
	s.seq++
	e.Seq, e.Version = s.seq, s.version.ShortID()
	if s.replay != nil && s.replay.met(e) {
		return // it is in the journal already
	}
	s.entries = append(s.entries, e)
}

func (s *Session) flush() {
	s.mu.Lock()
	if s.replay != nil {
		s.mu.Unlock()
		return
	}
	entries := s.entries
	s.entries = nil
	s.mu.Unlock()
	if len(entries) == 0 || s.dry {
		return
	}
	if err := s.rt.cfg.Journal.Append(s.app, s.id, entries); err != nil {
		s.rt.log.Error("journal entries were lost", "app", s.app, "call", s.id, "entries", len(entries), "error", err)
	}
}

// syncTimeout bounds how long an effect waits for the journal.
const syncTimeout = 5 * time.Second

// Sync returns when what the session has recorded is safe, if it is durable. A journal that fails holds nobody up: the
// call goes on, without the promise that it survives. What is replayed is safe already.
func (s *Session) Sync(ctx context.Context) {
	journal, ok := s.rt.cfg.Journal.(Syncer)
	if !ok || !s.durable || s.Replaying() {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	if err := journal.Sync(bounded); err != nil && ctx.Err() == nil {
		s.rt.log.Error("the journal cannot be trusted with this call", "app", s.app, "call", s.id, "error", err)
	}
}
