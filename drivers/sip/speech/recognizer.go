package speech

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/piopiy/piopiyd/audio"
)

// Recognizer turns sound into text.
type Recognizer interface {
	// Recognize returns what is said in samples: mono, 16 bit, at a rate in Hz, at most [MaxUtterance] long. lang is a
	// BCP 47 tag; empty: the configured one, or whichever the recognizer hears. The text is empty when nothing is said.
	// An error holds nothing of it.
	Recognize(ctx context.Context, samples []int16, rate int, lang string) (string, error)
}

// MaxUtterance bounds what a [Recognizer] is given at once.
const MaxUtterance = 5 * time.Minute

// RecognizerOptions are the settings of speech input, as in the configuration under sip.recognition.
type RecognizerOptions struct {
	// Provider is [HTTPServer] or [CommandLine].
	Provider string
	// URL is the base of a server's API, such as http://127.0.0.1:8000/v1; Model its model (default whisper-1); APIKey
	// its bearer token. For [HTTPServer].
	URL, Model, APIKey string
	// Command is a program and its arguments, for [CommandLine]. It reads a WAV file from its standard input, or, where
	// the arguments hold "{in}", from the file named there, and writes the text to its standard output, or, where they
	// hold "{out}", to that file. "{language}" is replaced by the language's tag and "{lang}" by its first part.
	Command []string
	// Language is that of requests that name none (BCP 47). Empty leaves it to the recognizer.
	Language string
	// Timeout bounds a request (default 30 s).
	Timeout time.Duration
	// Dial opens connections to the server; nil is the network without bounds.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewRecognizer returns the recognizer of settings. An error is a [*SettingError].
func NewRecognizer(o RecognizerOptions) (Recognizer, error) {
	const section = "sip.recognition."
	if o.Language != "" {
		if _, err := language.Parse(o.Language); err != nil {
			return nil, settingError(section+"language", "%q is no BCP 47 tag, such as en-IN", short(o.Language))
		}
	}
	r := &recognizer{language: o.Language, timeout: o.Timeout}
	if r.timeout <= 0 {
		r.timeout = defaultTimeout
	}
	switch o.Provider {
	case HTTPServer:
		if err := checkURL(section+"url", o.URL); err != nil {
			return nil, err
		}
		r.hear = transcriber{url: o.URL, key: o.APIKey, model: cmp.Or(o.Model, "whisper-1"), client: newClient(o.Dial)}.hear
	case CommandLine:
		if err := checkCommand(section+"command", o.Command); err != nil {
			return nil, err
		}
		r.hear = listener{args: slices.Clone(o.Command)}.hear
	case "":
		return nil, settingError(section+"provider", "it is missing: set it to %s or %s to understand what callers say", HTTPServer, CommandLine)
	default:
		return nil, settingError(section+"provider", "%q is neither %s nor %s", short(o.Provider), HTTPServer, CommandLine)
	}
	return r, nil
}

// recognizer checks what the providers are given and bounds their time.
type recognizer struct {
	language string
	timeout  time.Duration
	hear     func(ctx context.Context, wav []byte, lang string) (string, error)
}

// Recognize implements Recognizer.
func (r *recognizer) Recognize(ctx context.Context, samples []int16, rate int, lang string) (string, error) {
	switch {
	case rate < 8000 || rate > 48000:
		return "", fmt.Errorf("recognition: a rate of %d Hz, 8000 to 48000 are possible", rate)
	case len(samples) == 0:
		return "", errors.New("recognition: no sound")
	case len(samples)/rate >= int(MaxUtterance/time.Second):
		return "", fmt.Errorf("recognition: %v of sound, at most %v can be recognized at once", time.Duration(len(samples)/rate)*time.Second, MaxUtterance)
	}
	if lang = cmp.Or(lang, r.language); lang != "" {
		tag, err := language.Parse(lang)
		if err != nil {
			return "", fmt.Errorf("recognition: the language %q is no BCP 47 tag, such as en-IN", short(lang))
		}
		lang = tag.String()
	}
	work, cancel := context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("no text after %v", r.timeout))
	defer cancel()
	text, err := r.hear(work, audio.EncodeWAV(samples, rate), lang)
	switch {
	case err != nil && work.Err() != nil:
		return "", fmt.Errorf("recognition: %w", context.Cause(work))
	case err != nil:
		return "", fmt.Errorf("recognition: %w", err)
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " "), nil
}

// maxTranscript bounds an answer, in bytes.
const maxTranscript = 1 << 20

// transcriber is a server that speaks OpenAI's protocol: POST {URL}/audio/transcriptions
// (https://platform.openai.com/docs/api-reference/audio/createTranscription).
type transcriber struct {
	url, key, model string
	client          *http.Client
}

func (t transcriber) hear(ctx context.Context, wav []byte, lang string) (string, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	fields := [][2]string{{"model", t.model}, {"response_format", "json"}}
	if lang != "" {
		fields = append(fields, [2]string{"language", base(lang)}) // ISO 639-1
	}
	for _, f := range fields {
		if err := form.WriteField(f[0], f[1]); err != nil {
			return "", err
		}
	}
	file, err := form.CreateFormFile("file", "speech.wav") // servers judge the format by the name
	if err == nil {
		_, err = file.Write(wav)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return "", err
	}
	reply, err := post(ctx, t.client, "the recognition server", strings.TrimRight(t.url, "/")+"/audio/transcriptions", t.key, form.FormDataContentType(), body.Bytes(), maxTranscript)
	if err != nil {
		return "", err
	}
	var answer struct {
		Text *string `json:"text"`
	}
	// A decoding error would quote the answer.
	if json.Unmarshal(reply, &answer) != nil || answer.Text == nil {
		return "", errors.New(`the recognition server's answer is not {"text": …}: does it speak OpenAI's protocol?`)
	}
	return *answer.Text, nil
}

// listener is a program that reads WAV and writes text.
type listener struct{ args []string }

func (l listener) hear(ctx context.Context, wav []byte, lang string) (string, error) {
	args := slices.Clone(l.args)
	for i, a := range args {
		args[i] = strings.NewReplacer("{language}", cmp.Or(lang, defaultLanguage), "{lang}", base(cmp.Or(lang, defaultLanguage))).Replace(a)
	}
	// Its complaints may hold what was said.
	text, err := run(ctx, job{args: args, input: wav, in: "speech.wav", out: "text.txt", silent: true})
	if errors.Is(err, errWroteNothing) {
		return "", nil
	}
	if len(text) > maxTranscript {
		return "", fmt.Errorf("the program wrote more than %d MiB", maxTranscript>>20)
	}
	return string(text), err
}
