package dcerpc

import "fmt"

// A Status is an error_status_t, which faults and rejections carry and some
// calls return: [C706] appendix E. Zero is success.
//
// Windows sends Win32 error numbers where it has no number of C706's.
type Status uint32

// The reasons for which a call is rejected, without having been executed:
// [C706] appendix E.
const (
	StatusOK                   Status = 0          // rpc_s_ok
	StatusVersionMismatch      Status = 0x1C000008 // nca_rpc_version_mismatch
	StatusUnspecifiedReject    Status = 0x1C000009 // nca_unspec_reject
	StatusBadActivity          Status = 0x1C00000A // nca_s_bad_actid
	StatusWhoAreYouFailed      Status = 0x1C00000B // nca_who_are_you_failed
	StatusManagerNotEntered    Status = 0x1C00000C // nca_manager_not_entered
	StatusUnsupportedAuthLevel Status = 0x1C00001D // nca_unsupported_authn_level
	StatusInvalidChecksum      Status = 0x1C00001F // nca_invalid_checksum
	StatusInvalidCRC           Status = 0x1C000020 // nca_invalid_crc
	StatusCommFailure          Status = 0x1C010001 // nca_s_comm_failure
	StatusOperationRange       Status = 0x1C010002 // nca_op_rng_error
	StatusUnknownInterface     Status = 0x1C010003 // nca_unk_if
	StatusWrongBootTime        Status = 0x1C010006 // nca_wrong_boot_time
	StatusYouCrashed           Status = 0x1C010009 // nca_s_you_crashed
	StatusProtocolError        Status = 0x1C01000B // nca_proto_error
	StatusOutArgsTooBig        Status = 0x1C010013 // nca_out_args_too_big
	StatusServerTooBusy        Status = 0x1C010014 // nca_server_too_busy
	StatusStringTooLong        Status = 0x1C010015 // nca_s_fault_string_too_long
	StatusUnsupportedType      Status = 0x1C010017 // nca_unsupported_type
)

// The faults of calls that were executed, or had begun to be: [C706] appendix E.
const (
	FaultIntDivByZero      Status = 0x1C000001 // nca_s_fault_int_div_by_zero
	FaultAddress           Status = 0x1C000002 // nca_s_fault_addr_error
	FaultFloatDivByZero    Status = 0x1C000003 // nca_s_fault_fp_div_zero
	FaultFloatUnderflow    Status = 0x1C000004 // nca_s_fault_fp_underflow
	FaultFloatOverflow     Status = 0x1C000005 // nca_s_fault_fp_overflow
	FaultInvalidTag        Status = 0x1C000006 // nca_s_fault_invalid_tag
	FaultInvalidBound      Status = 0x1C000007 // nca_s_fault_invalid_bound
	FaultCancel            Status = 0x1C00000D // nca_s_fault_cancel
	FaultIllegalInstr      Status = 0x1C00000E // nca_s_fault_ill_inst
	FaultFloat             Status = 0x1C00000F // nca_s_fault_fp_error
	FaultIntOverflow       Status = 0x1C000010 // nca_s_fault_int_overflow
	FaultUnspecified       Status = 0x1C000012 // nca_s_fault_unspec
	FaultRemoteCommFailure Status = 0x1C000013 // nca_s_fault_remote_comm_failure
	FaultPipeEmpty         Status = 0x1C000014 // nca_s_fault_pipe_empty
	FaultPipeClosed        Status = 0x1C000015 // nca_s_fault_pipe_closed
	FaultPipeOrder         Status = 0x1C000016 // nca_s_fault_pipe_order
	FaultPipeDiscipline    Status = 0x1C000017 // nca_s_fault_pipe_discipline
	FaultPipeComm          Status = 0x1C000018 // nca_s_fault_pipe_comm_error
	FaultPipeMemory        Status = 0x1C000019 // nca_s_fault_pipe_memory
	FaultContextMismatch   Status = 0x1C00001A // nca_s_fault_context_mismatch
	FaultNoMemory          Status = 0x1C00001B // nca_s_fault_remote_no_memory
	FaultInvalidContext    Status = 0x1C00001C // nca_s_invalid_pres_context_id
	FaultUserDefined       Status = 0x1C000021 // nca_s_fault_user_defined
	FaultTxOpenFailed      Status = 0x1C000022 // nca_s_fault_tx_open_failed
	FaultCodesetConversion Status = 0x1C000023 // nca_s_fault_codeset_conv_error
	FaultObjectNotFound    Status = 0x1C000024 // nca_s_fault_object_not_found
	FaultNoClientStub      Status = 0x1C000025 // nca_s_fault_no_client_stub
)

