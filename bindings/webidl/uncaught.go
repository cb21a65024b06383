package webidl

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// Uncaught deals with the error of a script function that nobody waits for, such as an event listener: an
// exception becomes fatal to the session in a turn of its own, an interrupt goes on at once.
func Uncaught(s *runtime.Session, err error) {
	if _, ok := err.(*goja.Exception); !ok {
		panic(err)
	}
	s.Post(func() error { return err })
}
