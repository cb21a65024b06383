package call

import "slices"

// Use is a place in a script's source that uses a verb.
type Use struct {
	// Verb is its name; Option is the option that matters, or "" for the verb as such.
	Verb   string `json:"verb"`
	Option string `json:"option,omitempty"`
	// Line and Column count from 1; columns are bytes.
	Line   int `json:"line"`
	Column int `json:"column"`
}

// String is the use as an author writes it, such as "call.hold" or "call.transfer with warm".
func (u Use) String() string {
	if what := argument[u.Verb]; what != "" {
		return "call." + u.Verb + " with " + what
	}
	if u.Verb == bareStream {
		return "call." + u.Verb + " without a URL"
	}
	if u.Option == "" {
		return "call." + u.Verb
	}
	return "call." + u.Verb + " with " + u.Option
}

// beyond lists the verbs that the driver cloud cannot carry, and of others the options.
var beyond = map[string][]string{
	"announce": nil, "stop": nil, "conference": nil, "leave": nil, "hold": nil, "unhold": nil, "mute": nil, "unmute": nil,
	"sendDigits": nil, "refer": nil, "bridge": nil, "stopRecording": nil, "pauseRecording": nil, "resumeRecording": nil,
	"dial": {"whisper", "accept", "machineDetection", "headers"}, "transfer": {"warm"}, "gather": {"digits"},
}

// argument lists the verbs of which the driver cloud cannot carry the first argument, by what that is.
var argument = map[string]string{"ring": "a time"}

// bareStream is the verb that the driver cloud cannot carry without its first argument.
const bareStream = "stream"

// without are the options that ask for something when they are false, not when they are true.
var without = []string{"digits"}

// CannotCarry finds what a driver cannot carry among the verbs that a source in JavaScript or TypeScript uses. It scans
// the text for uses such as call.hold(…): on the name call, on what answer is given, and on what is declared a Call. It
// does not follow values, so what is found need not run, and what is hidden (const { hold } = call) is not found.
func CannotCarry(driver, source string) []Use {
	if driver != hostedDriver {
		return nil
	}
	tokens := scan(source)
	names := callNames(tokens)
	var found []Use
	for i := range tokens {
		if tokens[i].kind != word || !slices.Contains(names, tokens[i].text) || i > 0 && tokens[i-1].text == "..." {
			continue
		}
		at := i + 1
		if is(tokens, at, "!") {
			at++
		}
		if !is(tokens, at, ".") && !is(tokens, at, "?.") || at+1 >= len(tokens) {
			continue
		}
		verb := tokens[at+1]
		open := at + 2
		if is(tokens, open, "?.") {
			open++
		}
		if verb.text == bareStream && is(tokens, open, "(") && (is(tokens, open+1, ")") || is(tokens, open+1, "{")) {
			found = append(found, Use{Verb: verb.text, Line: verb.line, Column: verb.column})
			continue
		}
		options, refused := beyond[verb.text]
		_, bare := argument[verb.text]
		if !refused && !bare || !is(tokens, open, "(") || bare && is(tokens, open+1, ")") {
			continue
		}
		if options == nil {
			found = append(found, Use{Verb: verb.text, Line: verb.line, Column: verb.column})
			continue
		}
		found = append(found, asked(tokens, open, verb.text, options)...)
	}
	return found
}

// callNames are the names that a source has for its call.
func callNames(tokens []token) []string {
	names := []string{"call"}
	for i, t := range tokens {
		switch {
		case t.text == "Call" && i >= 2 && tokens[i-1].text == ":" && tokens[i-2].kind == word:
			names = append(names, tokens[i-2].text)
		case t.text == "answer":
			at := i + 1
			for is(tokens, at, "=") || is(tokens, at, ":") || is(tokens, at, "async") || is(tokens, at, "function") || is(tokens, at, "(") {
				at++
			}
			if at > i+1 && at < len(tokens) && tokens[at].kind == word {
				names = append(names, tokens[at].text)
			}
		}
	}
	return names
}

// asked finds the options among the arguments that begin at open.
func asked(tokens []token, open int, verb string, options []string) []Use {
	var found []Use
	depth := 0
	for i := open; i < len(tokens); i++ {
		t := tokens[i]
		switch t.text {
		case "(", "[", "{":
			depth++
			continue
		case ")", "]", "}":
			if depth--; depth == 0 {
				return found
			}
			continue
		}
		// The options object is one level within the arguments; its keys follow { or a comma.
		if depth != 2 || !is(tokens, i-1, "{") && !is(tokens, i-1, ",") || !slices.Contains(options, t.text) {
			continue
		}
		no := is(tokens, i+1, ":") && is(tokens, i+2, "false")
		if no == slices.Contains(without, t.text) {
			found = append(found, Use{Verb: verb, Option: t.text, Line: t.line, Column: t.column})
		}
	}
	return found
}

func is(tokens []token, i int, text string) bool {
	return i >= 0 && i < len(tokens) && tokens[i].text == text && tokens[i].kind != quoted
}
