package media

import (
	"errors"
	"net"
	"syscall"
)

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }

func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