// What Windows sends in a fault instead: Win32 error numbers, [MS-ERREF] 2.2.
const (
	FaultOther         Status = 0x00000001 // nca_s_fault_other
	FaultAccessDenied  Status = 0x00000005 // nca_s_fault_access_denied, ERROR_ACCESS_DENIED
	FaultCantPerform   Status = 0x000006D8 // nca_s_fault_cant_perform, EPT_S_CANT_PERFORM_OP
	FaultNDR           Status = 0x000006F7 // nca_s_fault_ndr, RPC_X_BAD_STUB_DATA
	FaultSecurityError Status = 0x00000721 // nca_s_fault_sec_pkg_error, RPC_S_SEC_PKG_ERROR
)

// What the calls of the endpoint mapper return: the numbers of DCE, which
// Windows returns as well.
const (
	StatusNoMemory          Status = 0x16C9A012 // rpc_s_no_memory
	StatusCantPerform       Status = 0x16C9A0CD // ept_s_cant_perform_op
	StatusInvalidEntry      Status = 0x16C9A0D3 // ept_s_invalid_entry
	StatusInvalidContext    Status = 0x16C9A0D5 // ept_s_invalid_context: a lookup handle that is not ours
	StatusNotRegistered     Status = 0x16C9A0D6 // ept_s_not_registered: no element matches, or no more do
	StatusServerUnavailable Status = 0x16C9A0D7 // ept_s_server_unavailable
)

// String returns the name of the status, as [C706] writes it, or its number.
func (s Status) String() string {
	if name, _ := s.words(); name != "" {
		return name
	}
	return fmt.Sprintf("0x%08X", uint32(s))
}

// Error says in words what the status means, with its name.
func (s Status) Error() string {
	name, text := s.words()
	if name == "" {
		return fmt.Sprintf("RPC status 0x%08X", uint32(s))
	}
	return text + " (" + name + ")"
}

