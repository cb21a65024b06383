package pcmo

import (
	"encoding/json"
	"os"
	"testing"
)

// What Node's URL constructor accepts, recorded with Node 20.
func TestValidURL(t *testing.T) {
	data, err := os.ReadFile("testdata/urls.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]bool
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded) < 300 {
		t.Fatalf("only %d rows", len(recorded))
	}
	for u, want := range recorded {
		if got := validURL(u); got != want {
			t.Errorf("%q: got %v, Node says %v", u, got, want)
		}
	}
}

func FuzzValidURL(f *testing.F) {
	f.Add("https://h.example/a.wav")
	f.Add("foo://[::1]:80")
	f.Fuzz(func(t *testing.T, s string) {
		if isCommonURL(s) && !parses(s) {
			t.Errorf("%q is taken for a common URL", s)
		}
		isWS(s)
		isBase64(s)
	})
}
