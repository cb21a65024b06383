package sip

import (
	"fmt"
	"strings"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// codecsNamed reads Options.Codecs.
func codecsNamed(names []string) ([]media.Codec, error) {
	var list []media.Codec
	for _, name := range names {
		c, ok := media.CodecNamed(strings.ToUpper(strings.ReplaceAll(name, ".", "")))
		if !ok {
			return nil, fmt.Errorf("sip.codecs: %q is not spoken; PCMU, PCMA and G722 are", name)
		}
		list = append(list, c)
	}
	return list, nil
}
