package netbios

import "testing"

func TestService(t *testing.T) {
	tests := []struct {
		suffix        Suffix
		unique, group string
	}{
		{Workstation, "workstation", "workgroup or domain"},
		{Messenger, "messenger", ""},
		{FileServer, "file server", ""},
		{DomainController, "", "domain controllers"},
		{MasterBrowser, "master browser", "master browser"},
		{Election, "", "browser elections"},
		{0xBF, "network monitor", ""},
		{0x99, "", ""},
	}
	for _, test := range tests {
		name := Name{'A'}.WithSuffix(test.suffix)
		if got := name.Service(false); got != test.unique {
			t.Errorf("%v: %q, want %q", name, got, test.unique)
		}
		if got := name.Service(true); got != test.group {
			t.Errorf("%v of a group: %q, want %q", name, got, test.group)
		}
	}
}
