package netbios

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is wrapped by every error that is not about missing bytes: a name
// that is too long, bytes that are no encoded name.
var ErrInvalid = errors.New("invalid NetBIOS name")

// A Suffix is the 16th byte of a name. It tells the services of one host
// apart. Which of them are unique names and which are group names is a habit,
// not a property of the number: 0x00 is both.
type Suffix uint8

// The suffixes that hosts register.
const (
	Workstation      Suffix = 0x00 // of a computer, unique; of a workgroup or domain, group
	OldMessenger     Suffix = 0x01 // the Messenger of old clients, unique; with "\x01\x02__MSBROWSE__\x02", the master browsers, group
	Messenger        Suffix = 0x03 // of a computer, a user or an alias: where messages go
	RASServer        Suffix = 0x06
	DomainMaster     Suffix = 0x1B // of a domain, unique: its master browser
	DomainController Suffix = 0x1C // of a domain, group, with up to 25 addresses
	MasterBrowser    Suffix = 0x1D // of a workgroup, unique: its master browser on one segment
	Election         Suffix = 0x1E // of a workgroup, group: who takes part in browser elections
	NetDDE           Suffix = 0x1F
	FileServer       Suffix = 0x20
	RASClient        Suffix = 0x21
)

// MaxBase is the most bytes that a name has before its suffix.
const MaxBase = 15

// A Name is a NetBIOS name as hosts register it: 15 bytes, padded with blanks,
// and a suffix. Two names are the same when all of their bytes are: whoever
// makes a Name sees to the case. See RFC 1001 5.2.
type Name [MaxBase + 1]byte

// Names that mean something to every host. They are not to be assigned to.
var (
	// Wildcard asks for the node status of a host without knowing its names:
	// an asterisk and 15 zeros.
	Wildcard = Name{'*'}
	// SMBServer is called when only the address of a host is known; servers
	// answer to it besides their own names.
	SMBServer = Name{'*', 'S', 'M', 'B', 'S', 'E', 'R', 'V', 'E', 'R', ' ', ' ', ' ', ' ', ' ', byte(FileServer)}
)

// NewName returns the name of the bytes of s, which are in the sender's OEM
// code page, with its ASCII letters in upper case. Every byte is allowed.
// "*" alone is padded with zeros, everything else with blanks. It is an error
// if s has more than 15 bytes.
func NewName(s string, suffix Suffix) (Name, error) {
	if len(s) > MaxBase {
		return Name{}, fmt.Errorf("%w %q: %d bytes, at most %d fit", ErrInvalid, s, len(s), MaxBase)
	}
	var n Name
	copy(n[:], s)
	for i, c := range n[:len(s)] {
		if 'a' <= c && c <= 'z' {
			n[i] = c - 'a' + 'A'
		}
	}
	if s != "*" {
		for i := len(s); i < MaxBase; i++ {
			n[i] = ' '
		}
	}
	n[MaxBase] = byte(suffix)
	return n, nil
}

// Suffix returns the last byte of the name.
func (n Name) Suffix() Suffix { return Suffix(n[MaxBase]) }

// WithSuffix returns the name of another service of the same host.
func (n Name) WithSuffix(s Suffix) Name {
	n[MaxBase] = byte(s)
	return n
}

// Base returns the first 15 bytes without the padding.
func (n Name) Base() string {
	if n.WithSuffix(0) == Wildcard {
		return "*"
	}
	return strings.TrimRight(string(n[:MaxBase]), " ")
}

// String returns the base and, in angle brackets, the suffix as two
// hexadecimal digits: HOST2<03>. Bytes that are not printable ASCII, and the
// backslash, are written as \xNN.
func (n Name) String() string {
	const digits = "0123456789ABCDEF"
	base := n.Base()
	b := make([]byte, 0, 4*MaxBase+len("<00>"))
	for i := range len(base) {
		if c := base[i]; c < ' ' || c > '~' || c == '\\' {
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(append(b, '<', digits[n[MaxBase]>>4], digits[n[MaxBase]&15], '>'))
}
