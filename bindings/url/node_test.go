package url_test

import (
	"testing"

	"github.com/piopiy/piopiyd/bindings/nodetest"
	"github.com/piopiy/piopiyd/bindings/url"
)

func TestCases(t *testing.T) {
	nodetest.Run(t, "testdata/node.json", url.New())
}
