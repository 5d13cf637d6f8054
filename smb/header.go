// Package smb reads and writes the few SMB messages that carry Messenger
// Service traffic: the header of [MS-CIFS] 2.2.3.1, the message commands of
// [MS-MSRP] 2.2.3, and the transaction of [MS-CIFS] 2.2.4.33 that writes to a
// mailslot.
//
// A message is a header of 32 bytes and a body:
//
//	 0          4    5        9     10      12              32
//	+----------+----+--------+-----+-------+---------------+--------------------+
//	| FF S M B | CMD| STATUS |FLAGS|FLAGS2 | PID TID UID MID…| body              |
//	+----------+----+--------+-----+-------+---------------+--------------------+
//
//	body: WordCount u8, Words [WordCount]u16, ByteCount u16, Bytes [ByteCount]u8
//
// All numbers are least significant byte first.
//
// # Limitations
//
// There is no session set-up, no signing and no other command: the message
// commands are the first bytes on a session. Of transactions there is what a
// mailslot write needs.
package smb

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/messngr/messngr/internal/wire"
)

// ErrInvalid is wrapped by every error about a message that is whole and wrong.
// A message that ends too early is io.ErrUnexpectedEOF.
var ErrInvalid = errors.New("invalid SMB message")

// HeaderSize is the size of the header in bytes.
const HeaderSize = 32

// protocol is the Protocol field: 0xFF "SMB".
const protocol = "\xFFSMB"

// A Command is the Command field: [MS-CIFS] 2.2.2.1.
type Command uint8

// The message commands, and the one that a mailslot write has. 0xD1 to 0xD4
// have no documented layout.
const (
	TransactionRequest Command = 0x25 // SMB_COM_TRANSACTION
	SendMessage        Command = 0xD0 // SMB_COM_SEND_MESSAGE: single block message
	SendBroadcast      Command = 0xD1 // SMB_COM_SEND_BROADCAST_MESSAGE
	ForwardUserName    Command = 0xD2 // SMB_COM_FORWARD_USER_NAME
	CancelForward      Command = 0xD3 // SMB_COM_CANCEL_FORWARD
	GetMachineName     Command = 0xD4 // SMB_COM_GET_MACHINE_NAME
	SendStartMessage   Command = 0xD5 // SMB_COM_SEND_START_MB_MESSAGE
	SendEndMessage     Command = 0xD6 // SMB_COM_SEND_END_MB_MESSAGE
	SendTextMessage    Command = 0xD7 // SMB_COM_SEND_TEXT_MB_MESSAGE
	negotiateProtocol  Command = 0x72 // SMB_COM_NEGOTIATE
)

// String returns the command's name in the specifications.
func (c Command) String() string {
	switch c {
	case TransactionRequest:
		return "SMB_COM_TRANSACTION"
	case SendMessage:
		return "SMB_COM_SEND_MESSAGE"
	case SendBroadcast:
		return "SMB_COM_SEND_BROADCAST_MESSAGE"
	case ForwardUserName:
		return "SMB_COM_FORWARD_USER_NAME"
	case CancelForward:
		return "SMB_COM_CANCEL_FORWARD"
	case GetMachineName:
		return "SMB_COM_GET_MACHINE_NAME"
	case SendStartMessage:
		return "SMB_COM_SEND_START_MB_MESSAGE"
	case SendEndMessage:
		return "SMB_COM_SEND_END_MB_MESSAGE"
	case SendTextMessage:
		return "SMB_COM_SEND_TEXT_MB_MESSAGE"
	case negotiateProtocol:
		return "SMB_COM_NEGOTIATE"
	}
	return fmt.Sprintf("SMB command 0x%02X", uint8(c))
}

// Flags is the Flags field: [MS-CIFS] 2.2.3.1.
type Flags uint8

// The flags that matter here.
const (
	CaseInsensitive Flags = 0x08 // SMB_FLAGS_CASE_INSENSITIVE
	Reply           Flags = 0x80 // SMB_FLAGS_REPLY
)

// Flags2 is the Flags2 field: [MS-CIFS] 2.2.3.1.
type Flags2 uint16

// The second flags that matter here.
const (
	NTStatus Flags2 = 0x4000 // SMB_FLAGS2_NT_STATUS: Status is an NTSTATUS, not class and code
)

// A Header is an SMB message header, 32 bytes, as described in [MS-CIFS]
// 2.2.3.1. A sender of messages leaves all but Command zero: [MS-MSRP] 2.2.3.
type Header struct {
	Command          Command
	Status           Status
	Flags            Flags
	Flags2           Flags2
	PIDHigh          uint16
	SecurityFeatures [8]byte
	TID              uint16
	PIDLow           uint16
	UID              uint16
	MID              uint16
}

// AppendBinary appends the header; it never fails.
func (h Header) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, protocol...)
	b = append(b, uint8(h.Command))
	b = binary.LittleEndian.AppendUint32(b, uint32(h.Status))
	b = append(b, uint8(h.Flags))
	b = binary.LittleEndian.AppendUint16(b, uint16(h.Flags2))
	b = binary.LittleEndian.AppendUint16(b, h.PIDHigh)
	b = append(b, h.SecurityFeatures[:]...)
	b = append(b, 0, 0) // Reserved
	b = binary.LittleEndian.AppendUint16(b, h.TID)
	b = binary.LittleEndian.AppendUint16(b, h.PIDLow)
	b = binary.LittleEndian.AppendUint16(b, h.UID)
	b = binary.LittleEndian.AppendUint16(b, h.MID)
	return b, nil
}

// ParseHeader reads the header of a message and returns it with the body that
// follows, which aliases b.
func ParseHeader(b []byte) (Header, []byte, error) {
	var h Header
	r := wire.NewReader("SMB header", b)
	if p := r.Bytes("Protocol", 4); r.Err() == nil && string(p) != protocol {
		r.Fail("Protocol", fmt.Errorf("%w: % X is not FF 53 4D 42", ErrInvalid, p))
	}
	h.Command = Command(r.Uint8("Command"))
	h.Status = Status(r.LE32("Status"))
	h.Flags = Flags(r.Uint8("Flags"))
	h.Flags2 = Flags2(r.LE16("Flags2"))
	h.PIDHigh = r.LE16("PIDHigh")
	copy(h.SecurityFeatures[:], r.Bytes("SecurityFeatures", 8))
	r.Bytes("Reserved", 2)
	h.TID = r.LE16("TID")
	h.PIDLow = r.LE16("PIDLow")
	h.UID = r.LE16("UID")
	h.MID = r.LE16("MID")
	if err := r.Err(); err != nil {
		return Header{}, nil, err
	}
	return h, r.Rest(), nil
}

// Response returns the header of the response to h: h's own command, TID, PID,
// UID and MID, the reply flag, and e in the form that h asks for. A zero e is
// success.
func (h Header) Response(e Error) Header {
	r := Header{
		Command: h.Command,
		Flags:   h.Flags&CaseInsensitive | Reply,
		Flags2:  h.Flags2 & NTStatus,
		PIDHigh: h.PIDHigh, TID: h.TID, PIDLow: h.PIDLow, UID: h.UID, MID: h.MID,
	}
	if h.Flags2&NTStatus != 0 {
		r.Status = e.ntStatus()
	} else {
		r.Status = e.dosStatus()
	}
	return r
}

// Err returns nil when the header's status is success, else the *StatusError
// that it stands for.
func (h Header) Err() error {
	if h.Status == 0 {
		return nil
	}
	return &StatusError{h.Command, h.Status, h.Flags2&NTStatus != 0}
}
