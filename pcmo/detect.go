package pcmo

import "encoding/json"

// Detect says which dialect a document is written in, by the rule of
// [DecodeAny]. It returns Classic for what is not JSON or not an array.
func Detect(data []byte) Dialect {
	if !json.Valid(data) {
		return Classic
	}
	return detect(data)
}

func detect(data []byte) Dialect {
	d := &decoder{data: data, report: newReport()}
	d.unwrap()
	if d.peek() != '[' {
		return Classic
	}
	found := Dialect(0)
	d.array(func(int) {
		if found != 0 || d.peek() != '{' {
			d.skip()
			return
		}
		start := d.pos
		name, _ := d.actionName()
		d.pos = start
		switch string(name) {
		case "bridge", "speak", "stream":
			found = Classic
			d.skip()
			return
		}
		d.members(func(key []byte) {
			if found == 0 {
				found = byKey(string(name), key)
			}
			d.skip()
		})
	})
	if found == 0 {
		return Classic
	}
	return found
}

// byKey tells the dialect of an action from one of its keys, or 0.
func byKey(name string, key []byte) Dialect {
	switch name {
	case "connect":
		switch string(key) {
		case "params", "endpoints":
			return V3
		case "connect", "call", "from":
			return Classic
		}
	case "play":
		if string(key) == "file_url" {
			return Classic
		}
	case "play_get_input", "input":
		switch string(key) {
		case "prompt", "input", "on_result", "dtmf", "retries":
			return V3
		case "action_url", "file_name", "file_url":
			return Classic
		}
	case "param":
		switch string(key) {
		case "data":
			return V3
		case "text":
			return Classic
		}
	case "record":
		switch string(key) {
		case "format", "channels":
			return V3
		}
	}
	return 0
}
