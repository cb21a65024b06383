package rest

import (
	"strings"

	"github.com/google/uuid"
)

// apps is the namespace of AppID.
var apps = uuid.MustParse("3c8f8a2e-5d0b-5b6e-9a43-6f2f0e6b7c11")

// AppID is the UUID of an app: what flow_id, agent_id and app_id may hold beside the app's name, since the SDKs
// check that the first two are UUIDs. It follows from the name alone (RFC 9562 section 5.5).
func AppID(name string) string { return uuid.NewSHA1(apps, []byte(name)).String() }

// uuidOf returns the usual form of a UUID, which may be written with or without hyphens and braces, in capitals, and as
// a URN; "" if it is none.
func uuidOf(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "urn:", ""), "uuid:", "")
	s = strings.ReplaceAll(strings.Trim(s, "{}"), "-", "")
	if len(s) != 32 {
		return ""
	}
	u, err := uuid.Parse(s)
	if err != nil {
		return ""
	}
	return u.String()
}

// canonicalID writes a UUID in its usual form and leaves everything else as it is.
func canonicalID(id string) string {
	if u := uuidOf(id); u != "" {
		return u
	}
	return id
}
