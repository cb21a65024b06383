package speech

import "time"

// NewCacheWithTimeout returns a cache that keeps nothing and is impatient.
func NewCacheWithTimeout(s Synth, timeout time.Duration) *Cache {
	return newCache(s, Options{Timeout: timeout})
}

// CleanSSML and Plain show what becomes of SSML.
var CleanSSML = cleanSSML

// Plain returns the pieces of SSML as texts and pauses.
func Plain(ssml string) (texts []string, pauses []time.Duration, err error) {
	pieces, err := plain(ssml)
	for _, p := range pieces {
		texts, pauses = append(texts, p.text), append(pauses, p.pause)
	}
	return texts, pauses, err
}

// ASCII shows what the embedded voice is given to read.
var ASCII = ascii
