// Package speech turns text into sound and sound into text.
//
// What says a text is a [Synth]: the voice that piopiyd carries with it, a program on the machine, or a server.
// [New] makes one from settings; it keeps what has been said, on disk, and says each text once however many calls
// ask for it at the same time. What hears is a [Recognizer], made by [NewRecognizer]; an [Endpointer] tells where in
// a call's sound an utterance begins and ends.
//
// Texts, and what callers say, never reach a log or an error.
package speech

import (
	"context"
	"errors"
)

// Request is a text to be said.
type Request struct {
	// Text is what to say. Required.
	Text string
	// SSML says that Text is SSML 1.1 (https://www.w3.org/TR/speech-synthesis11/): a document, or a piece of one. A
	// provider that does not know SSML gets its text without the tags.
	SSML bool
	// Language is a BCP 47 tag, such as en-IN. Empty: the configured one.
	Language string
	// Voice is the provider's name for a voice. Empty, or one that the provider lacks: the configured one.
	Voice string
	// Speed is the pace, from 0.25 to 4, where 1 is the voice's own. 0: the configured one.
	Speed float64
}

// Synth says texts.
type Synth interface {
	// Name tells the provider and all settings of its own that change how it sounds: texts are kept under it. It holds
	// no secret.
	Name() string
	// Say returns an audio file: WAV, or what else media.Decode reads. An error holds no part of the text.
	Say(ctx context.Context, r Request) ([]byte, error)
}

// Errors of a [Synth].
var (
	// ErrNoVoice says that nothing is set up that could say a text.
	ErrNoVoice = errors.New("speech: no voice: set sip.speech.provider to embedded, espeak-ng, flite, command or server")
	// ErrEmpty says that a text holds nothing that can be said.
	ErrEmpty = errors.New("speech: nothing to say: the text is empty")
	// ErrSilence says that the provider made sound in which nothing can be heard.
	ErrSilence = errors.New("speech: the provider made only silence")
)
