package main

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"

	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

// voiceOptions translates the configuration of the voice.
func voiceOptions(cfg config.Config) speech.Options {
	s := cfg.SIP.Speech
	return speech.Options{
		Provider: s.Provider, Command: s.Command, URL: s.URL, Model: s.Model, Voice: s.Voice, Language: s.Language,
		APIKey: string(s.APIKey), Speed: s.Speed, CacheDir: filepath.Join(cfg.Data, "speech"),
	}
}

// newRecognizer returns what hears words, or nil where nothing is configured.
func newRecognizer(cfg config.Config) (speech.Recognizer, error) {
	r := cfg.SIP.Recognition
	if r.Provider == "off" {
		return nil, nil
	}
	return speech.NewRecognizer(speech.RecognizerOptions{
		Provider: r.Provider, Command: r.Command, URL: r.URL, Model: r.Model, Language: r.Language, APIKey: string(r.APIKey),
	})
}

// checkSIP finds what keeps the call engine from starting on this machine: programs and files that are not there.
func checkSIP(cfg config.Config) []config.Problem {
	if cfg.SIP.Listen == config.SIPOff {
		return nil
	}
	_, voice := speech.New(voiceOptions(cfg))
	_, ear := newRecognizer(cfg)
	var problems []config.Problem
	for _, err := range []error{voice, ear} {
		var setting *speech.SettingError
		if errors.As(err, &setting) {
			problems = append(problems, config.Problem{Key: setting.Key, Message: setting.Problem})
		}
	}
	if t := cfg.SIP.TLS; t.Listen != "" {
		if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
			problems = append(problems, config.Problem{Key: "sip.tls.cert", Message: "the certificate and its key cannot be used: " + err.Error()})
		}
		if _, err := os.Stat(t.Roots); t.Roots != "" && err != nil {
			problems = append(problems, config.Problem{Key: "sip.tls.roots", Message: "the file cannot be read: " + err.Error()})
		}
	}
	return problems
}
