package smb

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/messngr/messngr/internal/wire"
)

// MaxSetup is the most setup words that a Transaction has. A mailslot write has
// as many.
const MaxSetup = 3

// transactionWords is the WordCount of a transaction without setup words.
const transactionWords = 14

// A Transaction is a SMB_COM_TRANSACTION request that is complete in one
// message and has data but no parameters, as described in [MS-CIFS] 2.2.4.33.1
// and, for writes to a mailslot, in [MS-MAIL] 2.2.1.
type Transaction struct {
	Name       []byte           // of the resource, in the OEM code page, without its NUL
	Setup      [MaxSetup]uint16 // the first SetupCount of them
	SetupCount uint8            // at most MaxSetup
	Flags      uint16           // 1: disconnect the TID afterwards; 2: no response. Windows sends 0 to mailslots
	Timeout    uint32           // in milliseconds; 0 for not at all
	Data       []byte
}

// AppendBinary appends the body of the message, which must follow a header. The
// data begins at a multiple of four bytes from the start of that header. What
// Transaction has no field for is zero. It fails when the name holds a NUL,
// when there are too many setup words, and when the whole is too long for
// DataOffset and ByteCount.
func (t Transaction) AppendBinary(b []byte) ([]byte, error) {
	if i := bytes.IndexByte(t.Name, 0); i >= 0 {
		return nil, fmt.Errorf("%w: a NUL at byte %d of the name %q", ErrInvalid, i, t.Name)
	}
	if t.SetupCount > MaxSetup {
		return nil, fmt.Errorf("%w: %d setup words, at most %d fit", ErrInvalid, t.SetupCount, MaxSetup)
	}
	words := transactionWords + int(t.SetupCount)
	name := HeaderSize + 1 + 2*words + 2      // where the name begins
	data := (name + len(t.Name) + 1 + 3) &^ 3 // [MS-MAIL] 2.2.1 aligns the data to 32 bits
	if end := data + len(t.Data); end > 0xFFFF {
		return nil, fmt.Errorf("%w: %d bytes, DataOffset and ByteCount carry 65535", ErrInvalid, end)
	}
	b = append(b, uint8(words))
	b = binary.LittleEndian.AppendUint16(b, 0) // TotalParameterCount
	b = binary.LittleEndian.AppendUint16(b, uint16(len(t.Data)))
	b = append(b, 0, 0, 0, 0, 0, 0) // MaxParameterCount, MaxDataCount, MaxSetupCount, Reserved1
	b = binary.LittleEndian.AppendUint16(b, t.Flags)
	b = binary.LittleEndian.AppendUint32(b, t.Timeout)
	b = append(b, 0, 0, 0, 0, 0, 0) // Reserved2, ParameterCount, ParameterOffset
	b = binary.LittleEndian.AppendUint16(b, uint16(len(t.Data)))
	b = binary.LittleEndian.AppendUint16(b, uint16(data))
	b = append(b, t.SetupCount, 0) // and Reserved3
	for _, word := range t.Setup[:t.SetupCount] {
		b = binary.LittleEndian.AppendUint16(b, word)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(data-name+len(t.Data)))
	b = append(b, t.Name...)
	b = append(b, "\x00\x00\x00\x00"[:data-name-len(t.Name)]...) // the name's NUL and the padding
	return append(b, t.Data...), nil
}

// ParseTransaction reads a SMB_COM_TRANSACTION request. It takes the whole
// message, since DataOffset counts from the start of the header; the header
// itself is ParseHeader's, and is not looked at. Name and data alias message.
//
// Deliberately lax, as senders differ: the data is where DataOffset says,
// whatever the padding before it (Windows 98 writes to \MAILSLOT\BROWSE with
// none, to \MAILSLOT\MESSNGR with a byte that is not zero). ByteCount is
// ignored, as Windows does, and so are the limits of a response, the reserved
// fields, parameters, and bytes behind the data.
func ParseTransaction(message []byte) (Transaction, error) {
	var t Transaction
	r := wire.NewReader("SMB_COM_TRANSACTION", message)
	r.Bytes("header", HeaderSize)
	// WordCount (8 bits), TotalParameterCount, TotalDataCount,
	// MaxParameterCount, MaxDataCount (16 bits each), MaxSetupCount,
	// Reserved1 (8 bits each)
	words := r.Uint8("WordCount")
	if r.Err() == nil && words < transactionWords {
		r.Fail("WordCount", fmt.Errorf("%w: %d words, want at least %d", ErrInvalid, words, transactionWords))
	}
	r.LE16("TotalParameterCount")
	total := r.LE16("TotalDataCount")
	r.Bytes("MaxParameterCount, MaxDataCount, MaxSetupCount, Reserved1", 6)
	// Flags (16 bits), Timeout (32 bits), Reserved2 (16 bits)
	t.Flags = r.LE16("Flags")
	t.Timeout = r.LE32("Timeout")
	r.LE16("Reserved2")
	// ParameterCount, ParameterOffset, DataCount, DataOffset (16 bits each)
	r.Bytes("ParameterCount, ParameterOffset", 4)
	count := r.LE16("DataCount")
	offset := r.LE16("DataOffset")
	// A transaction of several messages goes on in others of its session.
	if r.Err() == nil && count != total {
		r.Fail("DataCount", fmt.Errorf("%w: %d of %d bytes of data, want all of them", ErrInvalid, count, total))
	}
	// SetupCount, Reserved3 (8 bits each), Setup (SetupCount words)
	t.SetupCount = r.Uint8("SetupCount")
	r.Uint8("Reserved3")
	if r.Err() == nil && (t.SetupCount > MaxSetup || words != transactionWords+t.SetupCount) {
		r.Fail("SetupCount", fmt.Errorf("%w: %d setup words of %d words, want at most %d of %d more", ErrInvalid, t.SetupCount, words, MaxSetup, transactionWords))
	}
	for i := range min(t.SetupCount, MaxSetup) {
		t.Setup[i] = r.LE16("Setup")
	}
	// ByteCount (16 bits), Name (NUL-terminated), Pad1, Trans_Parameters, Pad2,
	// Trans_Data
	r.LE16("ByteCount")
	t.Name = r.Until("Name", 0)
	if r.Err() == nil && count > 0 && int(offset) < r.Offset() {
		r.Fail("DataOffset", fmt.Errorf("%w: data at offset %d, the name ends at %d", ErrInvalid, offset, r.Offset()))
	}
	if count > 0 {
		r.Bytes("Pad", int(offset)-r.Offset())
		t.Data = r.Bytes("Data", int(count))
	}
	if err := r.Err(); err != nil {
		return Transaction{}, err
	}
	return t, nil
}
