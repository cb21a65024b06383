package clone_test

import (
	"testing"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/clone"
	"github.com/piopiy/piopiyd/bindings/nodetest"
)

func TestCases(t *testing.T) {
	nodetest.Run(t, "testdata/node.json", clone.New(), abort.New())
}
