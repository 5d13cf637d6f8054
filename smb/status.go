package smb

import "fmt"

// A Status is the Status field of a header: an NTSTATUS where
// SMB_FLAGS2_NT_STATUS is set, else an SMBSTATUS: ErrorClass u8, Reserved u8,
// ErrorCode u16. [MS-CIFS] 2.2.2.4.
type Status uint32

// A Class is the ErrorClass of an SMBSTATUS.
type Class uint8

// The error classes.
const (
	ERRDOS Class = 0x01
	ERRSRV Class = 0x02
)

// An Error is an error in the form of class and code: [MS-CIFS] 2.2.2.4. The
// zero Error is success.
type Error struct {
	Class Class
	Code  uint16
}

// The errors that answer messages.
var (
	ErrInvalidParameter = Error{ERRDOS, 87} // ERRinvalidparam: a body that does not parse, a block without a start
	ErrNotAccepted      = Error{ERRDOS, 71} // ERRreqnotaccep: smbd without a message command
	ErrAccess           = Error{ERRSRV, 4}  // ERRaccess: the guard refused
	ErrBadCommand       = Error{ERRSRV, 22} // ERRbadcmd, also ERRunknownsmb: no such command here
	ErrPaused           = Error{ERRSRV, 81} // ERRpaused: messages are paused
	ErrMessagesOff      = Error{ERRSRV, 82} // ERRmsgoff: messages are not taken
	ErrNoRoom           = Error{ERRSRV, 83} // ERRnoroom: no room to buffer the message
)

// ntStatuses maps each error that a response may carry to its 32-bit form.
// [MS-CIFS] 2.2.2.4 gives the first three. ERRnoroom and ERRpaused have no NTSTATUS
// of their own there: STATUS_INSUFF_SERVER_RESOURCES says the same as the one, and
// STATUS_SHARING_PAUSED is what Samba's clients make of the other. Packed as class
// and code, they would have the severity of success.
var ntStatuses = [...]struct {
	err    Error
	status Status
}{
	{ErrInvalidParameter, 0xC000000D}, // STATUS_INVALID_PARAMETER
	{ErrAccess, 0xC0000022},           // STATUS_ACCESS_DENIED
	{ErrBadCommand, 0x00160002},       // STATUS_SMB_BAD_COMMAND
	{ErrNoRoom, 0xC0000205},           // STATUS_INSUFF_SERVER_RESOURCES
	{ErrPaused, 0xC00000CF},           // STATUS_SHARING_PAUSED
	{ErrNotAccepted, 0xC00000D0},      // STATUS_REQUEST_NOT_ACCEPTED
}

func (e Error) dosStatus() Status {
	return Status(e.Class) | Status(e.Code)<<16
}

// ntStatus returns the 32-bit form. An error that has none keeps class and
// code, packed as STATUS_SMB_BAD_COMMAND packs its own.
func (e Error) ntStatus() Status {
	for _, m := range ntStatuses {
		if m.err == e {
			return m.status
		}
	}
	return e.dosStatus()
}

// Error returns class and code, as in "ERRSRV/83 (no room to buffer the message)".
func (e Error) Error() string {
	class := fmt.Sprintf("class 0x%02X", uint8(e.Class))
	switch e.Class {
	case ERRDOS:
		class = "ERRDOS"
	case ERRSRV:
		class = "ERRSRV"
	}
	text := ""
	switch e {
	case ErrInvalidParameter:
		text = " (invalid parameter)"
	case ErrNotAccepted:
		text = " (request not accepted)"
	case ErrAccess:
		text = " (access denied)"
	case ErrBadCommand:
		text = " (command not known)"
	case ErrPaused:
		text = " (messages are paused)"
	case ErrMessagesOff:
		text = " (messages are not taken)"
	case ErrNoRoom:
		text = " (no room to buffer the message)"
	}
	return fmt.Sprintf("%s/%d%s", class, e.Code, text)
}

// A StatusError is a response that is not success.
type StatusError struct {
	Command  Command
	Status   Status
	NTStatus bool // the status is in the 32-bit form
}

// Error names the command and the status.
func (e *StatusError) Error() string {
	if err := e.Unwrap(); err != nil {
		return fmt.Sprintf("%v refused: %v", e.Command, err)
	}
	return fmt.Sprintf("%v refused: NTSTATUS 0x%08X", e.Command, uint32(e.Status))
}

// Unwrap returns the Error that the status stands for, or nil where a 32-bit
// status has no such form.
func (e *StatusError) Unwrap() error {
	if e.NTStatus {
		for _, m := range ntStatuses {
			if m.status == e.Status {
				return m.err
			}
		}
		if e.Status>>30 != 0 { // a severity: an NTSTATUS proper
			return nil
		}
	}
	return Error{Class(e.Status), uint16(e.Status >> 16)}
}
