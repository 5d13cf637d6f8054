package msgsvc

import (
	"fmt"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// AllEntries is a PrefMaxLen that sets no limit.
const AllEntries = 0xFFFFFFFF

// A NameEnumRequest is the request of NetrMessageNameEnum: [MS-MSRP] 3.1.4.2.
type NameEnumRequest struct {
	Server     *string // what the caller calls the server, nil for nothing; it is to be ignored
	Level      uint32  // 0 or 1
	PrefMaxLen uint32  // bytes that the caller has room for, or AllEntries
	Resume     *uint32 // the number of names to skip, nil for none
}

// ParseNameEnumRequest reads the stub of a request. It wraps ErrLevel for a
// level that is not known: what follows could not be read. Names that the
// caller sends where it wants some are passed over.
func ParseNameEnumRequest(stub []byte, rep dcerpc.DataRep) (NameEnumRequest, error) {
	r := ndr.NewReader("NetrMessageNameEnum", stub, rep)
	// [in, string, unique] MSGSVC_HANDLE ServerName
	q := NameEnumRequest{Server: readServer(&r)}
	// [in, out] LPMSG_ENUM_STRUCT InfoStruct
	q.Level, _ = readEnum(&r)
	// [in] DWORD PrefMaxLen
	q.PrefMaxLen = r.Uint32("PrefMaxLen")
	// [in, out, unique] LPDWORD ResumeHandle
	q.Resume = readResume(&r)
	if err := r.Err(); err != nil {
		return NameEnumRequest{}, invalid(err)
	}
	return q, nil
}

// AppendBinary appends the stub of a request. It fails when the server's name
// holds a NUL or is too long, and wraps ErrLevel for a level that NDR has no
// form for.
func (q NameEnumRequest) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	w := newWriter(b, rep)
	appendServer(&w, q.Server)
	if err := appendEnum(&w, q.Level, nil); err != nil {
		return nil, err
	}
	w.Uint32(q.PrefMaxLen)
	appendResume(&w, q.Resume)
	return w.finish()
}

// A NameEnumResponse is the response of NetrMessageNameEnum.
type NameEnumResponse struct {
	Level  uint32 // of the request: 0 or 1
	Names  []string
	Total  uint32  // how many names there are; [MS-MSRP] 3.1.4.2 has those that are returned
	Resume *uint32 // where to go on, if the request had one
	Status uint32
}

// ParseNameEnumResponse reads the stub of a response. It wraps ErrLevel for a
// level that is not known.
func ParseNameEnumResponse(stub []byte, rep dcerpc.DataRep) (NameEnumResponse, error) {
	r := ndr.NewReader("NetrMessageNameEnum response", stub, rep)
	var p NameEnumResponse
	// [in, out] LPMSG_ENUM_STRUCT InfoStruct
	p.Level, p.Names = readEnum(&r)
	// [out] LPDWORD TotalEntries
	p.Total = r.Uint32("TotalEntries")
	// [in, out, unique] LPDWORD ResumeHandle
	p.Resume = readResume(&r)
	p.Status = r.Uint32("return value")
	if err := end(&r); err != nil {
		return NameEnumResponse{}, err
	}
	return p, nil
}

// AppendBinary appends the stub of a response. It fails for more than MaxNames
// names, when one holds a NUL or is too long, and wraps ErrLevel for a level
// that NDR has no form for: such a call must fail.
func (p NameEnumResponse) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	w := newWriter(b, rep)
	if err := appendEnum(&w, p.Level, p.Names); err != nil {
		return nil, err
	}
	w.Uint32(p.Total)
	appendResume(&w, p.Resume)
	w.Uint32(p.Status)
	return w.finish()
}

