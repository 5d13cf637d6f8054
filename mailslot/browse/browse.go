// Package browse reads and writes the announcements of hosts and workgroups
// that are written to the mailslot \MAILSLOT\BROWSE, as described in [MS-BRWS]
// 2.2.
//
// An announcement is:
//
//	+---------+-------------+-------------+------+------------+------------+-----------------+-----------+---------+
//	| command | UpdateCount | Periodicity | name | OS version | ServerType | browser version | Signature | comment |
//	+---------+-------------+-------------+------+------------+------------+-----------------+-----------+---------+
//	     1           1             4         16        2            4               2             2       ..., NUL
//
// All numbers are least significant byte first.
//
// # Limitations
//
// The other frames of the browser protocol, elections and lists of backup
// servers, are recognised and not read.
package browse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/messngr/messngr/internal/wire"
)

// ErrInvalid is wrapped by every error about an announcement that is whole and
// wrong. One that ends too early is io.ErrUnexpectedEOF.
var ErrInvalid = errors.New("invalid browser announcement")

// Signature is the Signature of an announcement: [MS-BRWS] 2.2.1.
const Signature = 0xAA55

// nameSize is the size of the name, its NUL included.
const nameSize = 16

// A Command is the first byte of a frame of the browser protocol, its opcode.
type Command uint8

// The commands: [MS-BRWS] 2.2.
const (
	HostAnnouncement        Command = 0x01 // HostAnnouncement: 2.2.1
	AnnouncementRequest     Command = 0x02 // AnnouncementRequest
	RequestElection         Command = 0x08 // RequestElection
	GetBackupListRequest    Command = 0x09 // GetBackupListRequest
	GetBackupListResponse   Command = 0x0A // GetBackupListResponse
	BecomeBackup            Command = 0x0B // BecomeBackup
	DomainAnnouncement      Command = 0x0C // DomainAnnouncement: 2.2.7
	MasterAnnouncement      Command = 0x0D // MasterAnnouncement
	ResetStateRequest       Command = 0x0E // ResetStateRequest
	LocalMasterAnnouncement Command = 0x0F // LocalMasterAnnouncement: 2.2.10
)

// String returns the command's name in [MS-BRWS].
func (c Command) String() string {
	switch c {
	case HostAnnouncement:
		return "HostAnnouncement"
	case AnnouncementRequest:
		return "AnnouncementRequest"
	case RequestElection:
		return "RequestElection"
	case GetBackupListRequest:
		return "GetBackupListRequest"
	case GetBackupListResponse:
		return "GetBackupListResponse"
	case BecomeBackup:
		return "BecomeBackup"
	case DomainAnnouncement:
		return "DomainAnnouncement"
	case MasterAnnouncement:
		return "MasterAnnouncement"
	case ResetStateRequest:
		return "ResetStateRequest"
	case LocalMasterAnnouncement:
		return "LocalMasterAnnouncement"
	}
	return fmt.Sprintf("browser command 0x%02X", uint8(c))
}

// announces reports whether frames with the command are announcements.
func (c Command) announces() bool {
	return c == HostAnnouncement || c == DomainAnnouncement || c == LocalMasterAnnouncement
}

// A NotAnnouncementError says that a frame of the browser protocol is another
// one than an announcement. It does not wrap ErrInvalid: nothing is wrong with
// the frame.
type NotAnnouncementError Command

func (e NotAnnouncementError) Error() string {
	return fmt.Sprintf("%v is not an announcement", Command(e))
}

