package resolver

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func addrsOf(texts ...string) []netip.Addr {
	var addrs []netip.Addr
	for _, text := range texts {
		addrs = append(addrs, ip(text))
	}
	return addrs
}

// spansOf writes a set as its parts.
func spansOf(r Ranges) string {
	var parts []string
	for _, s := range r.spans {
		parts = append(parts, fmt.Sprintf("%v-%v", address(s.first), address(s.last)))
	}
	return strings.Join(parts, " ")
}

func TestParseRanges(t *testing.T) {
	tests := []struct {
		texts string
		want  string // else the error
		count int
	}{
		{"10.0.0.5", "10.0.0.5-10.0.0.5", 1},
		{"10.0.0.0/24", "10.0.0.1-10.0.0.254", 254},
		{"10.0.0.77/24", "10.0.0.1-10.0.0.254", 254},
		{"10.0.0.0/30", "10.0.0.1-10.0.0.2", 2},
		{"10.0.0.0/31", "10.0.0.0-10.0.0.1", 2},
		{"10.0.0.0/32", "10.0.0.0-10.0.0.0", 1},
		{"10.0.0.0/16", "10.0.0.1-10.0.255.254", 65534},
		{"10.0.0.0/8", "10.0.0.1-10.255.255.254", 1<<24 - 2},
		{"10.0.0.5-20", "10.0.0.5-10.0.0.20", 16},
		{"10.0.0.0-255", "10.0.0.0-10.0.0.255", 256},
		{"10.0.0.5-10.0.1.20", "10.0.0.5-10.0.1.20", 272},
		{"10.0.0.5-10.0.0.5", "10.0.0.5-10.0.0.5", 1},
		{"10.0.0.9 10.0.0.5-7 10.0.0.6-20 10.0.2.1", "10.0.0.5-10.0.0.20 10.0.2.1-10.0.2.1", 17},
		{"10.0.0.5-20 10.0.0.7-9", "10.0.0.5-10.0.0.20", 16},
		{"223.255.255.255 1.0.0.0", "1.0.0.0-1.0.0.0 223.255.255.255-223.255.255.255", 2},
		{"", "", 0},

		{"10.0.0.0/7", `"10.0.0.0/7": a network of less than 8 bits is too large: name the parts of it that are in use`, 0},
		{"10.0.0.0/33", `"10.0.0.0/33": want 8 to 32 bits behind the slash`, 0},
		{"10.0.0.0/", `"10.0.0.0/": want 8 to 32 bits behind the slash`, 0},
		{"10.0.0/24", `"10.0.0" is not an address such as 10.0.0.5`, 0},
		{"10.0.0.256", `"10.0.0.256" is not an address such as 10.0.0.5`, 0},
		{"fe80::1", "fe80::1: NetBIOS has IPv4 addresses only", 0},
		{"10.0.0.20-5", `"10.0.0.20-5": the last address comes before the first`, 0},
		{"10.0.1.1-10.0.0.1", `"10.0.1.1-10.0.0.1": the last address comes before the first`, 0},
		{"10.0.0.5-256", `"10.0.0.5-256": "256" is neither an address nor the last number of one`, 0},
		{"10.0.0.5-", `"10.0.0.5-": "" is neither an address nor the last number of one`, 0},
		{"10.0.0.5-10.0.0", `"10.0.0" is not an address such as 10.0.0.5`, 0},
		{"224.0.0.0/8", "224.0.0.1 to 224.255.255.254: no host has such an address", 0},
		{"0.0.0.0-10.0.0.1", "0.0.0.0 to 10.0.0.1: no host has such an address", 0},
		{"10.0.0.0-12.0.0.0", "more than 16777216 addresses: name the parts that are in use", 0},
		{"10.0.0.0/8 11.0.0.0/8", "more than 16777216 addresses: name the parts that are in use", 0},
	}
	for _, test := range tests {
		r, err := ParseRanges(strings.Fields(test.texts)...)
		got := spansOf(r)
		if err != nil {
			got = err.Error()
		}
		if got != test.want || r.Len() != test.count {
			t.Errorf("%s:\n got %s, %d\nwant %s, %d", test.texts, got, r.Len(), test.want, test.count)
		}
	}
}

func TestRangesIndex(t *testing.T) {
	r, err := ParseRanges("10.0.0.5-7", "10.0.2.1", "10.0.1.0/30")
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]int{
		"10.0.0.4": -1, "10.0.0.5": 0, "10.0.0.7": 2, "10.0.0.8": -1, "10.0.1.0": -1, "10.0.1.1": 3,
		"10.0.1.2": 4, "10.0.1.3": -1, "10.0.2.1": 5, "::ffff:10.0.2.1": 5, "10.0.2.2": -1, "fe80::1": -1,
	} {
		if i, ok := r.index(ip(addr)); ok != (want >= 0) || ok && i != want {
			t.Errorf("index(%s) = %d, %v; want %d", addr, i, ok, want)
		}
	}
	if _, ok := (Ranges{}).index(ip("10.0.0.5")); ok {
		t.Error("the empty set has an address")
	}
	if r, err := RangesOf(addrsOf("10.0.0.7", "10.0.0.5", "10.0.0.7")...); err != nil || spansOf(r) != "10.0.0.5-10.0.0.5 10.0.0.7-10.0.0.7" {
		t.Errorf("RangesOf = %s, %v", spansOf(r), err)
	}
	if r, err := RangesOf(ip("fe80::1")); err == nil {
		t.Errorf("RangesOf = %s of an IPv6 address", spansOf(r))
	}
}

func TestLooksLikeRange(t *testing.T) {
	for text, want := range map[string]bool{
		"10.0.0.5": true, "10.0.0.0/24": true, "10.0.0.5-20": true, "10.0.0.300": true, "10.0.0": true,
		"HOST2": false, "host2.example.com": false, "10": false, "10-20": false, "10.0.0.5x": false, "": false, `"1.2"`: false,
	} {
		if got := LooksLikeRange(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzParseRanges(f *testing.F) {
	f.Add("10.0.0.0/24", "10.0.0.5-20")
	f.Add("10.0.0.5-10.0.1.20", "10.0.0.5")
	f.Fuzz(func(t *testing.T, a, b string) {
		r, err := ParseRanges(a, b)
		if err != nil {
			if r.Len() != 0 {
				t.Errorf("%d addresses beside the error %v", r.Len(), err)
			}
			return
		}
		if r.Len() < 1 || r.Len() > maxAddresses {
			t.Errorf("%q, %q: %d addresses", a, b, r.Len())
		}
		before := 0
		for i, s := range r.spans {
			if s.last < s.first || s.before != before || i > 0 && s.first <= r.spans[i-1].last {
				t.Errorf("%q, %q: %+v", a, b, r.spans)
			}
			before += int(s.last-s.first) + 1
			if n, ok := r.index(address(s.last)); !ok || n != before-1 {
				t.Errorf("%q, %q: the last of %+v is at %d, %v", a, b, s, n, ok)
			}
		}
	})
}
