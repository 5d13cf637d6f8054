// Command messngr is the Messenger Service: it receives the messages of
// `net send`, WinPopup and smbclient -M, shows them, and sends them.
//
// Called by the name "net", as through a symbolic link, it is the `net`
// command as far as that is about messages.
package main

import (
	"os"

	"github.com/messngr/messngr/internal/cli"
)

// version is set by the linker.
var version = "dev"

func main() {
	os.Exit(cli.Main(cli.Process{
		Version: version,
		Args:    os.Args,
		Stdin:   os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}