// An Announcement is a frame by which a host or a workgroup makes itself known:
// [MS-BRWS] 2.2.1, 2.2.7 and 2.2.10. The strings are in the OEM code page of the
// sender, without their NULs.
type Announcement struct {
	Command     Command
	UpdateCount uint8  // to be ignored
	Periodicity uint32 // until the next announcement, in milliseconds; 0 from nmbd that ends
	// Name is of the host; of the workgroup or domain, in a DomainAnnouncement.
	// It has at most 15 bytes.
	Name []byte
	// OSMajor and OSMinor are the version of the operating system; that of the
	// browser protocol, in a DomainAnnouncement of some.
	OSMajor, OSMinor           uint8
	ServerType                 ServerType // zero from a host that goes away
	BrowserMajor, BrowserMinor uint8      // 0x0F and 0x01 of Windows NT, 0x15 and 0x04 of Windows 98
	Signature                  uint16     // Signature
	// Comment is for people. In a DomainAnnouncement it is the name of the local
	// master browser.
	Comment []byte
}

// AppendBinary appends the announcement. It fails for another command, for a
// name that is too long, and for a string that holds a NUL.
func (a Announcement) AppendBinary(b []byte) ([]byte, error) {
	if !a.Command.announces() {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, NotAnnouncementError(a.Command))
	}
	if len(a.Name) >= nameSize {
		return nil, fmt.Errorf("%w: name %q of %d bytes, at most %d fit", ErrInvalid, a.Name, len(a.Name), nameSize-1)
	}
	if bytes.IndexByte(a.Name, 0) >= 0 || bytes.IndexByte(a.Comment, 0) >= 0 {
		return nil, fmt.Errorf("%w: a NUL in the name %q or the comment %q", ErrInvalid, a.Name, a.Comment)
	}
	b = append(b, uint8(a.Command), a.UpdateCount)
	b = binary.LittleEndian.AppendUint32(b, a.Periodicity)
	var name [nameSize]byte
	copy(name[:], a.Name)
	b = append(b, name[:]...)
	b = append(b, a.OSMajor, a.OSMinor)
	b = binary.LittleEndian.AppendUint32(b, uint32(a.ServerType))
	b = append(b, a.BrowserMajor, a.BrowserMinor)
	b = binary.LittleEndian.AppendUint16(b, a.Signature)
	b = append(b, a.Comment...)
	return append(b, 0), nil
}

// Parse reads an announcement. Its strings alias b. The error is a
// NotAnnouncementError if b begins with another command, known or not.
//
// Deliberately lax: Signature is read and not compared, what stands behind the
// NUL of the name is ignored, as [MS-BRWS] wants it, and so are bytes behind the
// comment.
func Parse(b []byte) (Announcement, error) {
	r := wire.NewReader("browser announcement", b)
	var a Announcement
	// opcode, UpdateCount (8 bits each), Periodicity (32 bits)
	a.Command = Command(r.Uint8("opcode"))
	if r.Err() == nil && !a.Command.announces() {
		return Announcement{}, NotAnnouncementError(a.Command)
	}
	a.UpdateCount = r.Uint8("UpdateCount")
	a.Periodicity = r.LE32("Periodicity")
	// ServerName or MachineGroup (16 bytes)
	name := r.Bytes("ServerName", nameSize)
	end := bytes.IndexByte(name, 0)
	if r.Err() == nil && end < 0 {
		r.Fail("ServerName", fmt.Errorf("%w: %q has no NUL", ErrInvalid, name))
	}
	// OSVersionMajor, OSVersionMinor (8 bits each), ServerType (32 bits)
	a.OSMajor, a.OSMinor = r.Uint8("OSVersionMajor"), r.Uint8("OSVersionMinor")
	a.ServerType = ServerType(r.LE32("ServerType"))
	// BrowserVersionMajor, BrowserVersionMinor (8 bits each), Signature (16
	// bits), Comment or LocalMasterBrowserName (NUL-terminated)
	a.BrowserMajor, a.BrowserMinor = r.Uint8("BrowserVersionMajor"), r.Uint8("BrowserVersionMinor")
	a.Signature = r.LE16("Signature")
	a.Comment = r.Until("Comment", 0)
	if err := r.Err(); err != nil {
		return Announcement{}, err
	}
	a.Name = name[:end:end]
	return a, nil
}
