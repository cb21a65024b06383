package timers_test

import (
	"testing"

	"github.com/piopiy/piopiyd/bindings/nodetest"
	"github.com/piopiy/piopiyd/bindings/timers"
)

func TestCases(t *testing.T) {
	nodetest.Run(t, "testdata/node.json", timers.New())
}
