package browse

import (
	"fmt"
	"strings"
)

// A ServerType says what a host is and offers, in bits: [MS-SRVS] 2.2.2.7,
// Software Type Flags.
type ServerType uint32

// The bits that are in use.
const (
	Workstation        ServerType = 0x00000001 // SV_TYPE_WORKSTATION
	Server             ServerType = 0x00000002 // SV_TYPE_SERVER
	SQLServer          ServerType = 0x00000004 // SV_TYPE_SQLSERVER
	DomainController   ServerType = 0x00000008 // SV_TYPE_DOMAIN_CTRL
	BackupController   ServerType = 0x00000010 // SV_TYPE_DOMAIN_BAKCTRL
	TimeSource         ServerType = 0x00000020 // SV_TYPE_TIME_SOURCE
	AppleServer        ServerType = 0x00000040 // SV_TYPE_AFP
	NovellServer       ServerType = 0x00000080 // SV_TYPE_NOVELL
	DomainMember       ServerType = 0x00000100 // SV_TYPE_DOMAIN_MEMBER
	PrintServer        ServerType = 0x00000200 // SV_TYPE_PRINTQ_SERVER
	DialInServer       ServerType = 0x00000400 // SV_TYPE_DIALIN_SERVER
	UnixServer         ServerType = 0x00000800 // SV_TYPE_XENIX_SERVER
	NT                 ServerType = 0x00001000 // SV_TYPE_NT
	WindowsWorkgroups  ServerType = 0x00002000 // SV_TYPE_WFW
	NetWareFiles       ServerType = 0x00004000 // SV_TYPE_SERVER_MFPN
	NTServer           ServerType = 0x00008000 // SV_TYPE_SERVER_NT
	PotentialBrowser   ServerType = 0x00010000 // SV_TYPE_POTENTIAL_BROWSER
	BackupBrowser      ServerType = 0x00020000 // SV_TYPE_BACKUP_BROWSER
	MasterBrowser      ServerType = 0x00040000 // SV_TYPE_MASTER_BROWSER
	DomainMaster       ServerType = 0x00080000 // SV_TYPE_DOMAIN_MASTER
	Windows            ServerType = 0x00400000 // SV_TYPE_WINDOWS: Windows 95 and later of its line
	DFSServer          ServerType = 0x00800000 // SV_TYPE_DFS
	TerminalServer     ServerType = 0x02000000 // SV_TYPE_TERMINALSERVER
	AlternateTransport ServerType = 0x20000000 // SV_TYPE_ALTERNATE_XPORT
	LocalListOnly      ServerType = 0x40000000 // SV_TYPE_LOCAL_LIST_ONLY
	DomainEnum         ServerType = 0x80000000 // SV_TYPE_DOMAIN_ENUM: a workgroup or domain, not a host
)

// serverTypes name the bits for people.
var serverTypes = [32]string{
	0: "workstation", 1: "server", 2: "SQL server", 3: "domain controller", 4: "backup domain controller",
	5: "time source", 6: "Apple file server", 7: "Novell server", 8: "domain member", 9: "print server",
	10: "dial-in server", 11: "Unix server", 12: "Windows NT", 13: "Windows for Workgroups",
	14: "file and print for NetWare", 15: "Windows NT server", 16: "potential browser", 17: "backup browser",
	18: "master browser", 19: "domain master browser", 22: "Windows 95", 23: "DFS server", 25: "terminal server",
	29: "alternate transport", 30: "local list only", 31: "domain",
}

// String returns the names of the bits with commas between them, such as
// "workstation, server"; bits without a name as one number at the end.
func (s ServerType) String() string {
	var names []string
	rest := s
	for i, name := range serverTypes {
		if bit := ServerType(1) << i; s&bit != 0 && name != "" {
			names = append(names, name)
			rest &^= bit
		}
	}
	if rest != 0 || s == 0 {
		names = append(names, fmt.Sprintf("0x%08X", uint32(rest)))
	}
	return strings.Join(names, ", ")
}
