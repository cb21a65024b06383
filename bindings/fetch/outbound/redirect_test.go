package outbound_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
)

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %q auth=%s type=%s cookie=%s", r.Method, r.URL.Path, body, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), r.Header.Get("Cookie"))
}

func TestRedirects(t *testing.T) {
	other := serve(t, echo)
	var s *httptest.Server
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		switch {
		case status >= 300 && r.URL.Query().Has("away"):
			w.Header().Set("Location", other.URL+"/there")
			w.WriteHeader(status)
		case status >= 300:
			w.Header().Set("Location", "/here")
			w.WriteHeader(status)
		default:
			echo(w, r)
		}
	})
	c := newClient(t, outbound.Options{Allow: local})
	for _, test := range []struct{ method, path, want string }{
		{"GET", "/301", `GET /here "" auth=a type= cookie=c`},
		{"POST", "/301", `GET /here "" auth=a type= cookie=c`},
		{"POST", "/302", `GET /here "" auth=a type= cookie=c`},
		{"POST", "/303", `GET /here "" auth=a type= cookie=c`},
		{"PUT", "/303", `GET /here "" auth=a type= cookie=c`},
		{"PUT", "/301", `PUT /here "body" auth=a type=text/plain cookie=c`},
		{"POST", "/307", `POST /here "body" auth=a type=text/plain cookie=c`},
		{"POST", "/308", `POST /here "body" auth=a type=text/plain cookie=c`},
		{"POST", "/307?away", `POST /there "body" auth= type=text/plain cookie=`},
		{"GET", "/302?away", `GET /there "" auth= type= cookie=`},
		{"GET", "/304", `GET`},
	} {
		r := request(t, test.method, s.URL+test.path)
		r.Header.Set("Authorization", "a")
		r.Header.Set("Cookie", "c")
		if test.method != "GET" {
			r.Body = []byte("body")
			r.Header.Set("Content-Type", "text/plain")
		}
		res, err := c.Do(t.Context(), r)
		if err != nil {
			t.Errorf("%s %s: %v", test.method, test.path, err)
			continue
		}
		body, _ := io.ReadAll(res.Body)
		if res.Status == 304 {
			continue
		}
		if string(body) != test.want || !res.Redirected || res.Status != 200 {
			t.Errorf("%s %s: %d %s; want %s", test.method, test.path, res.Status, body, test.want)
		}
		if want := strings.Contains(test.path, "away"); (res.URL.Path == "/there") != want {
			t.Errorf("%s %s: the response's URL is %s", test.method, test.path, res.URL)
		}
		if r.Header.Get("Authorization") != "a" {
			t.Error("Do changed its request")
		}
	}
}

func TestRedirectsThatAreNotFollowed(t *testing.T) {
	near := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a forbidden server was reached") })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(302)
	})
	var seen []outbound.Exchange
	c := newClient(t, outbound.Options{
		Allow:    []string{strings.TrimPrefix(s.URL, "http://")},
		Observer: func(x outbound.Exchange) { seen = append(seen, x) },
	})
	for to, want := range map[string]string{
		near.URL: "EBLOCKED",
		"http://169.254.169.254/latest/meta-data/": "EBLOCKED",
		"http://2130706433:1/":                     "EBLOCKED",
		"//[::1]/":                                 "EBLOCKED",
		"file:///etc/passwd":                       "EURL",
		"ftp://example.com/":                       "EURL",
		"http://u:p@example.com/":                  "EURL",
		"http://exa mple.com/":                     "EURL",
	} {
		seen = nil
		r := request(t, "GET", s.URL)
		q := r.URL.Query()
		q.Set("to", to)
		r.URL.RawQuery = q.Encode()
		_, err := c.Do(t.Context(), r)
		wantCode(t, err, want)
		if len(seen) != 1 || code(seen[0].Err) != want || seen[0].Redirects != 1 {
			t.Errorf("the observer saw %+v", seen)
		}
	}
	loop := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/")
		w.WriteHeader(302)
	})
	c = newClient(t, outbound.Options{Allow: local})
	_, err := c.Do(t.Context(), request(t, "GET", loop.URL))
	wantCode(t, err, "EREDIRECT")
	r := request(t, "GET", loop.URL)
	r.Redirect = outbound.Refuse
	_, err = c.Do(t.Context(), r)
	wantCode(t, err, "EREDIRECT")
	r.Redirect = outbound.Manual
	res, err := c.Do(t.Context(), r)
	if err != nil || res.Status != 302 || res.Redirected {
		t.Errorf("%+v, %v", res, err)
	}
	res.Body.Close()
}

func TestExactly20RedirectsAreFollowed(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if n > 0 {
			http.Redirect(w, r, fmt.Sprint("/", n-1), 302)
		}
	})
	c := newClient(t, outbound.Options{Allow: local})
	if _, _, err := get(t, c, s.URL+"/20"); err != nil {
		t.Error(err)
	}
	_, _, err := get(t, c, s.URL+"/21")
	wantCode(t, err, "EREDIRECT")
}

func TestDefaultHeaders(t *testing.T) {
	var got http.Header
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone(); got.Set("Host", r.Host) })
	c := newClient(t, outbound.Options{Allow: local})
	if _, _, err := get(t, c, s.URL); err != nil {
		t.Fatal(err)
	}
	want := http.Header{"Accept-Encoding": {"gzip, deflate"}, "User-Agent": {"piopiyd"}, "Host": {strings.TrimPrefix(s.URL, "http://")}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	r := request(t, "GET", s.URL)
	r.Header.Set("Host", "other.example")
	r.Header.Set("User-Agent", "me")
	res, err := c.Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got.Get("Host") != "other.example" || got.Get("User-Agent") != "me" {
		t.Error(got)
	}
}
