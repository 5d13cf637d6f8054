package sender

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/epm"
	"github.com/messngr/messngr/dcerpc/ncadg"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/internal/rpc"
	"github.com/messngr/messngr/msgsvc"
	"github.com/messngr/messngr/netbios"
)

// mapperSilence is how long an endpoint mapper may be silent. It answers at
// once where there is one.
const mapperSilence = 3 * time.Second

// mapperRetry is when it is asked again, and then twice as long each time: one
// packet, which may come as often as it will. A tenth of all packets may be
// lost, and no message is.
const mapperRetry = 200 * time.Millisecond

// sendRPC sends m by NetrSendMessage: [MS-MSRP] 3.2.4.2. The call is executed
// at most once, so that the recipient asks back whether the sender is there.
func (s *Sender) sendRPC(ctx context.Context, to resolver.Found, m encoded, del *messngr.Delivery) error {
	mapper := netip.AddrPortFrom(to.Addr, s.cfg.mapperPort())
	del.Transport, del.Addr, del.Called = messngr.RPC, mapper, ""
	// A host name is cut to 15 characters, and no recipient knows one as its
	// own. The host is called as it would be over a session.
	switch {
	case to.From == resolver.FromAddress:
	case to.Name == netbios.SMBServer:
		m.to = []byte(to.Addr.String())
	case !strings.Contains(to.Name.Base(), "."):
		m.to, _, _ = bytes.Cut(m.to, []byte("."))
	}
	stub, err := msgsvc.Send{From: m.from, To: m.to, Text: m.text}.AppendBinary(nil, dcerpc.LittleEndian())
	if err != nil {
		return err
	}
	server, err := s.findServer(ctx, mapper)
	if err != nil {
		return err
	}
	del.Addr = server
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return failed(messngr.NERRNetworkError, "no socket to call from: %w", err)
	}
	client := rpc.NewClient(conn, rpc.ClientConfig{Silence: max(s.cfg.Timeout, storeTimeout)})
	defer client.Close()
	response, rep, err := client.Call(ctx, server, msgsvc.SendInterface(), msgsvc.OpSend, stub, 0)
	if err != nil {
		return callFailure(server, err)
	}
	said, err := msgsvc.ParseSendResponse(response, rep)
	if err != nil {
		return failed(messngr.NERRNetworkError, "%v: %w", server, err)
	}
	return sendFailure(server, m, said.Status)
}

// findServer asks an endpoint mapper where NetrSendMessage is served.
func (s *Sender) findServer(ctx context.Context, mapper netip.AddrPort) (netip.AddrPort, error) {
	// Connected, so that a host where there is none is not waited for.
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(mapper))
	if err != nil {
		return netip.AddrPort{}, unsent(failed(messngr.NERRNetworkError, "cannot reach %v: %w", mapper, err))
	}
	client := rpc.NewClient(conn, rpc.ClientConfig{
		Retry: mapperRetry, MaxRetry: 2 * mapperRetry, Silence: min(s.cfg.Timeout, mapperSilence),
	})
	defer client.Close()
	tower, err := epm.Tower{
		Interface: msgsvc.SendInterface(), Transfer: dcerpc.NDR(), Protocol: epm.UDP,
		Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), 0),
	}.AppendBinary(nil)
	if err != nil {
		return netip.AddrPort{}, err
	}
	stub, err := epm.MapRequest{Tower: tower, MaxTowers: 4}.AppendBinary(nil, dcerpc.LittleEndian())
	if err != nil {
		return netip.AddrPort{}, err
	}
	response, rep, err := client.Call(ctx, mapper, epm.Interface(), epm.OpMap, stub, ncadg.Idempotent)
	if err != nil {
		return netip.AddrPort{}, unsent(mapFailure(mapper, err))
	}
	said, err := epm.ParseMapResponse(response, rep)
	if err != nil {
		return netip.AddrPort{}, unsent(failed(messngr.NERRNetworkError, "%v: %w", mapper, err))
	}
	for _, octets := range said.Towers {
		// Where a mapper says that another host serves is not believed: a
		// message goes to whom it was meant for.
		if t, err := epm.ParseTower(octets); err == nil && t.Protocol == epm.UDP && t.Addr.Port() != 0 {
			return netip.AddrPortFrom(mapper.Addr(), t.Addr.Port()), nil
		}
	}
	return netip.AddrPort{}, unsent(failed(messngr.NERRMsgNotStarted, "%v does not serve NetrSendMessage: no Messenger Service is started there (%v)", mapper, said.Status))
}

// errNoMapper is wrapped by the error about a host that has no endpoint mapper.
var errNoMapper = errors.New("no RPC endpoint mapper")

// mapFailure says why an endpoint mapper did not say where NetrSendMessage is
// served.
func mapFailure(mapper netip.AddrPort, err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed(messngr.NERRNameNotFound, "%v refuses UDP port %d: %w listens there", mapper.Addr(), mapper.Port(), errNoMapper)
	case errors.Is(err, rpc.ErrNoAnswer):
		return failed(messngr.NERRNameNotFound, "nothing answers on UDP port %d of %v: %w, or it does not serve this computer", mapper.Port(), mapper.Addr(), errNoMapper)
	}
	return failed(messngr.NERRNetworkError, "endpoint mapper: %w", err)
}

// callFailure says why a call has no response.
func callFailure(server netip.AddrPort, err error) error {
	fault, reject := (*rpc.Fault)(nil), (*rpc.Reject)(nil)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &reject):
		return unsent(failed(messngr.NERRNetworkError, "NetrSendMessage: %w", err))
	case errors.As(err, &fault):
		return failed(messngr.NERRBadReceive, "NetrSendMessage: %w", err)
	case errors.Is(err, rpc.ErrNoAnswer):
		return failed(messngr.NERRBadReceive, "%v did not answer NetrSendMessage in time; it may have the message or not", server)
	case errors.Is(err, rpc.ErrRestarted):
		return failed(messngr.NERRBadReceive, "%v was started again before it answered NetrSendMessage; it may have the message or not", server)
	}
	return failed(messngr.NERRNetworkError, "NetrSendMessage: %w", err)
}

// sendFailure says what the status that NetrSendMessage returns means: [MS-MSRP]
// 3.2.4.1.
func sendFailure(server netip.AddrPort, m encoded, status uint32) error {
	nerr := messngr.NERR(0)
	if status <= 0xFFFF {
		nerr = messngr.NERR(status)
	}
	switch {
	case status == 0:
		return nil
	case status == errorAccessDenied:
		return failed(messngr.NERRBadReceive, "%v does not take messages from this computer: access denied (5)", server)
	case status == errorInvalidParameter:
		return failed(messngr.NERRBadReceive, "%v does not take this message: invalid parameter (87)", server)
	case nerr == messngr.NERRNameNotFound:
		return failed(nerr, "%v answers, but not as %s", server, m.to)
	}
	if text, ok := nerr.Text(); ok {
		return failed(nerr, "%v answers NetrSendMessage: %s (%d)", server, text, status)
	}
	return failed(messngr.NERRBadReceive, "%v answers NetrSendMessage with status %#x", server, status)
}

// Numbers of Windows beside those of LAN Manager: [MS-ERREF] 2.2.
const (
	errorAccessDenied     = 5  // ERROR_ACCESS_DENIED
	errorInvalidParameter = 87 // ERROR_INVALID_PARAMETER
)

// mapperPort is where endpoint mappers are: 135, but in tests.
func (c Config) mapperPort() uint16 {
	if c.MapperPort == 0 {
		return epm.Port
	}
	return c.MapperPort
}
