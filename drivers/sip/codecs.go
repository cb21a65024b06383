package sip

import (
	"fmt"
	"strings"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// usualCodecs leave out Opus, which costs many times as much: whoever wants it says so.
var usualCodecs = []media.Codec{media.PCMU, media.PCMA, media.G722}

// codecsNamed reads Options.Codecs.
func codecsNamed(names []string) ([]media.Codec, error) {
	if len(names) == 0 {
		return usualCodecs, nil
	}
	var list []media.Codec
	for _, name := range names {
		c, ok := media.CodecNamed(strings.ReplaceAll(name, ".", ""))
		if !ok {
			return nil, fmt.Errorf("sip.codecs: %q is not spoken; PCMU, PCMA, G722 and OPUS are", name)
		}
		list = append(list, c)
	}
	return list, nil
}
