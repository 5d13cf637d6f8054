package netbios

// uniques and groups are the services of unique names and of group names, by
// suffix, as Microsoft lists them.
var (
	uniques = map[Suffix]string{
		Workstation:   "workstation",
		OldMessenger:  "messenger of old clients",
		Messenger:     "messenger",
		RASServer:     "RAS server",
		DomainMaster:  "domain master browser",
		MasterBrowser: "master browser",
		NetDDE:        "NetDDE",
		FileServer:    "file server",
		RASClient:     "RAS client",
		0x22:          "Exchange interchange",
		0x23:          "Exchange store",
		0x24:          "Exchange directory",
		0x30:          "modem sharing server",
		0x31:          "modem sharing client",
		0x43:          "SMS remote control",
		0x44:          "SMS remote control tool",
		0x45:          "SMS remote chat",
		0x46:          "SMS remote transfer",
		0x6A:          "Exchange IMC",
		0x87:          "Exchange MTA",
		0xBE:          "network monitor agent",
		0xBF:          "network monitor",
	}
	groups = map[Suffix]string{
		Workstation:      "workgroup or domain",
		OldMessenger:     "master browsers",
		DomainController: "domain controllers",
		MasterBrowser:    "master browser",
		Election:         "browser elections",
	}
)

// Service says in a few words what registers a name of this kind, such as
// "file server" for a unique name with suffix <20>; "" if it is not known. Group
// says that it is a group name: the same suffix means something else then.
func (n Name) Service(group bool) string {
	if group {
		return groups[n.Suffix()]
	}
	return uniques[n.Suffix()]
}
