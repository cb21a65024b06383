package crypto_test

import (
	"testing"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/crypto"
	"github.com/piopiy/piopiyd/bindings/encoding"
	"github.com/piopiy/piopiyd/bindings/nodetest"
)

func TestCases(t *testing.T) {
	nodetest.Run(t, "testdata/node.json", crypto.New(), abort.New(), encoding.New())
}
