package pcmo

// Every action can be given to json.Marshal; see [Document.MarshalJSON] about
// escaping there.

// MarshalJSON returns what AppendJSON writes.
func (a *Play) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *Speak) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *Param) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *Record) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *Hangup) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *Bridge) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *Connect) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *Input) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *PlayGetInput) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *Stream) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *PipelineConnect) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *PipelinePlay) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *PipelinePlayGetInput) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *PipelineInput) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *PipelineParam) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *PipelineRecord) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes.
func (a *PipelineHangup) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }
