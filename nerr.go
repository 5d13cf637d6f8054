package messngr

import (
	"fmt"
	"maps"
	"slices"
)

// A NERR is a number of the LAN Manager message file: the network errors that
// `net send` and NetMessageBufferSend return ([MS-MSRP] 3.2.4.1 and lmerr.h,
// 2100 to 2999), and the texts of the `net` command (3500 and above).
type NERR uint16

// The numbers with which a delivery can fail.
const (
	NERRBufTooSmall      NERR = 2123 // NERR_BufTooSmall
	NERRNetworkError     NERR = 2136 // NERR_NetworkError
	NERRInternalError    NERR = 2140 // NERR_InternalError
	NERRNameNotFound     NERR = 2273 // NERR_NameNotFound
	NERRAlreadyExists    NERR = 2276 // NERR_AlreadyExists
	NERRTooManyNames     NERR = 2277 // NERR_TooManyNames
	NERRDelComputerName  NERR = 2278 // NERR_DelComputerName
	NERRPausedRemote     NERR = 2281 // NERR_PausedRemote
	NERRBadReceive       NERR = 2282 // NERR_BadReceive
	NERRMsgNotStarted    NERR = 2284 // NERR_MsgNotStarted
	NERRNotLocalName     NERR = 2285 // NERR_NotLocalName
	NERRTruncated        NERR = 2289 // NERR_TruncatedBroadcast
	NERRDuplicateName    NERR = 2297 // NERR_DuplicateName
	MsgHelpAvailable     NERR = 3514
	MsgSendFailed        NERR = 3722
	MsgNameDeleted       NERR = 4650
	MsgSent              NERR = 4652
	MsgNameAdded         NERR = 4654
	MsgSentAll           NERR = 4664
	MsgSentDomain        NERR = 4665
	MsgName              NERR = 4800
	MsgCommandSuccessful NERR = 3500
)

// The numbers of what is said of the service itself.
const (
	NERRMsgAlreadyStarted NERR = 2271 // NERR_MsgAlreadyStarted
	MsgServiceNotStarted  NERR = 3523
	MsgServiceStopping    NERR = 3527
	MsgServiceStopped     NERR = 3529
	MsgServiceContinued   NERR = 3536
	MsgServicePaused      NERR = 3537
)

// nerrTexts are the texts as the users of Windows know them; %1 is what the
// command puts in.
var nerrTexts = map[NERR]string{
	2123: "The buffer for the answer is too small.",
	2136: "A general network error has occurred.",
	2140: "An internal error occurred.",
	2270: "A computer name has not been configured.",
	2271: "The Messenger service is already started.",
	2272: "The Messenger service failed to start.",
	2273: "The message alias could not be found on the network.",
	2274: "This message alias has already been forwarded.",
	2275: "This message alias has been added but is still forwarded.",
	2276: "This message alias already exists locally.",
	2277: "The maximum number of added message aliases has been exceeded.",
	2278: "The computer name could not be deleted.",
	2279: "Messages cannot be forwarded back to the same workstation.",
	2280: "An error occurred in the domain message processor.",
	2281: "The message was sent, but the recipient has paused the Messenger service.",
	2282: "The message was sent but not received.",
	2283: "The message alias is currently in use. Try again later.",
	2284: "The Messenger service has not been started.",
	2285: "The name is not on the local computer.",
	2286: "The forwarded message alias could not be found on the network.",
	2287: "The message alias table on the remote station is full.",
	2288: "Messages for this alias are not currently being forwarded.",
	2289: "The broadcast message was truncated.",
	2297: "A duplicate message alias exists on the network.",
	2298: "This message alias will be deleted later.",
	2299: "The message alias was not successfully deleted from all networks.",

	MsgCommandSuccessful: "The command completed successfully.",

	3421: "Messenger Service",
	3514: "More help is available by typing NET HELPMSG %1.",
	3521: "The %1 service is not started.",
	3523: "The %1 service could not be started.",
	3527: "The %1 service is stopping.",
	3529: "The %1 service was stopped successfully.",
	3536: "The %1 service was continued successfully.",
	3537: "The %1 service was paused successfully.",
	3722: "An error occurred while sending a message to %1.",
	3777: "Sending files is no longer supported.",
	4381: "The syntax of this command is:",
	4650: "%1 was deleted successfully.",
	4652: "The message was successfully sent to %1.",
	4654: "The message name %1 was added successfully.",
	4664: "The message was successfully sent to all users of the network.",
	4665: "The message was successfully sent to domain %1.",
	4666: "The message was successfully sent to all users of this server.",
	4667: "The message was successfully sent to group *%1.",
	4800: "Name",
	4801: "Forwarded to",
	4802: "Forwarded to you from",
	4803: "Users of this server",
	4804: "Net Send has been interrupted by a Ctrl+Break.",
}

// Text returns the number's text, and whether it has one. Where the text names
// something, it holds "%1".
func (n NERR) Text() (string, bool) {
	s, ok := nerrTexts[n]
	return s, ok
}

// Error returns the text, or the number where there is none.
func (n NERR) Error() string {
	if s, ok := nerrTexts[n]; ok {
		return s
	}
	return fmt.Sprintf("network error %d", uint16(n))
}

// NERRs returns every number that has a text, in order.
func NERRs() []NERR { return slices.Sorted(maps.Keys(nerrTexts)) }
