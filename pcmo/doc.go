// Package pcmo is the PIOPIY Call Management Object: the JSON array of actions
// that tells a platform what to do with a call.
//
// Build a document from action values and append it as JSON:
//
//	doc := pcmo.Document{
//		&pcmo.Speak{Text: "One moment."},
//		&pcmo.Bridge{
//			From:           "14155550100",
//			Targets:        []pcmo.Target{pcmo.PSTN("14155550101")},
//			TimeoutSeconds: new(20),
//		},
//	}
//	if err := doc.Validate(); err != nil { … }
//	body := doc.AppendJSON(nil)
//
// or read one with [Decode], [DecodePipeline] or, when the dialect is not
// known, [DecodeAny].
//
// # Dialects
//
// PCMO exists in two dialects which share action names but not fields.
// [Document] is the classic one (answer_url replies, v1 and v2 REST): Play,
// Speak, Param, Record, Hangup, Bridge, Connect, Input, PlayGetInput, Stream.
// [Pipeline] is the one of the v3 REST API; its actions begin with Pipeline.
//
// # Reading, checking, writing
//
// Decode is tolerant where the platforms and their SDKs are: numbers may be
// strings and strings numbers, a key that is null counts as absent, unknown
// keys are left out and reported as [Warnings]. What it cannot read it reports
// as [Errors], all of them at once, each with the JSON path, the value and the
// rule. Validate then applies the rules about values. AppendJSON writes the
// canonical form: the key order of the Node SDK, absent fields left out,
// strings escaped exactly as JavaScript's JSON.stringify does.
//
// # Absent and zero
//
// A field that may be absent on the wire is a pointer when its zero value
// means something else than absence (TimeoutSeconds, StreamOnAnswer), and a
// plain value when it does not (From, RingType). The methods of an action,
// such as [Bridge.RingTimeout], answer what holds after defaults are applied.
// Fields named …Seconds are whole seconds, as on the wire; methods return
// time.Duration.
package pcmo
