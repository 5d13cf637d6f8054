package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
)

func (p Process) injectCommand() *cobra.Command {
	var s settings
	var d api.Draft
	var socket string
	cmd := &cobra.Command{
		Use:   "inject --from NAME [flags] [TEXT...]",
		Short: "Hand a message to the service on this computer, in somebody's name",
		Long: `Hand a message that came another way to the service on this computer, which
keeps and shows it. Without TEXT it is read from the standard input.

With [inject] socket in the configuration every user of this computer may do
so, and the message is marked as what its sender claims to be; else only the
user who runs the service.

On a host where Samba has TCP port 139, its messages come so: with

  [inject]
  socket = "/run/messngr-inject.sock"

in the configuration of messngr, and in smb.conf

  [global]
  server min protocol = NT1
  message command = sh -c 'messngr inject --from "%f" <%s; rm %s'

The exit status is 0 when the message is kept, also when it is held because the
recipient has paused.`,
		Args: func(*cobra.Command, []string) error {
			if d.From == "" {
				return errors.New("--from is missing: the NAME of the sender")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			if d.Text, err = p.text(args); err != nil {
				return err
			}
			if socket == "" {
				socket = cfg.Inject
			}
			service := api.NewClient(cfg.Data)
			if socket != "" {
				service = api.NewInjectClient(socket)
			}
			posted, err := service.Post(cmd.Context(), d)
			if err == nil && posted.State == messngr.Held {
				fmt.Fprintln(p.Stderr, "messngr: the message is held: the recipient has paused the Messenger service")
			}
			return err
		},
	}
	s.fileFlag(cmd)
	s.dataFlag(cmd)
	f := cmd.Flags()
	f.SetInterspersed(false) // the text may begin with a dash
	f.StringVar(&d.From, "from", "", "sender's `NAME`")
	f.StringVar(&d.To, "to", "", "recipient's `NAME` (default the computer name)")
	f.StringVar(&socket, "socket", "", "`PATH` of the socket of [inject] (default as configured)")
	return cmd
}
