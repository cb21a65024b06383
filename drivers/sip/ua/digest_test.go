package ua_test

import (
	"testing"

	"github.com/icholy/digest"
)

// authorization answers a challenge for a REGISTER.
func authorization(t *testing.T, challenge, user, password, uri string) string {
	t.Helper()
	c, err := digest.ParseChallenge(challenge)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := digest.Digest(c, digest.Options{Method: "REGISTER", URI: uri, Username: user, Password: password, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: " + answer.String()
}
