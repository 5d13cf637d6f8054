package ncadg

import (
	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// The operations of the interface conv, the conversation manager: [C706]
// appendix P. A server calls its caller by them, before it executes a call that
// may not be executed twice: whoever answers with the right sequence number is
// where the call seemed to come from, and made it.
const (
	ConvWhoAreYou         uint16 = 0 // conv_who_are_you
	ConvWhoAreYou2        uint16 = 1 // conv_who_are_you2: also says which process the caller is
	ConvAreYouThere       uint16 = 2 // conv_are_you_there: to a caller whose calls left something behind
	ConvWhoAreYouAuth     uint16 = 3 // conv_who_are_you_auth
	ConvWhoAreYouAuthMore uint16 = 4 // conv_who_are_you_auth_more
	ConvOperations        uint16 = 5 // their number
)

// Conv returns the name of the interface conv, version 3.0.
func Conv() dcerpc.SyntaxID {
	return dcerpc.SyntaxID{
		UUID:  dcerpc.UUID{0x33, 0x3a, 0x22, 0x76, 0x00, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x00, 0x80, 0x9c, 0x00, 0x00, 0x00},
		Major: 3,
	}
}

// A WhoAreYou is the request stub of conv_who_are_you, conv_who_are_you2 and
// conv_are_you_there: 20 bytes.
type WhoAreYou struct {
	Activity   dcerpc.UUID // actuid: whose call it is about
	ServerBoot uint32      // boot_time: when the server was started
}

// ParseWhoAreYou reads the stub. Bytes behind it are left alone.
func ParseWhoAreYou(stub []byte, rep dcerpc.DataRep) (WhoAreYou, error) {
	r := ndr.NewReader("conv request", stub, rep)
	w := WhoAreYou{r.UUID("actuid"), r.Uint32("boot_time")}
	if err := done(&r); err != nil {
		return WhoAreYou{}, err
	}
	return w, nil
}

// AppendBinary appends the stub.
func (w WhoAreYou) AppendBinary(b []byte, rep dcerpc.DataRep) []byte {
	return rep.AppendUint32(rep.AppendUUID(b, w.Activity), w.ServerBoot)
}

// A WhoAreYouResponse is the response stub of conv_who_are_you and
// conv_are_you_there: 8 bytes.
type WhoAreYouResponse struct {
	Sequence uint32        // seq: of the activity's call
	Status   dcerpc.Status // st: StatusOK, StatusYouCrashed if the boot time is not that which the caller knows, StatusBadActivity if it knows no such activity
}

// ParseWhoAreYouResponse reads the stub. Bytes behind it are left alone.
func ParseWhoAreYouResponse(stub []byte, rep dcerpc.DataRep) (WhoAreYouResponse, error) {
	r := ndr.NewReader("conv response", stub, rep)
	w := WhoAreYouResponse{r.Uint32("seq"), dcerpc.Status(r.Uint32("st"))}
	if err := done(&r); err != nil {
		return WhoAreYouResponse{}, err
	}
	return w, nil
}

// AppendBinary appends the stub.
func (w WhoAreYouResponse) AppendBinary(b []byte, rep dcerpc.DataRep) []byte {
	return rep.AppendUint32(rep.AppendUint32(b, w.Sequence), uint32(w.Status))
}

// A WhoAreYou2Response is the response stub of conv_who_are_you2: 24 bytes.
type WhoAreYou2Response struct {
	Sequence     uint32        // seq, as in WhoAreYouResponse
	AddressSpace dcerpc.UUID   // cas_uuid: of the caller's process, the same for all of its activities
	Status       dcerpc.Status // st, as in WhoAreYouResponse
}

// ParseWhoAreYou2Response reads the stub. Bytes behind it are left alone.
func ParseWhoAreYou2Response(stub []byte, rep dcerpc.DataRep) (WhoAreYou2Response, error) {
	r := ndr.NewReader("conv response", stub, rep)
	w := WhoAreYou2Response{r.Uint32("seq"), r.UUID("cas_uuid"), dcerpc.Status(r.Uint32("st"))}
	if err := done(&r); err != nil {
		return WhoAreYou2Response{}, err
	}
	return w, nil
}

// AppendBinary appends the stub.
func (w WhoAreYou2Response) AppendBinary(b []byte, rep dcerpc.DataRep) []byte {
	b = rep.AppendUUID(rep.AppendUint32(b, w.Sequence), w.AddressSpace)
	return rep.AppendUint32(b, uint32(w.Status))
}
