package msgsvc

import (
	"fmt"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// What is taken of a call for a name, in units of UTF-16 without the NUL.
// Windows 2000 reads 255 of a name; what a server is called is not looked at,
// [MS-MSRP] 3.1.4.1, and may be a domain name.
const (
	MaxMessageName = 255
	MaxServerName  = 1024
)

// MaxNames is the most names in a response: Windows has room for 256 names on
// each of 256 interfaces, and less in practice.
const MaxNames = 1 << 12

// A NameRequest is the request of NetrMessageNameAdd and of NetrMessageNameDel:
// [MS-MSRP] 3.1.4.1 and 3.1.4.4.
type NameRequest struct {
	Server *string // what the caller calls the server, nil for nothing; it is to be ignored
	Name   string
}

// ParseNameRequest reads the stub of a request.
//
// Deliberately lax, as all of this package are with requests: bytes may follow.
// Some senders round a stub up.
func ParseNameRequest(stub []byte, rep dcerpc.DataRep) (NameRequest, error) {
	r := ndr.NewReader("NetrMessageNameAdd or Del", stub, rep)
	// [in, string, unique] MSGSVC_HANDLE ServerName, [in, string] wchar_t* MsgName
	q := NameRequest{Server: readServer(&r), Name: r.WString("MsgName", MaxMessageName).String()}
	if err := r.Err(); err != nil {
		return NameRequest{}, invalid(err)
	}
	return q, nil
}

// AppendBinary appends the stub of a request. It fails when a name holds a NUL
// or is too long.
func (q NameRequest) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	w := newWriter(b, rep)
	appendServer(&w, q.Server)
	w.wstring("MsgName", q.Name, MaxMessageName)
	return w.finish()
}

// A NameResponse is the response of NetrMessageNameAdd and of
// NetrMessageNameDel: a NET_API_STATUS.
type NameResponse struct {
	Status uint32
}

// ParseNameResponse reads the stub of a response, 4 bytes.
func ParseNameResponse(stub []byte, rep dcerpc.DataRep) (NameResponse, error) {
	status, err := parseStatus("NetrMessageNameAdd or Del response", stub, rep)
	return NameResponse{status}, err
}

// AppendBinary appends the stub of a response.
func (p NameResponse) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	return appendStatus(b, rep, p.Status)
}

// A NameInfoRequest is the request of NetrMessageNameGetInfo: [MS-MSRP] 3.1.4.3.
type NameInfoRequest struct {
	Server *string // what the caller calls the server, nil for nothing; it is to be ignored
	Name   string
	Level  uint32 // 0 or 1; what a caller asks for beyond is read too
}

// ParseNameInfoRequest reads the stub of a request.
func ParseNameInfoRequest(stub []byte, rep dcerpc.DataRep) (NameInfoRequest, error) {
	r := ndr.NewReader("NetrMessageNameGetInfo", stub, rep)
	// [in, string, unique] MSGSVC_HANDLE ServerName, [in, string] wchar_t* MsgName, [in] DWORD Level
	q := NameInfoRequest{Server: readServer(&r), Name: r.WString("MsgName", MaxMessageName).String(), Level: r.Uint32("Level")}
	if err := r.Err(); err != nil {
		return NameInfoRequest{}, invalid(err)
	}
	return q, nil
}

// AppendBinary appends the stub of a request. It fails when a name holds a NUL
// or is too long.
func (q NameInfoRequest) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	w := newWriter(b, rep)
	appendServer(&w, q.Server)
	w.wstring("MsgName", q.Name, MaxMessageName)
	w.Uint32(q.Level)
	return w.finish()
}

// A NameInfoResponse is the response of NetrMessageNameGetInfo.
type NameInfoResponse struct {
	Level  uint32 // of the request: 0 or 1
	Found  bool   // there is a name; without one there is a status
	Name   string
	Status uint32
}

// ParseNameInfoResponse reads the stub of a response. It wraps ErrLevel for a
// level that is not known.
func ParseNameInfoResponse(stub []byte, rep dcerpc.DataRep) (NameInfoResponse, error) {
	r := ndr.NewReader("NetrMessageNameGetInfo response", stub, rep)
	// [out, switch_is(Level)] LPMSG_INFO InfoStruct: a union of
	// [case(0)] LPMSG_INFO_0 MsgInfo0 and [case(1)] LPMSG_INFO_1 MsgInfo1
	p := NameInfoResponse{Level: r.Uint32("Level")}
	checkLevel(&r, p.Level)
	if p.Found = r.Referent("InfoStruct"); p.Found {
		p.Name = readInfo(&r, p.Level).readName(&r)
	}
	p.Status = r.Uint32("return value")
	if err := end(&r); err != nil {
		return NameInfoResponse{}, err
	}
	return p, nil
}

// AppendBinary appends the stub of a response. It fails when the name holds a
// NUL or is too long, and wraps ErrLevel for a level that NDR has no form for:
// such a call must fail.
func (p NameInfoResponse) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	switch {
	case p.Level > 1:
		return nil, fmt.Errorf("NetrMessageNameGetInfo response: %w: %d", ErrLevel, p.Level)
	case !p.Found && p.Name != "":
		return nil, fmt.Errorf("NetrMessageNameGetInfo response: %w: a name, and not found", ErrInvalid)
	}
	w := newWriter(b, rep)
	w.Uint32(p.Level)
	w.Referent(p.Found)
	if p.Found {
		appendInfo(&w, p.Level)
		w.wstring("msgi_name", p.Name, MaxMessageName)
	}
	w.Uint32(p.Status)
	return w.finish()
}

// readServer reads [in, string, unique] MSGSVC_HANDLE ServerName.
func readServer(r *ndr.Reader) *string {
	if !r.Referent("ServerName") {
		return nil
	}
	name := r.WString("ServerName", MaxServerName).String()
	return &name
}

func appendServer(w *writer, name *string) {
	w.Referent(name != nil)
	if name != nil {
		w.wstring("ServerName", *name, MaxServerName)
	}
}

// checkLevel makes r fail when there is no such level.
func checkLevel(r *ndr.Reader, level uint32) {
	if r.Err() == nil && level > 1 {
		r.Fail("Level", fmt.Errorf("%w: %d", ErrLevel, level))
	}
}
