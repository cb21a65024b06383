package abort_test

import (
	"testing"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/nodetest"
)

func TestCases(t *testing.T) {
	nodetest.Run(t, "testdata/node.json", abort.New())
}
