package runtime

import (
	"encoding/json"
	"fmt"
	"time"
)

// Record adds an entry to the session's journal. data is encoded as JSON; json.RawMessage is taken as it is.
// It may be called from any goroutine.
func (s *Session) Record(kind string, data any) {
	if s.dry {
		return
	}
	raw, ok := data.(json.RawMessage)
	if !ok && data != nil {
		var err error
		if raw, err = json.Marshal(data); err != nil {
			raw, _ = json.Marshal(map[string]string{"unencodable": err.Error()})
		}
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		return
	}
	s.record(now, kind, raw)
}

// record needs s.mu.
func (s *Session) record(now time.Time, kind string, raw json.RawMessage) {
	limit := s.rt.limits.JournalSize
	switch {
	case s.recorded > limit && kind != "fault" && kind != "end":
		return
	case s.recorded+len(raw) > limit && kind != "fault" && kind != "end":
		raw = json.RawMessage(fmt.Sprintf(`{"limit":%d}`, limit))
		kind = "journal_full"
		s.recorded = limit
	}
	s.recorded += len(raw) + 1
	s.seq++
	s.entries = append(s.entries, Entry{Seq: s.seq, Time: now, Kind: kind, Version: s.version.ShortID(), Data: raw})
}

func (s *Session) flush() {
	s.mu.Lock()
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