// words returns the name and the meaning of a status, "" if it is not known.
func (s Status) words() (name, text string) {
	switch s {
	case StatusOK:
		return "rpc_s_ok", "success"
	case StatusVersionMismatch:
		return "nca_rpc_version_mismatch", "the server does not speak this version of the protocol"
	case StatusUnspecifiedReject:
		return "nca_unspec_reject", "the server rejects the call and does not say why"
	case StatusBadActivity:
		return "nca_s_bad_actid", "the server knows nothing of this activity"
	case StatusWhoAreYouFailed:
		return "nca_who_are_you_failed", "the server called back and got no good answer"
	case StatusManagerNotEntered:
		return "nca_manager_not_entered", "the call was not executed"
	case StatusUnsupportedAuthLevel:
		return "nca_unsupported_authn_level", "the server does not support this level of authentication"
	case StatusInvalidChecksum:
		return "nca_invalid_checksum", "the checksum is wrong"
	case StatusInvalidCRC:
		return "nca_invalid_crc", "the CRC is wrong"
	case StatusCommFailure:
		return "nca_s_comm_failure", "the communication failed"
	case StatusOperationRange:
		return "nca_op_rng_error", "the interface has no operation of this number"
	case StatusUnknownInterface:
		return "nca_unk_if", "the server does not have this interface"
	case StatusWrongBootTime:
		return "nca_wrong_boot_time", "the server has been started again since"
	case StatusYouCrashed:
		return "nca_s_you_crashed", "the caller has been started again since"
	case StatusProtocolError:
		return "nca_proto_error", "the server does not understand the packet"
	case StatusOutArgsTooBig:
		return "nca_out_args_too_big", "the answer is too long for one packet"
	case StatusServerTooBusy:
		return "nca_server_too_busy", "the server is too busy"
	case StatusStringTooLong:
		return "nca_s_fault_string_too_long", "a string is longer than its declaration allows"
	case StatusUnsupportedType:
		return "nca_unsupported_type", "the object has no such operation"
	case FaultIntDivByZero:
		return "nca_s_fault_int_div_by_zero", "the server divided by zero"
	case FaultAddress:
		return "nca_s_fault_addr_error", "the server used a wrong address"
	case FaultFloatDivByZero:
		return "nca_s_fault_fp_div_zero", "the server divided a floating-point number by zero"
	case FaultFloatUnderflow:
		return "nca_s_fault_fp_underflow", "a floating-point number became too small in the server"
	case FaultFloatOverflow:
		return "nca_s_fault_fp_overflow", "a floating-point number became too large in the server"
	case FaultInvalidTag:
		return "nca_s_fault_invalid_tag", "the discriminant of a union is wrong"
	case FaultInvalidBound:
		return "nca_s_fault_invalid_bound", "the bounds of an array are wrong"
	case FaultCancel:
		return "nca_s_fault_cancel", "the call was cancelled"
	case FaultIllegalInstr:
		return "nca_s_fault_ill_inst", "the server ran into an illegal instruction"
	case FaultFloat:
		return "nca_s_fault_fp_error", "a floating-point error happened in the server"
	case FaultIntOverflow:
		return "nca_s_fault_int_overflow", "an integer overflowed in the server"
	case FaultUnspecified:
		return "nca_s_fault_unspec", "the call failed in the server, which does not say why"
	case FaultRemoteCommFailure:
		return "nca_s_fault_remote_comm_failure", "the server could not communicate"
	case FaultPipeEmpty:
		return "nca_s_fault_pipe_empty", "the pipe is empty"
	case FaultPipeClosed:
		return "nca_s_fault_pipe_closed", "the pipe is closed"
	case FaultPipeOrder:
		return "nca_s_fault_pipe_order", "the pipes were used in the wrong order"
	case FaultPipeDiscipline:
		return "nca_s_fault_pipe_discipline", "the pipe was used in the wrong way"
	case FaultPipeComm:
		return "nca_s_fault_pipe_comm_error", "the communication over the pipe failed"
	case FaultPipeMemory:
		return "nca_s_fault_pipe_memory", "the pipe had no memory"
	case FaultContextMismatch:
		return "nca_s_fault_context_mismatch", "the context handle is not one of the server's"
	case FaultNoMemory:
		return "nca_s_fault_remote_no_memory", "the server had no memory"
	case FaultInvalidContext:
		return "nca_s_invalid_pres_context_id", "the presentation context was not agreed on"
	case FaultUserDefined:
		return "nca_s_fault_user_defined", "the interface defines what happened"
	case FaultTxOpenFailed:
		return "nca_s_fault_tx_open_failed", "a transaction could not be opened"
	case FaultCodesetConversion:
		return "nca_s_fault_codeset_conv_error", "characters could not be converted"
	case FaultObjectNotFound:
		return "nca_s_fault_object_not_found", "the server does not have the object"
	case FaultNoClientStub:
		return "nca_s_fault_no_client_stub", "there is no stub to call back"
	case FaultOther:
		return "nca_s_fault_other", "the call failed"
	case FaultAccessDenied:
		return "nca_s_fault_access_denied", "access is denied"
	case FaultCantPerform:
		return "nca_s_fault_cant_perform", "the server cannot perform the operation"
	case FaultNDR:
		return "nca_s_fault_ndr", "the server does not understand the parameters"
	case FaultSecurityError:
		return "nca_s_fault_sec_pkg_error", "the security package failed"
	case StatusNoMemory:
		return "rpc_s_no_memory", "the server had no memory"
	case StatusCantPerform:
		return "ept_s_cant_perform_op", "the endpoint mapper cannot perform the operation"
	case StatusInvalidEntry:
		return "ept_s_invalid_entry", "the entry of the endpoint map is wrong"
	case StatusInvalidContext:
		return "ept_s_invalid_context", "the lookup handle is not one of the endpoint mapper's"
	case StatusNotRegistered:
		return "ept_s_not_registered", "the endpoint mapper has nothing more that matches"
	case StatusServerUnavailable:
		return "ept_s_server_unavailable", "the endpoint mapper is not available"
	}
	return "", ""
}
