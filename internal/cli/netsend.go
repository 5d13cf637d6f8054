package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/config"
	"github.com/messngr/messngr/internal/display"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/internal/sender"
)

// maxInput is the most bytes that are read from the standard input: more than
// any transport carries, so that the refusal can count them.
const maxInput = 1 << 20

// A netSend is the flags of `net send`.
type netSend struct {
	settings
	from        string
	transport   string
	port        uint16
	codePage    int
	lmhosts     string
	singleBlock bool
	workgroup   string
	truncate    bool
	timeout     time.Duration
	json        bool
}

// netSendCommand is `net send`, and `send`.
func (p Process) netSendCommand() *cobra.Command {
	var o netSend
	cmd := &cobra.Command{
		Use:   "send [flags] NAME|ADDRESS|*|/domain[:NAME]|/users [TEXT...]",
		Short: "Send a message to a computer, a user, an address or a workgroup",
		Long: `Send a message to the one who has a NetBIOS name, or to an address. Without
TEXT it is read from the standard input. Flags come before the recipient: what
comes after is text.

A name is looked up in LMHOSTS, by broadcast on every interface, then in the
DNS. The message goes over a NetBIOS session or, where none is to be had, by RPC
(NetrSendMessage). The exit status is 0 only when the recipient accepted it;
that it was accepted does not say that anybody has read it.

To a workgroup the message goes in datagrams, by broadcast on every network: to
one's own with * or /domain, to another with /domain:NAME or --workgroup NAME.
Nothing answers them: it is said who could be seen there, not who has the
message. Sender, recipient and text together have at most 421 bytes; Windows
itself sends no more than 128 characters, as does this program with [send]
max_workgroup_text = 128. With /users it goes to every user that can be seen on
the networks of this computer, whatever his workgroup, and each answers.`,
		Example: `  messngr net send HOST2 "Server restarts in five minutes."
  df -h | messngr net send 10.77.0.2
  messngr net send /domain "Lunch is here."
  messngr send --workgroup OFFICE "Lunch is here."`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("workgroup") {
				if strings.TrimSpace(o.workgroup) == "" {
					return errors.New("--workgroup: the NAME is empty")
				}
				return nil
			}
			if len(args) == 0 || strings.TrimSpace(args[0]) == "" {
				return errors.New("the recipient is missing: a NAME, an ADDRESS, *, /domain[:NAME] or /users")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.workgroup != "" {
				return p.netSend(cmd.Context(), o, "/domain:"+o.workgroup, args)
			}
			return p.netSend(cmd.Context(), o, args[0], args[1:])
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false) // the text may begin with a dash
	o.fileFlag(cmd)
	f.StringVar(&o.from, "from", "", "sender's `NAME` (default the computer name)")
	f.StringVar(&o.Name, "name", "", "computer `NAME` that calls (default as configured, else the host's)")
	f.StringVar(&o.transport, "transport", "", "`WAY` to send: smb, rpc, or auto, by RPC when no session can be had (default as configured, else auto)")
	_ = cmd.RegisterFlagCompletionFunc("transport", cobra.FixedCompletions(transports, cobra.ShellCompDirectiveNoFileComp))
	f.Uint16Var(&o.port, "port", 0, "TCP `PORT` to call (default as configured, else 139)")
	f.IntVar(&o.codePage, "code-page", 0, "code `PAGE` in which the recipient reads (default as configured, else 850)")
	f.StringVar(&o.lmhosts, "lmhosts", "", "LMHOSTS `FILE` to look in first")
	_ = cmd.RegisterFlagCompletionFunc("lmhosts", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault // any file
	})
	f.BoolVar(&o.singleBlock, "single-block", false, "send one SMB_COM_SEND_MESSAGE of at most 128 bytes")
	f.StringVar(&o.workgroup, "workgroup", "", "send to everybody in the workgroup `NAME`; all words are text")
	f.BoolVar(&o.truncate, "truncate", false, "cut a text that is too long for a workgroup, instead of refusing it")
	f.DurationVar(&o.timeout, "timeout", 0, "the longest `TIME` that one step may take (default as configured, else 10s)")
	f.BoolVar(&o.json, "json", false, "report as a JSON object")
	_ = cmd.RegisterFlagCompletionFunc("code-page", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var pages []string
		for _, n := range oem.Numbers() {
			pages = append(pages, fmt.Sprint(n))
		}
		return pages, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// onlyForOne returns an error about a flag that says how to send to one
// recipient, if there is one.
func (o *netSend) onlyForOne() error {
	switch {
	case o.singleBlock:
		return usagef("a workgroup is reached by datagrams alone: leave out --single-block")
	case o.transport != "" && o.transport != "auto":
		return usagef("a workgroup is reached by datagrams alone: leave out --transport %s", o.transport)
	}
	return nil
}

// transports are the ways that --transport takes.
var transports = []string{"auto", "smb", "rpc"}

func (p Process) netSend(ctx context.Context, o netSend, to string, words []string) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	t, err := parseTarget(to, cfg)
	if err != nil {
		return err
	}
	if t.workgroup != "" && !t.users {
		if err := o.onlyForOne(); err != nil {
			return err
		}
	}
	send, err := p.sender(o, cfg)
	if err != nil {
		return err
	}
	text, err := p.text(words)
	if err != nil {
		return err
	}
	from := o.from
	if from == "" {
		from = cfg.Name
	}
	switch {
	case t.users:
		return p.toUsers(ctx, send, o, t, from, text)
	case t.workgroup != "":
		return p.cast(ctx, send, o, t, from, text)
	}
	del := send.Send(ctx, sender.Draft{From: from, To: t.to, Text: text})
	if o.json {
		if err := writeDelivery(p.Stdout, del); err != nil {
			return err
		}
	} else {
		p.report(del)
	}
	if del.State != messngr.Accepted {
		return errSaid
	}
	return nil
}

// sender returns the sender that the flags and the configuration describe.
func (p Process) sender(o netSend, cfg *config.Config) (*sender.Sender, error) {
	if o.port == 0 {
		o.port = cfg.Send.Port
	}
	if o.timeout == 0 {
		o.timeout = cfg.Send.Timeout
	}
	if o.transport == "" {
		o.transport = cfg.Send.Transport
	}
	if !slices.Contains(transports, o.transport) {
		return nil, usagef("--transport %s: it takes one of %s", o.transport, strings.Join(transports, ", "))
	}
	if o.transport == "rpc" && o.singleBlock {
		return nil, usagef("--single-block is a way to send over a session: leave it out with --transport rpc")
	}
	if o.timeout < 0 {
		return nil, usagef("--timeout %v: it takes a time such as 10s", o.timeout)
	}
	pageOf := cfg.SendPage
	if o.codePage != 0 {
		page, err := oem.Lookup(o.codePage)
		if err != nil {
			return nil, usagef("--code-page: %w", err)
		}
		pageOf = func(netip.Addr, ...string) *oem.Page { return page }
	}
	hosts, err := p.lmhosts(o.lmhosts, cfg.Names.LMHosts)
	if err != nil {
		return nil, err
	}
	return sender.New(sender.Config{
		Resolver: newResolver(cfg, hosts), Computer: cfg.Name,
		Port: o.port, MapperPort: cfg.Send.RPCPort, Timeout: o.timeout, MaxText: cfg.Send.MaxText, MaxCast: cfg.Send.MaxCast,
		Page: pageOf, SingleBlock: o.singleBlock, Transport: transportOf(o.transport),
	}), nil
}

// transportOf returns the way to send that a word names; empty for the choice of
// the sender.
func transportOf(word string) messngr.Transport {
	if word == "auto" {
		return ""
	}
	return messngr.Transport(word)
}

// sambaLMHosts is where Samba keeps its LMHOSTS file on Debian.
const sambaLMHosts = "/etc/samba/lmhosts"

// lmhosts reads the LMHOSTS files: the one of the command line, which must be
// there, the configured one and Samba's. A bad line is said and left out.
func (p Process) lmhosts(named, configured string) (resolver.LMHosts, error) {
	files := []string{configured, sambaLMHosts}
	if named != "" {
		if _, err := os.Stat(named); err != nil {
			return resolver.LMHosts{}, usagef("--lmhosts: %w", err)
		}
		files = []string{named, configured, sambaLMHosts}
	}
	hosts, err := resolver.ReadLMHosts(files...)
	if err != nil {
		fmt.Fprintf(p.Stderr, "messngr: %s\n", oneLine(err))
	}
	return hosts, nil
}

// text returns the words, or what the standard input has, without its last line
// end.
func (p Process) text(words []string) (string, error) {
	if len(words) > 0 {
		return oem.Clean(strings.Join(words, " ")), nil
	}
	if term.IsTerminal(int(p.Stdin.Fd())) {
		fmt.Fprintln(p.Stderr, "Type the message, then Ctrl-D on a line of its own.")
	}
	b, err := io.ReadAll(io.LimitReader(p.Stdin, maxInput+1))
	if err != nil {
		return "", fmt.Errorf("cannot read the message from the standard input: %w", err)
	}
	if len(b) > maxInput {
		return "", fmt.Errorf("the standard input has more than %d bytes: no message is so long; nothing was sent", maxInput)
	}
	return oem.Clean(string(b)), nil
}

// report says what became of a message, in the words of Windows and, on the
// standard error, in ours.
func (p Process) report(d messngr.Delivery) {
	to := display.SafeLine(d.To) // a host can have said it
	if d.State == messngr.Accepted {
		say(p.Stdout, messngr.MsgSent, to)
		p.reportLost(d.Lost, d.CodePage)
		return
	}
	say(p.Stderr, messngr.MsgSendFailed, to)
	if d.NERR != 0 {
		fmt.Fprintf(p.Stderr, "\n%v\n\n", d.NERR)
		say(p.Stderr, messngr.MsgHelpAvailable, fmt.Sprint(uint16(d.NERR)))
	}
	fmt.Fprintf(p.Stderr, "\nmessngr: %s\n", d.Detail)
}

// reportLost says how many characters the recipient's code page does not have.
func (p Process) reportLost(n, page int) {
	if n > 0 {
		fmt.Fprintf(p.Stderr, "messngr: %s sent as \"?\": not in code page %d\n", counted(n, "character"), page)
	}
}

// writeDelivery writes d as a JSON object.
func writeDelivery(w io.Writer, d messngr.Delivery) error {
	out := struct {
		To        string                `json:"to"`
		State     messngr.DeliveryState `json:"state"`
		Transport messngr.Transport     `json:"transport"`
		Address   string                `json:"address"` // with the port; "" when none was found
		Called    string                `json:"called"`
		FoundBy   string                `json:"found_by"`
		CodePage  int                   `json:"code_page,omitempty"`
		Lost      int                   `json:"lost"` // characters sent as "?"
		NERR      uint16                `json:"nerr"` // 0 on success
		NERRText  string                `json:"nerr_text,omitempty"`
		Error     string                `json:"error,omitempty"`
		At        time.Time             `json:"at"`
	}{
		To: d.To, State: d.State, Transport: d.Transport, Called: d.Called, FoundBy: d.FoundBy,
		CodePage: d.CodePage, Lost: d.Lost, NERR: uint16(d.NERR), Error: d.Detail, At: d.At,
	}
	if d.Addr.IsValid() {
		out.Address = d.Addr.String()
	}
	if d.NERR != 0 {
		out.NERRText = d.NERR.Error()
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}
