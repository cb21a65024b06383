package sip

import "time"

// waits are how long others may take; tests let them take less.
type waits struct {
	handshake  time.Duration // a server, to open a WebSocket
	stuck      time.Duration // a server that takes nothing, until it is given up
	ping, pong time.Duration // between questions whether a server is there, and how long it may give no sign of life
	silence    time.Duration // a trunk that says nothing at all while there is another: RFC 3261 would have us wait 32 s
}

var usualWaits = waits{handshake: 10 * time.Second, stuck: 5 * time.Second, ping: 10 * time.Second, pong: 25 * time.Second, silence: 4 * time.Second}
