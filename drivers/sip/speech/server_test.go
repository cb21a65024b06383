package speech_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

const key = "sk-0123456789"

// openAI is a server of OpenAI's shapes. It refuses as OpenAI does, and repeats in its errors what it was sent.
func openAI(t *testing.T) *httptest.Server {
	t.Helper()
	refuse := func(w http.ResponseWriter, status int, code, message string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "type": "invalid_request_error", "param": nil, "code": code}})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/audio/speech", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var in struct {
			Model, Voice, Input string
			Format              string `json:"response_format"`
			Speed               *float64
		}
		if err := json.Unmarshal(body, &in); err != nil || r.Header.Get("Content-Type") != "application/json" {
			refuse(w, http.StatusBadRequest, "invalid_json", "no JSON")
			return
		}
		switch {
		case r.Header.Get("Authorization") != "Bearer "+key:
			refuse(w, http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided: "+r.Header.Get("Authorization"))
		case in.Format != "wav" || in.Input == "" || in.Model != "tts-1":
			refuse(w, http.StatusBadRequest, "invalid_value", string(body))
		case in.Voice != "alloy" && in.Voice != "nova":
			refuse(w, http.StatusBadRequest, "invalid_voice", string(body))
		case in.Input == "break":
			refuse(w, http.StatusInternalServerError, "", "cannot say "+in.Input)
		case in.Input == "move":
			http.Redirect(w, r, "/v1/elsewhere", http.StatusTemporaryRedirect)
		case in.Input == "wait":
			<-r.Context().Done()
		case in.Input == "empty":
		case strings.Contains(in.Input, "<"):
			refuse(w, http.StatusBadRequest, "invalid_value", "markup")
		default:
			length := 400 * time.Millisecond
			if in.Voice == "nova" {
				length *= 2
			}
			if in.Speed != nil {
				length = time.Duration(float64(length) / *in.Speed)
			}
			_, _ = w.Write(audio.EncodeWAV(audio.Resample(media.Tone(440, length), 8000, 24000), 24000))
		}
	})
	mux.HandleFunc("POST /v1/audio/transcriptions", func(w http.ResponseWriter, r *http.Request) {
		file, header, err := r.FormFile("file")
		if err != nil {
			refuse(w, http.StatusBadRequest, "missing_file", "no file")
			return
		}
		data, _ := io.ReadAll(file)
		samples, err := media.DecodeWAV(data)
		switch {
		case r.Header.Get("Authorization") != "Bearer "+key:
			refuse(w, http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided: "+r.Header.Get("Authorization"))
		case err != nil || !strings.HasSuffix(header.Filename, ".wav") || r.FormValue("model") != "whisper-1" || r.FormValue("response_format") != "json":
			refuse(w, http.StatusBadRequest, "invalid_value", "no")
		case len(samples) < 800: // shorter than 100 ms
			refuse(w, http.StatusBadRequest, "audio_too_short", "Audio file is too short.")
		case audio.Level(samples, 440, 8000) > 1000:
			_ = json.NewEncoder(w).Encode(map[string]string{"text": " Hello,\n " + r.FormValue("language")})
		case audio.Level(samples, 600, 8000) > 1000:
			_, _ = w.Write([]byte("what the caller said"))
		default:
			_ = json.NewEncoder(w).Encode(map[string]string{"text": ""})
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestServer(t *testing.T) {
	server := openAI(t)
	dialled := atomic.Int32{}
	o := speech.Options{Provider: speech.HTTPServer, URL: server.URL + "/v1/", APIKey: key, Timeout: 300 * time.Millisecond,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		}}
	with := func(change func(*speech.Options)) speech.Options {
		o := o
		change(&o)
		return o
	}
	say := func(text string) speech.Request { return speech.Request{Text: text} }
	tests := []struct {
		name  string
		o     speech.Options
		r     speech.Request
		want  time.Duration
		fails string
	}{
		{name: "said", o: o, r: say("hello"), want: 400 * time.Millisecond},
		{name: "its voice", o: o, r: speech.Request{Text: "hello", Voice: "nova"}, want: 800 * time.Millisecond},
		{name: "a voice it lacks", o: o, r: speech.Request{Text: "hello", Voice: "Joanna"}, want: 400 * time.Millisecond},
		{name: "faster", o: o, r: speech.Request{Text: "hello", Speed: 2}, want: 200 * time.Millisecond},
		{name: "markup", o: o, r: speech.Request{Text: "<speak>hello</speak>", SSML: true}, want: 400 * time.Millisecond},
		{name: "the configured voice", o: with(func(o *speech.Options) { o.Voice = "nova" }), r: say("hello"), want: 800 * time.Millisecond},
		{name: "wrong key", o: with(func(o *speech.Options) { o.APIKey = "sk-wrong" }), r: say("hello"), fails: "the speech server answers 401 Unauthorized (invalid_api_key): check the key"},
		{name: "wrong model", o: with(func(o *speech.Options) { o.Model = "x" }), r: say("secret"), fails: "400 Bad Request (invalid_value)"},
		{name: "wrong path", o: with(func(o *speech.Options) { o.URL = server.URL }), r: say("secret"), fails: "404 Not Found: check the URL"},
		{name: "broken", o: o, r: say("break"), fails: "500 Internal Server Error (invalid_request_error)"},
		{name: "a redirect", o: o, r: say("move"), fails: "redirects are not followed"},
		{name: "slow", o: o, r: say("wait"), fails: "longer than 300ms"},
		{name: "nothing", o: o, r: say("empty"), fails: "made no sound that can be played"},
		{name: "nobody there", o: with(func(o *speech.Options) { o.URL = "http://127.0.0.1:1/v1" }), r: say("secret"), fails: "cannot be reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := speech.New(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if name := s.Name(); strings.Contains(name, "sk-") {
				t.Errorf("the name is %s", name)
			}
			wav, err := s.Say(t.Context(), tt.r)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) || strings.Contains(err.Error(), "sk-") || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v, want %q", err, tt.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d, _ := length(t, wav); d != tt.want {
				t.Errorf("%v long, want %v", d, tt.want)
			}
		})
	}
	if dialled.Load() == 0 {
		t.Error("the connections were not made by Dial")
	}
}

