package call

import "strings"

// InputToken returns the token that [Call.InputURL] made url from, so that a performer can ask the Handler
// itself where a web server would be asked. It reports false for anybody else's URL.
func (c *Call) InputToken(url string) (token string, ok bool) {
	if c.InputURL == nil {
		return "", false
	}
	const probe = "0-token-0"
	before, after, found := strings.Cut(c.InputURL(probe), probe)
	if !found || len(url) <= len(before)+len(after) || !strings.HasPrefix(url, before) || !strings.HasSuffix(url, after) {
		return "", false
	}
	token = url[len(before) : len(url)-len(after)]
	return token, c.InputURL(token) == url
}
