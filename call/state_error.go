package call

// StateError says that a verb does not fit how the call stands, or the other call that it names. The call goes on.
type StateError struct {
	// Verb is what was asked for; Reason why it cannot be.
	Verb   string
	Reason StateReason
}

// StateReason is why a verb does not fit.
type StateReason string

// Reasons of a [StateError].
const (
	// StateAnswered says that the call has been answered already.
	StateAnswered StateReason = "ANSWERED"
	// StateNotAnswered says that the call has not been answered yet.
	StateNotAnswered StateReason = "NOT_ANSWERED"
	// StateNotConnected says that the call is not connected to anybody: there is no callee.
	StateNotConnected StateReason = "NOT_CONNECTED"
	// StateOtherOver says that the other call is over, or there is none of that id.
	StateOtherOver StateReason = "OTHER_OVER"
	// StateOtherTalks says that the other call talks with somebody, or waits to be connected with this one.
	StateOtherTalks StateReason = "OTHER_TALKS"
	// StateSameCall says that the other call is this one.
	StateSameCall StateReason = "SAME_CALL"
)

var stateReasons = map[StateReason]string{
	StateAnswered:     "the call has been answered",
	StateNotAnswered:  "the call has not been answered",
	StateNotConnected: "the call is not connected to anybody",
	StateOtherOver:    "the other call is over, or was never there",
	StateOtherTalks:   "the other call talks with somebody, or is about to",
	StateSameCall:     "a call cannot be connected with itself",
}

// Error names the verb and says what is in its way.
func (e *StateError) Error() string { return e.Verb + ": " + stateReasons[e.Reason] }
