// Package msgsvc reads and writes the parameters of the Messenger Service's
// remote procedure calls, as described in [MS-MSRP]: NetrSendMessage of the
// interface msgsvcsend, by which a message is sent, and the calls of the
// interface msgsvc, by which the names of a host are managed.
//
// The stub of NetrSendMessage is three strings, each with its counts. A string
// of n bytes and its NUL is
//
//	+---------------+---------------+---------------+-----------+---+---------+
//	| max_count     | offset (0)    | actual_count  | n bytes   | 0 | padding |
//	| n+1, 4 bytes  | 4 bytes       | n+1, 4 bytes  |           |   | to 4    |
//	+---------------+---------------+---------------+-----------+---+---------+
//
// and its response is a status of 4 bytes, as all responses end with one.
//
// # Limitations
//
// Who may call, and what becomes of a call, is nothing to this package. That
// messages of one name were forwarded to another, which level 1 has two fields
// for, is not done any more: "MUST be set to zero when sent and ignored on
// receipt", [MS-MSRP] 2.2.2.2.
package msgsvc

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf16"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// ErrInvalid is wrapped by every error about a stub that is whole and wrong. A
// stub that ends too early is io.ErrUnexpectedEOF.
var ErrInvalid = errors.New("invalid stub of the Messenger Service")

// ErrLevel is wrapped by errors about a level other than 0 and 1, and wraps
// ErrInvalid: NDR has no form for it.
var ErrLevel = fmt.Errorf("%w: there is no such level", ErrInvalid)

// SendInterface returns the name of the interface msgsvcsend:
// 5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc v1.0.
func SendInterface() dcerpc.SyntaxID {
	return dcerpc.SyntaxID{
		UUID:  dcerpc.UUID{0x5a, 0x7b, 0x91, 0xf8, 0xff, 0x00, 0x11, 0xd0, 0xa9, 0xb2, 0x00, 0xc0, 0x4f, 0xb6, 0xe6, 0xfc},
		Major: 1,
	}
}

// OpSend is the operation NetrSendMessage, the only one of msgsvcsend.
const OpSend = 0

// NameInterface returns the name of the interface msgsvc:
// 17fdd703-1827-4e34-79d4-24a55c53bb37 v1.0.
func NameInterface() dcerpc.SyntaxID {
	return dcerpc.SyntaxID{
		UUID:  dcerpc.UUID{0x17, 0xfd, 0xd7, 0x03, 0x18, 0x27, 0x4e, 0x34, 0x79, 0xd4, 0x24, 0xa5, 0x5c, 0x53, 0xbb, 0x37},
		Major: 1,
	}
}

// The operations of msgsvc: [MS-MSRP] 3.1.4.
const (
	OpNameAdd     = 0 // NetrMessageNameAdd
	OpNameEnum    = 1 // NetrMessageNameEnum
	OpNameGetInfo = 2 // NetrMessageNameGetInfo
	OpNameDel     = 3 // NetrMessageNameDel
)

// Operations of each interface, numbered from 0.
const (
	SendOperations = 1
	NameOperations = 4
)

// end returns r's error, or one about bytes that are left; it wraps ErrInvalid
// or io.ErrUnexpectedEOF.
func end(r *ndr.Reader) error {
	if r.Err() == nil && r.Len() != 0 {
		r.Fail("end", fmt.Errorf("%w: %d bytes too many", ErrInvalid, r.Len()))
	}
	return invalid(r.Err())
}

// invalid returns err so that it wraps ErrInvalid, unless it is about a stub
// that is too short.
func invalid(err error) error {
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrInvalid) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

// A writer writes a stub, and nothing into it that could not be read.
type writer struct {
	ndr.Writer
	err error // the first of this package's own
}

func newWriter(b []byte, rep dcerpc.DataRep) writer { return writer{Writer: ndr.NewWriter(b, rep)} }

// string writes a [string] of at most max bytes.
func (w *writer) string(field string, s []byte, max int) {
	if len(s) > max {
		w.fail(field, "%d bytes, at most %d are written", len(s), max)
		return
	}
	w.String(s)
}

// wstring writes a [string] of at most max units of UTF-16.
func (w *writer) wstring(field, s string, max int) {
	n := 0
	for _, c := range s {
		n += utf16.RuneLen(c)
	}
	if n > max {
		w.fail(field, "%d characters, at most %d are written", n, max)
		return
	}
	w.WString(s)
}

func (w *writer) fail(field, format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%s: %w: "+format, append([]any{field, ErrInvalid}, args...)...)
	}
}

// finish returns what was given with the stub behind it, or the first error.
func (w *writer) finish() ([]byte, error) {
	if w.err == nil {
		w.err = invalid(w.Err())
	}
	if w.err != nil {
		return nil, w.err
	}
	return w.Bytes(), nil
}
