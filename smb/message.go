package smb

import (
	"encoding/binary"
	"fmt"

	"github.com/messngr/messngr/internal/wire"
)

// BlockSize is the largest text in bytes that a sender may put in one block:
// [MS-MSRP] 2.2.3. A receiver takes what ByteCount carries, up to 65,535.
const BlockSize = 128

// The buffer formats of [MS-CIFS] 2.2.3.3 that messages use.
const (
	dataBuffer     = 0x01 // length u16, data
	asciiString    = 0x04 // characters, NUL
	variableBuffer = 0x05 // length u16, data
)

// A SingleBlock is the body of a SMB_COM_SEND_MESSAGE request, as described in
// [MS-MSRP] 2.2.3.1. The strings are in the OEM code page, without their NUL.
type SingleBlock struct {
	From, To []byte
	Text     []byte // not NUL-terminated
}

// AppendBinary appends the body. It fails when a name holds a NUL or when the
// whole is too long for ByteCount.
func (m SingleBlock) AppendBinary(b []byte) ([]byte, error) {
	return appendBody(b, nil, []([]byte){m.From, m.To}, m.Text, true)
}

// ParseSingleBlock reads the body of a SMB_COM_SEND_MESSAGE request. The slices
// alias body.
func ParseSingleBlock(body []byte) (SingleBlock, error) {
	r := wire.NewReader("SMB_COM_SEND_MESSAGE", body)
	words(&r, 0)
	bytes := byteBlock(&r, "SMB_COM_SEND_MESSAGE bytes")
	m := SingleBlock{
		From: oemString(&bytes, "From"),
		To:   oemString(&bytes, "To"),
		Text: dataBlock(&bytes, "Text"),
	}
	if err := first(&r, &bytes); err != nil {
		return SingleBlock{}, err
	}
	return m, nil
}

// A Start is the body of a SMB_COM_SEND_START_MB_MESSAGE request, as described
// in [MS-MSRP] 2.2.3.2. The strings are in the OEM code page, without their NUL.
type Start struct {
	From, To []byte
}

// AppendBinary appends the body. It fails when a name holds a NUL or when the
// whole is too long for ByteCount.
func (m Start) AppendBinary(b []byte) ([]byte, error) {
	return appendBody(b, nil, []([]byte){m.From, m.To}, nil, false)
}

// ParseStart reads the body of a SMB_COM_SEND_START_MB_MESSAGE request. The
// slices alias body.
func ParseStart(body []byte) (Start, error) {
	r := wire.NewReader("SMB_COM_SEND_START_MB_MESSAGE", body)
	words(&r, 0)
	bytes := byteBlock(&r, "SMB_COM_SEND_START_MB_MESSAGE bytes")
	m := Start{From: oemString(&bytes, "From"), To: oemString(&bytes, "To")}
	if err := first(&r, &bytes); err != nil {
		return Start{}, err
	}
	return m, nil
}

// A Text is the body of a SMB_COM_SEND_TEXT_MB_MESSAGE request, as described in
// [MS-MSRP] 2.2.3.3.
type Text struct {
	GroupID uint16 // MessageGroupId of the response to the start
	Text    []byte // in the OEM code page, not NUL-terminated
}

// AppendBinary appends the body. It fails when the whole is too long for
// ByteCount.
func (m Text) AppendBinary(b []byte) ([]byte, error) {
	return appendBody(b, &m.GroupID, nil, m.Text, true)
}

// ParseText reads the body of a SMB_COM_SEND_TEXT_MB_MESSAGE request. The text
// aliases body.
func ParseText(body []byte) (Text, error) {
	r := wire.NewReader("SMB_COM_SEND_TEXT_MB_MESSAGE", body)
	words(&r, 1)
	m := Text{GroupID: r.LE16("MessageGroupId")}
	bytes := byteBlock(&r, "SMB_COM_SEND_TEXT_MB_MESSAGE bytes")
	m.Text = dataBlock(&bytes, "Text")
	if err := first(&r, &bytes); err != nil {
		return Text{}, err
	}
	return m, nil
}

// An End is the body of a SMB_COM_SEND_END_MB_MESSAGE request, as described in
// [MS-MSRP] 2.2.3.4.
type End struct {
	GroupID uint16 // MessageGroupId of the response to the start
}

// AppendBinary appends the body; it never fails.
func (m End) AppendBinary(b []byte) ([]byte, error) {
	return appendBody(b, &m.GroupID, nil, nil, false)
}

// ParseEnd reads the body of a SMB_COM_SEND_END_MB_MESSAGE request.
func ParseEnd(body []byte) (End, error) {
	r := wire.NewReader("SMB_COM_SEND_END_MB_MESSAGE", body)
	words(&r, 1)
	m := End{r.LE16("MessageGroupId")}
	bytes := byteBlock(&r, "SMB_COM_SEND_END_MB_MESSAGE bytes")
	if err := first(&r, &bytes); err != nil {
		return End{}, err
	}
	return m, nil
}

