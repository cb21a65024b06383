package outbound_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
)

func TestPublic(t *testing.T) {
	for want, list := range map[bool]string{
		true: `8.8.8.8 1.1.1.1 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.0 169.253.1.1 192.167.1.1 198.17.1.1
			223.255.255.255 2606:4700::1111 2001:4860:4860::8888 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1 ::ffff:0:808:808`,
		false: `127.0.0.1 127.255.255.255 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254
			169.254.1.1 100.64.0.1 100.127.255.255 100.100.100.200 168.63.129.16 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1
			203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
			::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:7f00:1::1 2002:a00:1:: ::ffff:0:7f00:1
			fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 100::1 2001::1`,
	} {
		for text := range strings.FieldsSeq(list) {
			if got := outbound.Public(netip.MustParseAddr(text)); got != want {
				t.Errorf("Public(%s) = %v", text, got)
			}
		}
	}
	if outbound.Public(netip.Addr{}) {
		t.Error("no address at all counts as public")
	}
}

// Every way to write a forbidden address, in a URL, must be refused before a byte is sent.
func TestForbiddenAddresses(t *testing.T) {
	hit := false
	s := serve(t, func(http.ResponseWriter, *http.Request) { hit = true })
	at, _ := url.Parse(s.URL)
	c := newClient(t, outbound.Options{Resolver: names{
		"loop.example":  {netip.MustParseAddr("127.0.0.1")},
		"six.example":   {netip.MustParseAddr("::1")},
		"mixed.example": {netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("fd00::7")},
		"meta.example":  {netip.MustParseAddr("169.254.169.254")},
	}.resolver(t)})
	for _, host := range []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "0", "0.0.0.0",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]",
		"１２７.0.0.1", "127。0。0。1", "%31%32%37.0.0.1",
		"10.1.2.3", "169.254.169.254", "100.64.0.1", "[fe80::1]", "[fd00:ec2::254]", "224.0.0.1",
		"loop.example", "six.example", "mixed.example", "meta.example", "LOOP.example.",
	} {
		u, err := outbound.ParseURL("http://" + host + ":" + at.Port() + "/")
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		_, err = c.Do(t.Context(), &outbound.Request{URL: u})
		wantCode(t, err, "EBLOCKED")
		if err != nil && !strings.Contains(err.Error(), "fetch.allow") {
			t.Errorf("%s: the error does not say what permits it: %v", host, err)
		}
	}
	if hit {
		t.Error("a forbidden address was reached")
	}
}

func TestAllow(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) })
	u, _ := url.Parse(s.URL)
	port := u.Port()
	dns := names{
		"crm.internal": {netip.MustParseAddr("127.0.0.1")}, "a.b.internal": {netip.MustParseAddr("127.0.0.1")},
		"internal": {netip.MustParseAddr("127.0.0.1")},
	}.resolver(t)
	for _, test := range []struct {
		allow, host string
		ok          bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1:" + port, "127.0.0.1", true},
		{"127.0.0.1:1", "127.0.0.1", false},
		{"127.0.0.0/8", "127.0.0.1", true},
		{"127.0.0.0/8", "crm.internal", true},
		{"10.0.0.0/8", "127.0.0.1", false},
		{"::ffff:127.0.0.1", "127.0.0.1", true},
		{"crm.internal", "crm.internal", true},
		{"CRM.internal.", "crm.internal", true},
		{"crm.internal:" + port, "crm.internal", true},
		{"crm.internal:1", "crm.internal", false},
		{"crm.internal", "127.0.0.1", false},
		{"crm.internal", "a.b.internal", false},
		{"*.internal", "crm.internal", true},
		{"*.internal", "a.b.internal", true},
		{"*.internal", "internal", false},
	} {
		c := newClient(t, outbound.Options{Allow: []string{test.allow}, Resolver: dns})
		_, body, err := get(t, c, "http://"+test.host+":"+port)
		if test.ok && (err != nil || body != "hello") {
			t.Errorf("allow %s, ask %s: %q, %v", test.allow, test.host, body, err)
		}
		if !test.ok && code(err) != "EBLOCKED" {
			t.Errorf("allow %s, ask %s: %v; want EBLOCKED", test.allow, test.host, err)
		}
	}
}

func TestAllowRefusesNonsense(t *testing.T) {
	for _, entry := range []string{"", "*", "*.", "http://crm.internal", "crm.internal/x", "10.0.0.0/99", "a b", "crm:99999", "crm:x", "a*b"} {
		if _, err := outbound.NewClient(outbound.Options{Allow: []string{entry}}); err == nil || !strings.Contains(err.Error(), "fetch.allow") {
			t.Errorf("%q: %v", entry, err)
		}
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("direct")) })
	c := newClient(t, outbound.Options{Allow: []string{"direct.example"}, Resolver: names{"direct.example": {netip.MustParseAddr("127.0.0.1")}}.resolver(t)})
	if _, body, err := get(t, c, strings.Replace(s.URL, "127.0.0.1", "direct.example", 1)); body != "direct" {
		t.Errorf("%q, %v", body, err)
	}
}