func TestRecognizer(t *testing.T) {
	server := openAI(t)
	o := speech.RecognizerOptions{Provider: speech.HTTPServer, URL: server.URL + "/v1", APIKey: key}
	hello := audio.Resample(media.Tone(440, time.Second), 8000, 16000)
	command := func(args ...string) speech.RecognizerOptions {
		return speech.RecognizerOptions{Provider: speech.CommandLine, Command: args, Timeout: 5 * time.Second}
	}
	tests := []struct {
		name    string
		o       speech.RecognizerOptions
		samples []int16
		rate    int
		lang    string
		want    string
		fails   string
	}{
		{name: "heard", o: o, samples: hello, rate: 16000, want: "Hello,"},
		{name: "its language", o: o, samples: hello, rate: 16000, lang: "hi-IN", want: "Hello, hi"},
		{name: "nothing said", o: o, samples: make([]int16, 8000), rate: 8000},
		{name: "too short", o: o, samples: hello[:800], rate: 16000, fails: "400 Bad Request (audio_too_short)"},
		{name: "wrong key", o: speech.RecognizerOptions{Provider: speech.HTTPServer, URL: server.URL + "/v1", APIKey: "sk-wrong"}, samples: hello, rate: 16000, fails: "(invalid_api_key): check the key"},
		{name: "another protocol", o: o, samples: media.Tone(600, time.Second), rate: 8000, fails: "does it speak OpenAI's protocol"},
		{name: "no samples", o: o, rate: 8000, fails: "no sound"},
		{name: "a rate", o: o, samples: hello, rate: 0, fails: "0 Hz"},
		{name: "too long", o: o, samples: make([]int16, 8000*300), rate: 8000, fails: "at most 5m0s"},
		{name: "no language", o: o, samples: hello, rate: 16000, lang: "??", fails: "BCP 47"},
		{name: "a command", o: command("sh", "-c", `head -c 4; echo; wc -c`), samples: hello, rate: 16000, want: "RIFF 32040"},
		{name: "a command with files", o: command("sh", "-c", `head -c 4 "$1" > "$2"; echo " $3 $4" >> "$2"`, "-", "{in}", "{out}", "{language}", "{lang}"), samples: hello, rate: 16000, lang: "en-IN", want: "RIFF en-IN en"},
		{name: "a command that hears nothing", o: command("sh", "-c", "cat > /dev/null"), samples: hello, rate: 16000},
		{name: "a command that fails", o: command("sh", "-c", "echo what the caller said >&2; exit 4"), samples: hello, rate: 16000, fails: "recognition: sh: exit status 4"},
		{name: "a slow command", o: speech.RecognizerOptions{Provider: speech.CommandLine, Command: []string{"sleep", "600"}, Timeout: 50 * time.Millisecond}, samples: hello, rate: 16000, fails: "no text after 50ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := speech.NewRecognizer(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Recognize(t.Context(), tt.samples, tt.rate, tt.lang)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) || strings.Contains(err.Error(), "sk-") || strings.Contains(err.Error(), "caller said") {
					t.Errorf("got %v, want %q", err, tt.fails)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
