package call

import (
	"maps"
	"slices"
)

// Verbs returns the names of what scripts can ask of a call, in order.
func Verbs() []string { return slices.Sorted(maps.Keys(verbTable)) }
