package ncadg

import (
	"errors"
	"fmt"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// ParseStatus reads the body of a fault or of a reject: [C706] 12.5.3.5,
// 12.5.3.8. Bytes behind the status are left alone.
func ParseStatus(body []byte, rep dcerpc.DataRep) (dcerpc.Status, error) {
	r := ndr.NewReader("RPC status", body, rep)
	// status (32 bits)
	s := dcerpc.Status(r.Uint32("status"))
	return s, done(&r)
}

// AppendStatus appends the body of a fault or of a reject.
func AppendStatus(b []byte, rep dcerpc.DataRep, s dcerpc.Status) []byte {
	return rep.AppendUint32(b, uint32(s))
}

// A CancelBody is the body of a cancel: [C706] 12.5.3.3. ID tells the cancels
// of a call apart.
type CancelBody struct {
	ID uint32 // cancel_id
}

// ParseCancel reads the body of a cancel.
func ParseCancel(body []byte, rep dcerpc.DataRep) (CancelBody, error) {
	r := ndr.NewReader("RPC cancel", body, rep)
	// vers (32 bits): "the version of the body format", 0; cancel_id (32 bits)
	cancelVersion(&r)
	c := CancelBody{r.Uint32("cancel_id")}
	if err := done(&r); err != nil {
		return CancelBody{}, err
	}
	return c, nil
}

// AppendBinary appends the body.
func (c CancelBody) AppendBinary(b []byte, rep dcerpc.DataRep) []byte {
	return rep.AppendUint32(rep.AppendUint32(b, 0), c.ID)
}

// A CancelAckBody is the body of a cancel_ack: [C706] 12.5.3.2.
type CancelAckBody struct {
	ID        uint32 // cancel_id of the cancel that it acknowledges
	Accepting bool   // server_is_accepting: the server takes cancels for this call
}

// ParseCancelAck reads the body of a cancel_ack. Bytes behind it are left alone.
//
// Deliberately lax: [C706] has one byte of server_is_accepting, and others write
// 32 bits; any of them counts.
func ParseCancelAck(body []byte, rep dcerpc.DataRep) (CancelAckBody, error) {
	r := ndr.NewReader("RPC cancel_ack", body, rep)
	// vers, cancel_id (32 bits each), server_is_accepting (boolean)
	cancelVersion(&r)
	c := CancelAckBody{ID: r.Uint32("cancel_id")}
	accepting := r.Uint8("server_is_accepting")
	if r.Len() >= 3 {
		for _, b := range r.Bytes("server_is_accepting", 3) {
			accepting |= b
		}
	}
	c.Accepting = accepting != 0
	if err := done(&r); err != nil {
		return CancelAckBody{}, err
	}
	return c, nil
}

// AppendBinary appends the body, padded to 12 bytes for those who read 32 bits
// of server_is_accepting.
func (c CancelAckBody) AppendBinary(b []byte, rep dcerpc.DataRep) []byte {
	b = rep.AppendUint32(rep.AppendUint32(b, 0), c.ID)
	if c.Accepting {
		return append(b, 1, 0, 0, 0)
	}
	return append(b, 0, 0, 0, 0)
}

// cancelVersion reads the version of the body of a cancel or a cancel_ack.
func cancelVersion(r *ndr.Reader) {
	if v := r.Uint32("vers"); v != 0 {
		r.Fail("vers", fmt.Errorf("%w: version %d, want 0", ErrInvalid, v))
	}
}

// done returns the Reader's error as one of this package.
func done(r *ndr.Reader) error {
	err := r.Err()
	if errors.Is(err, ndr.ErrInvalid) {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}
