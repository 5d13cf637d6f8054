package mailslot

import (
	"errors"
	"fmt"
	"io"

	"github.com/messngr/messngr/smb"
)

// A Class says how a write is delivered: [MS-MAIL] 2.2.1, Class.
type Class uint16

// The classes of writes.
const (
	Class1 Class = 1 // reliable
	Class2 Class = 2 // unreliable, never answered: what datagrams carry
)

// writeOpcode is TRANS_MAILSLOT_WRITE: [MS-CIFS] 2.2.5.12.
const writeOpcode = 1

// setupWords is the SetupCount of a write: opcode, priority and class.
const setupWords = 3

// A Write is a mailslot write message, as described in [MS-MAIL] 2.2.1: the
// data of a NetBIOS datagram.
type Write struct {
	Name     []byte // of the mailslot, \MAILSLOT\ included, in the OEM code page
	Class    Class
	Priority uint16 // 0 to 9; it changes nothing for a receiver
	Data     []byte
}

// AppendBinary appends the SMB message, with a header of zeros but for the
// command, as Windows sends it. It fails for a name that does not begin with
// \MAILSLOT\ or holds a NUL, for a class that is none, and for more data than
// MaxData: Windows NT 4 was known to crash on a longer write.
func (w Write) AppendBinary(b []byte) ([]byte, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	if most := maxData(len(w.Name)); len(w.Data) > most {
		return nil, fmt.Errorf("%w: %d bytes of data to %q, at most %d fit", ErrInvalid, len(w.Data), w.Name, most)
	}
	b, err := smb.Header{Command: smb.TransactionRequest}.AppendBinary(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	b, err = smb.Transaction{
		Name:       w.Name,
		Setup:      [smb.MaxSetup]uint16{writeOpcode, w.Priority, uint16(w.Class)},
		SetupCount: setupWords,
		Data:       w.Data,
	}.AppendBinary(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return b, nil
}

// ParseWrite reads the SMB message of a mailslot write. Name and data alias
// message. It is an error if the message is anything else.
//
// Deliberately lax: of the header only Protocol and Command count, as [MS-MAIL]
// 2.2.1 wants it: Windows leaves the rest zero, others set Flags, TID, PID and
// UID. smb.ParseTransaction says more.
func ParseWrite(message []byte) (Write, error) {
	h, _, err := smb.ParseHeader(message)
	if err != nil {
		return Write{}, wrap(err)
	}
	if h.Command != smb.TransactionRequest {
		return Write{}, fmt.Errorf("mailslot write: %w: command %v, want %v", ErrInvalid, h.Command, smb.TransactionRequest)
	}
	t, err := smb.ParseTransaction(message)
	if err != nil {
		return Write{}, wrap(err)
	}
	if t.SetupCount != setupWords || t.Setup[0] != writeOpcode {
		return Write{}, fmt.Errorf("mailslot write: %w: opcode %d with %d setup words, want %d with %d", ErrInvalid, t.Setup[0], t.SetupCount, writeOpcode, setupWords)
	}
	w := Write{Name: t.Name, Class: Class(t.Setup[2]), Priority: t.Setup[1], Data: t.Data}
	if err := w.check(); err != nil {
		return Write{}, err
	}
	return w, nil
}

// check says what is wrong with the name or the class.
func (w *Write) check() error {
	// The subcommand codes of pipes are others: 1 is TRANS_SET_NMPIPE_STATE.
	if !hasPrefix(w.Name, prefix) || len(w.Name) == len(prefix) {
		return fmt.Errorf("mailslot write: %w: name %q, want %s and a name", ErrInvalid, w.Name, prefix)
	}
	if w.Class != Class1 && w.Class != Class2 {
		return fmt.Errorf("mailslot write: %w: class %d, want 1 or 2", ErrInvalid, w.Class)
	}
	return nil
}

// wrap makes an error of smb one of this package.
func wrap(err error) error {
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return fmt.Errorf("mailslot write: %w", err)
}
