package msgsvc

import (
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
