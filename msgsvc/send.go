package msgsvc

import (
	"bytes"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// What is taken of a message in bytes, without the NULs. No sender is known to
// use more: names are NetBIOS names, and the senders of Windows cut the text
// long before.
const (
	MaxName = 255
	MaxText = 1<<16 - 1
)

// A Send is the request of NetrSendMessage: [MS-MSRP] 3.2.4.1. The strings are
// in the OEM code page of the sender, without their NULs; line ends in the text
// are the sender's.
type Send struct {
	From, To, Text []byte
}

// ParseSend reads the stub of a request, written as rep says. The strings alias
// the stub, and nothing is allocated for them.
//
// Deliberately lax: bytes may follow, since some senders round the stub up.
func ParseSend(stub []byte, rep dcerpc.DataRep) (Send, error) {
	if s, ok := quickSend(stub, rep.ByteOrder()); ok {
		return s, nil
	}
	return readSend(stub, rep)
}

// quickSend reads a stub that has nothing wrong with it, in half the time that
// readSend takes. What is wrong with another one is for readSend to say.
func quickSend(stub []byte, order dcerpc.ByteOrder) (s Send, ok bool) {
	var rest []byte
	if s.From, rest, ok = quickString(stub, MaxName, order); !ok {
		return Send{}, false
	}
	if s.To, rest, ok = quickString(rest, MaxName, order); !ok {
		return Send{}, false
	}
	if s.Text, _, ok = quickString(rest, MaxText, order); !ok {
		return Send{}, false
	}
	return s, true
}

// quickString reads the string at the start of b, of max characters and a NUL at
// most, and returns what is behind its padding.
func quickString(b []byte, max uint32, order dcerpc.ByteOrder) (s, rest []byte, ok bool) {
	// max_count, offset, actual_count (32 bits each)
	if len(b) < 12 {
		return nil, nil, false
	}
	limit, offset, n := order.Uint32(b), order.Uint32(b[4:]), order.Uint32(b[8:])
	b = b[12:]
	if offset != 0 || n-1 > max || n > limit || uint64(n) > uint64(len(b)) || b[n-1] != 0 { // n-1 of 0 is large
		return nil, nil, false
	}
	i := bytes.IndexByte(b, 0)
	return b[:i:i], b[min(int(n)+int(-n&3), len(b)):], true
}

// readSend reads any stub.
func readSend(stub []byte, rep dcerpc.DataRep) (Send, error) {
	r := ndr.NewReader("NetrSendMessage", stub, rep)
	// [in] handle_t hRpcBinding, [in, string] LPSTR From, LPSTR To, LPSTR Text
	s := Send{From: r.String("From", MaxName), To: r.String("To", MaxName), Text: r.String("Text", MaxText)}
	if err := r.Err(); err != nil {
		return Send{}, invalid(err)
	}
	return s, nil
}

// AppendBinary appends the stub of a request, written as rep says. It fails
// when one of the strings holds a NUL or is too long.
func (s Send) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	w := newWriter(b, rep)
	w.string("From", s.From, MaxName)
	w.string("To", s.To, MaxName)
	w.string("Text", s.Text, MaxText)
	return w.finish()
}

// A SendResponse is the response of NetrSendMessage: a NET_API_STATUS, 0 for a
// message that was taken. NameAdd and NameDel are answered in the same way.
type SendResponse struct {
	Status uint32
}

// ParseSendResponse reads the stub of a response, 4 bytes.
func ParseSendResponse(stub []byte, rep dcerpc.DataRep) (SendResponse, error) {
	status, err := parseStatus("NetrSendMessage response", stub, rep)
	return SendResponse{status}, err
}

// AppendBinary appends the stub of a response.
func (s SendResponse) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	return appendStatus(b, rep, s.Status)
}

// parseStatus reads a stub that is a status.
func parseStatus(structure string, stub []byte, rep dcerpc.DataRep) (uint32, error) {
	r := ndr.NewReader(structure, stub, rep)
	status := r.Uint32("return value")
	if err := end(&r); err != nil {
		return 0, err
	}
	return status, nil
}

func appendStatus(b []byte, rep dcerpc.DataRep, status uint32) ([]byte, error) {
	w := newWriter(b, rep)
	w.Uint32(status)
	return w.finish()
}