// A StartResponse is the body of the response to a Start: [MS-MSRP] 2.2.3.2.
type StartResponse struct {
	// GroupID is the MessageGroupId to give in the blocks and the end. smbd
	// sends none; then NoGroupID is set and the sender gives 0.
	GroupID   uint16
	NoGroupID bool
}

// AppendBinary appends the body; it never fails.
func (m StartResponse) AppendBinary(b []byte) ([]byte, error) {
	if m.NoGroupID {
		return AppendEmpty(b), nil
	}
	return appendBody(b, &m.GroupID, nil, nil, false)
}

// ParseStartResponse reads the body of the response to a Start.
func ParseStartResponse(body []byte) (StartResponse, error) {
	r := wire.NewReader("SMB_COM_SEND_START_MB_MESSAGE response", body)
	var m StartResponse
	// Deliberately lax: smbd answers with WordCount 0 where [MS-MSRP] 2.2.3.2
	// has 1 (measured against 4.17.12).
	if n := r.Uint8("WordCount"); n == 0 {
		m.NoGroupID = true
	} else {
		m.GroupID = r.LE16("MessageGroupId")
		r.Bytes("Words", 2*int(n)-2)
	}
	r.Bytes("Bytes", int(r.LE16("ByteCount")))
	if err := r.Err(); err != nil {
		return StartResponse{}, err
	}
	return m, nil
}

// AppendEmpty appends a body without words and bytes: every other response,
// and every response that is an error.
func AppendEmpty(b []byte) []byte { return append(b, 0, 0, 0) }

// appendBody appends WordCount, the one word that there may be, ByteCount and
// the bytes: the names as ASCII strings, the data as a data buffer.
func appendBody(b []byte, word *uint16, names [][]byte, data []byte, hasData bool) ([]byte, error) {
	n := 0
	for _, name := range names {
		n += len(name) + 2
		for i, c := range name {
			if c == 0 {
				return nil, fmt.Errorf("%w: a NUL at byte %d of the name %q", ErrInvalid, i, name)
			}
		}
	}
	if hasData {
		n += len(data) + 3
	}
	if n > 0xFFFF {
		return nil, fmt.Errorf("%w: %d bytes, ByteCount carries 65535", ErrInvalid, n)
	}
	if word == nil {
		b = append(b, 0)
	} else {
		b = binary.LittleEndian.AppendUint16(append(b, 1), *word)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	for _, name := range names {
		b = append(b, asciiString)
		b = append(b, name...)
		b = append(b, 0)
	}
	if hasData {
		b = binary.LittleEndian.AppendUint16(append(b, dataBuffer), uint16(len(data)))
		b = append(b, data...)
	}
	return b, nil
}

// words reads WordCount, which must be n.
func words(r *wire.Reader, n uint8) {
	if got := r.Uint8("WordCount"); r.Err() == nil && got != n {
		r.Fail("WordCount", fmt.Errorf("%w: %d words, want %d", ErrInvalid, got, n))
	}
}

// byteBlock reads ByteCount and returns a Reader of the bytes.
//
// Deliberately lax: bytes after ByteCount are left alone. A session packet is
// what bounds a message, and senders that pad it lose nothing by it.
func byteBlock(r *wire.Reader, structure string) wire.Reader {
	return wire.NewReader(structure, r.Bytes("Bytes", int(r.LE16("ByteCount"))))
}

// oemString reads a buffer format 0x04 and a NUL-terminated string, which it
// returns without the NUL.
func oemString(r *wire.Reader, field string) []byte {
	if f := r.Uint8(field); r.Err() == nil && f != asciiString {
		r.Fail(field, fmt.Errorf("%w: buffer format 0x%02X, want 0x04", ErrInvalid, f))
	}
	return r.Until(field, 0)
}

// dataBlock reads a buffer format 0x01 or 0x05, a length and as many bytes:
// [MS-MSRP] 3.2.4.5 validates both formats.
func dataBlock(r *wire.Reader, field string) []byte {
	if f := r.Uint8(field); r.Err() == nil && f != dataBuffer && f != variableBuffer {
		r.Fail(field, fmt.Errorf("%w: buffer format 0x%02X, want 0x01 or 0x05", ErrInvalid, f))
	}
	return r.Bytes(field, int(r.LE16(field)))
}

// first returns the error of the body, else that of its bytes.
func first(body, bytes *wire.Reader) error {
	if err := body.Err(); err != nil {
		return err
	}
	return bytes.Err()
}
