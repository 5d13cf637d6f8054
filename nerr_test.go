package messngr_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/messngr/messngr"
)

// TestNERRTexts holds the texts that net send writes to those of Windows.
func TestNERRTexts(t *testing.T) {
	for n, want := range map[messngr.NERR]string{
		messngr.NERRNameNotFound: "The message alias could not be found on the network.",
		messngr.NERRPausedRemote: "The message was sent, but the recipient has paused the Messenger service.",
		messngr.NERRBadReceive:   "The message was sent but not received.",
		messngr.NERRNetworkError: "A general network error has occurred.",
		messngr.MsgSent:          "The message was successfully sent to %1.",
		messngr.MsgSendFailed:    "An error occurred while sending a message to %1.",
		messngr.MsgServicePaused: "The %1 service was paused successfully.",
		messngr.MsgHelpAvailable: "More help is available by typing NET HELPMSG %1.",
	} {
		if text, ok := n.Text(); !ok || text != want {
			t.Errorf("%d is %q, %v, want %q", n, text, ok, want)
		}
		if n.Error() != want {
			t.Errorf("%d as an error is %q, want %q", n, n.Error(), want)
		}
	}
	// The numbers of lmerr.h, written otherwise.
	for n, code := range map[messngr.NERR]uint16{
		messngr.NERRNetworkError: 0x858, messngr.NERRNameNotFound: 0x8E1, messngr.NERRPausedRemote: 0x8E9,
		messngr.NERRBadReceive: 0x8EA, messngr.NERRMsgNotStarted: 0x8EC, messngr.NERRTruncated: 0x8F1,
	} {
		if uint16(n) != code {
			t.Errorf("%q is %#x, want %#x", n, uint16(n), code)
		}
	}
}

func TestNERRUnknown(t *testing.T) {
	const unknown = messngr.NERR(2290)
	if text, ok := unknown.Text(); ok || text != "" {
		t.Errorf("%d has the text %q", unknown, text)
	}
	if got := unknown.Error(); got != "network error 2290" {
		t.Errorf("%d as an error is %q", unknown, got)
	}
}

func TestNERRs(t *testing.T) {
	numbers := messngr.NERRs()
	if !slices.IsSorted(numbers) || len(numbers) != len(slices.Compact(slices.Clone(numbers))) {
		t.Errorf("not in order: %d", numbers)
	}
	for n := messngr.NERR(2270); n <= 2289; n++ { // all that lmerr.h has of the Messenger
		if !slices.Contains(numbers, n) {
			t.Errorf("%d is missing", n)
		}
	}
	for _, n := range numbers {
		text, ok := n.Text()
		if !ok || text == "" || strings.TrimSpace(text) != text || strings.ContainsRune(text, '\n') {
			t.Errorf("%d is %q", n, text)
		}
		if strings.Contains(strings.ReplaceAll(text, "%1", ""), "%") {
			t.Errorf("%d asks for more than %%1: %q", n, text)
		}
	}
}
