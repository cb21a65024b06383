package speech_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

// A wrong setting is named, with what to do.
func TestSettings(t *testing.T) {
	tests := []struct {
		name      string
		o         speech.Options
		key, want string
	}{
		{"a provider", speech.Options{Provider: "polly"}, "sip.speech.provider", "auto, embedded, espeak-ng, flite, command, server"},
		{"no URL", speech.Options{Provider: speech.HTTPServer}, "sip.speech.url", "http://127.0.0.1:8880/v1"},
		{"no http", speech.Options{Provider: speech.HTTPServer, URL: "localhost:8880"}, "sip.speech.url", "http or https"},
		{"a key in the URL", speech.Options{Provider: speech.HTTPServer, URL: "https://x:s3cret@host/v1"}, "sip.speech.url", "api_key"},
		{"a URL without a server", speech.Options{URL: "http://host/v1"}, "sip.speech.url", "set sip.speech.provider to server"},
		{"a key without a server", speech.Options{APIKey: "s3cret"}, "sip.speech.api_key", "set sip.speech.provider to server"},
		{"no command", speech.Options{Provider: speech.CommandLine}, "sip.speech.command", "name the program"},
		{"a program that is not there", speech.Options{Provider: speech.CommandLine, Command: []string{"no-such-program"}}, "sip.speech.command", "not on the PATH"},
		{"a command without its provider", speech.Options{Command: []string{"say"}}, "sip.speech.command", "set sip.speech.provider to command"},
		{"a language", speech.Options{Language: "english?"}, "sip.speech.language", "BCP 47"},
		{"a language that the voice lacks", speech.Options{Provider: speech.Embedded, Language: "hi-IN"}, "sip.speech.language", "espeak-ng"},
		{"a speed", speech.Options{Speed: 11}, "sip.speech.speed", "0.25 to 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := speech.New(tt.o)
			var wrong *speech.SettingError
			if !errors.As(err, &wrong) || wrong.Key != tt.key || !strings.Contains(wrong.Problem, tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, %v", s, err)
			}
		})
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := speech.New(speech.Options{Language: "hi-IN"}); err == nil || !strings.Contains(err.Error(), "sip.speech.language: the embedded voice speaks English, not hi-IN: install espeak-ng") {
		t.Errorf("Hindi without espeak-ng: %v", err)
	}
	for _, provider := range []string{speech.ESpeakNG, speech.Flite} {
		if _, err := speech.New(speech.Options{Provider: provider}); err == nil || !strings.Contains(err.Error(), "install it, or take embedded") {
			t.Errorf("%s: %v", provider, err)
		}
	}
}

func TestRecognizerSettings(t *testing.T) {
	tests := []struct {
		o   speech.RecognizerOptions
		key string
	}{
		{speech.RecognizerOptions{}, "sip.recognition.provider"},
		{speech.RecognizerOptions{Provider: "vosk"}, "sip.recognition.provider"},
		{speech.RecognizerOptions{Provider: speech.HTTPServer}, "sip.recognition.url"},
		{speech.RecognizerOptions{Provider: speech.CommandLine}, "sip.recognition.command"},
		{speech.RecognizerOptions{Provider: speech.CommandLine, Command: []string{"cat"}, Language: "?"}, "sip.recognition.language"},
	}
	for _, tt := range tests {
		_, err := speech.NewRecognizer(tt.o)
		var wrong *speech.SettingError
		if !errors.As(err, &wrong) || wrong.Key != tt.key {
			t.Errorf("%+v: %v", tt.o, err)
		}
	}
}
