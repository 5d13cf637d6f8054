package api

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/messngr/messngr"
)

// maxSocketPath is the most bytes of a socket's path: sun_path of the systems
// that we know has 104 or 108, with a NUL.
const maxSocketPath = 103

// Listen opens the API's socket in the data directory, for its owner only. A
// socket that a killed service left behind is replaced; the caller must hold
// the data directory's lock, so that nobody else is listening there.
func Listen(data string) (net.Listener, error) {
	path, err := socketPath(data)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot replace the socket of an earlier service: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the service's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil && runtime.GOOS != "windows" {
		ln.Close()
		return nil, fmt.Errorf("cannot guard the service's socket: %w", err)
	}
	return ln, nil
}

// ListenInject opens a socket on which every user of this host may hand messages
// over. One that a killed service left behind is replaced.
func ListenInject(path string) (net.Listener, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("%s is there and is no socket: name another path in [inject] socket", path)
	}
	if conn, err := net.DialTimeout("unix", path, dialTimeout); err == nil {
		conn.Close()
		return nil, fmt.Errorf("another program listens on %s: name another path in [inject] socket", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot replace the socket of an earlier service: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the socket for messages: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil && runtime.GOOS != "windows" {
		ln.Close()
		return nil, fmt.Errorf("cannot open the socket to all users: %w", err)
	}
	return ln, nil
}

func socketPath(data string) (string, error) {
	path := filepath.Join(data, SocketName)
	if err := checkPath(path); err != nil {
		return "", fmt.Errorf("%w: choose a shorter data directory with --data or MESSNGR_DATA", err)
	}
	return path, nil
}

func checkPath(path string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("the path of the service's socket, %s, has %d bytes, at most %d are possible", path, len(path), maxSocketPath)
	}
	return nil
}

// A notRunning says that nobody is listening. It wraps the number that Windows
// has for that.
type notRunning struct{ data string }

func (e *notRunning) Error() string {
	return fmt.Sprintf("no service is running in %s: start it with \"messngr serve\", or name its directory with --data or MESSNGR_DATA", e.data)
}

func (e *notRunning) Unwrap() error { return messngr.NERRMsgNotStarted }

// dialTimeout bounds the time until a running service answers.
const dialTimeout = 5 * time.Second

func dial(data string) (net.Conn, error) {
	path, err := socketPath(data)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("unix", path, dialTimeout)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the service in %s is another user's: run the command as that user, or name your own with --data or MESSNGR_DATA", data)
	case err != nil:
		return nil, &notRunning{data}
	}
	return conn, nil
}