// readEnum reads a MSG_ENUM_STRUCT: [MS-MSRP] 2.2.2.5.
func readEnum(r *ndr.Reader) (level uint32, names []string) {
	// DWORD Level; [switch_is(Level)] union: its switch, and
	// [case(0)] LPMSG_INFO_0_CONTAINER Level0; [case(1)] LPMSG_INFO_1_CONTAINER Level1
	level = r.Uint32("Level")
	checkLevel(r, level)
	if arm := r.Uint32("MsgInfo"); r.Err() == nil && arm != level {
		r.Fail("MsgInfo", fmt.Errorf("%w: level %d in a structure of level %d", ErrInvalid, arm, level))
	}
	if !r.Referent("container") {
		return level, nil
	}
	// DWORD EntriesRead; [size_is(EntriesRead)] LPMSG_INFO_n Buffer
	entries := r.Uint32("EntriesRead")
	if !r.Referent("Buffer") {
		if r.Err() == nil && entries != 0 {
			r.Fail("Buffer", fmt.Errorf("%w: %d entries at the null pointer", ErrInvalid, entries))
		}
		return level, nil
	}
	n := r.Count("Buffer", infoSize(level))
	if r.Err() == nil && (uint32(n) != entries || n > MaxNames) {
		r.Fail("Buffer", fmt.Errorf("%w: room for %d of %d entries, at most %d are read", ErrInvalid, n, entries, MaxNames))
	}
	if r.Err() != nil || n == 0 {
		return level, nil
	}
	infos := make([]info, n)
	for i := range infos {
		infos[i] = readInfo(r, level)
	}
	names = make([]string, n)
	for i := range infos {
		names[i] = infos[i].readName(r)
	}
	return level, names
}

func appendEnum(w *writer, level uint32, names []string) error {
	switch {
	case level > 1:
		return fmt.Errorf("NetrMessageNameEnum: %w: %d", ErrLevel, level)
	case len(names) > MaxNames:
		return fmt.Errorf("NetrMessageNameEnum: %w: %d names, at most %d are written", ErrInvalid, len(names), MaxNames)
	}
	w.Uint32(level)
	w.Uint32(level)
	w.Referent(true)
	w.Uint32(uint32(len(names)))
	w.Referent(len(names) > 0)
	if len(names) == 0 {
		return nil
	}
	w.Uint32(uint32(len(names)))
	for range names {
		appendInfo(w, level)
	}
	for _, name := range names {
		w.wstring("msgi_name", name, MaxMessageName)
	}
	return nil
}

// An info is a MSG_INFO_0 or a MSG_INFO_1 without what its pointers point to,
// which follows all of an array: [MS-MSRP] 2.2.2.1, 2.2.2.2.
type info struct {
	name, forward bool
}

// infoSize returns the size of an info in bytes.
func infoSize(level uint32) int {
	if level == 0 {
		return 4
	}
	return 12
}

// readInfo reads [string] wchar_t* msgi_name and, at level 1, DWORD
// msgi1_forward_flag and [string] wchar_t* msgi1_forward.
func readInfo(r *ndr.Reader, level uint32) info {
	i := info{name: r.Referent("msgi_name")}
	if level == 1 {
		r.Uint32("msgi1_forward_flag")
		i.forward = r.Referent("msgi1_forward")
	}
	return i
}

// appendInfo writes the info of a name, which is to follow.
func appendInfo(w *writer, level uint32) {
	w.Referent(true)
	if level == 1 {
		w.Uint32(0)
		w.Referent(false)
	}
}

// readName reads what i points to. Both fields of forwarding are "ignored on
// receipt". A name must be there.
func (i info) readName(r *ndr.Reader) string {
	if !i.name {
		if r.Err() == nil {
			r.Fail("msgi_name", fmt.Errorf("%w: the null pointer where a name is", ErrInvalid))
		}
		return ""
	}
	name := r.WString("msgi_name", MaxMessageName).String()
	if i.forward {
		r.WString("msgi1_forward", MaxMessageName)
	}
	return name
}

// readResume reads [unique] LPDWORD ResumeHandle.
func readResume(r *ndr.Reader) *uint32 {
	if !r.Referent("ResumeHandle") {
		return nil
	}
	n := r.Uint32("ResumeHandle")
	return &n
}

func appendResume(w *writer, n *uint32) {
	w.Referent(n != nil)
	if n != nil {
		w.Uint32(*n)
	}
}
