package stream_test

import "testing"

// TestGiveWay says so to the call engine, and nothing to a platform that would not understand it.
func TestGiveWay(t *testing.T) {
	const script = `
		socket.giveWay()
		socket.giveWay(true)
		socket.giveWay(false)
		socket.send('done')
		for await (const frame of socket);`
	on, off := `{"action":"give_way"}`, `{"action":"give_way","off":true}`
	for name, tt := range map[string]struct {
		engine bool
		want   []string
	}{
		"engine":   {true, []string{on, on, off, "done"}},
		"platform": {false, []string{"done"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer()
			var done chan string
			if tt.engine {
				done = serve(t, newKit(t), nil, engine{peer: p}, script)
			} else {
				done = serve(t, newKit(t), nil, p, script)
			}
			for _, want := range tt.want {
				if got := p.got(t); got != want {
					t.Errorf("sent %s, want %s", got, want)
				}
			}
			_ = p.Close(1000, "")
			<-done
		})
	}
}
