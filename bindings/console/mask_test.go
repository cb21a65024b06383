package console_test

import (
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/bindings/console"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

func TestSecretsAreMasked(t *testing.T) {
	kit := runtimetest.New(t, console.New())
	kit.Eval(`console.log({ user: 'ann', password: 'p-1', headers: { Authorization: 'Bearer p-2' }, api_key: 'p-3', accessToken: 'p-4', author: 'bob', tokens: 3 }); return 0`)
	for _, e := range kit.Journal.Entries(t.Name()) {
		text := string(e.Data)
		if strings.Contains(text, "p-") {
			t.Errorf("the journal shows a secret: %s", text)
		}
		if e.Kind == "log" && (!strings.Contains(text, "ann") || !strings.Contains(text, "bob") || !strings.Contains(text, "tokens: 3")) {
			t.Errorf("too much is masked: %s", text)
		}
	}
}
