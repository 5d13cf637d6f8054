package resolver

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxAddresses is the most addresses of one scan: those of a /8.
const maxAddresses = 1 << 24

// Ranges is a set of IPv4 addresses. Its zero value is empty.
type Ranges struct {
	spans []span // in order, apart from each other
	count int
}

// A span is the addresses from first to last, both in it.
type span struct {
	first, last uint32
	before      int // addresses in the spans before it
}

// LooksLikeRange reports whether a text is meant for ParseRanges and not as a
// name: it has digits, dots, dashes and slashes, and at least one dot.
func LooksLikeRange(text string) bool {
	return strings.Contains(text, ".") && strings.Trim(text, "0123456789.-/") == ""
}

// ParseRanges reads addresses, networks and ranges:
//
//	10.0.0.5
//	10.0.0.0/24            without the first and the last, which are no host's
//	10.0.0.5-20
//	10.0.0.5-10.0.1.20
//
// An address that is in several of them is there once.
func ParseRanges(texts ...string) (Ranges, error) {
	var spans []span
	for _, text := range texts {
		s, err := parseSpan(text)
		if err != nil {
			return Ranges{}, err
		}
		spans = append(spans, s)
	}
	return newRanges(spans)
}

// RangesOf returns the set of the addresses, which are IPv4.
func RangesOf(addrs ...netip.Addr) (Ranges, error) {
	spans := make([]span, len(addrs))
	for i, a := range addrs {
		n, err := number(a)
		if err != nil {
			return Ranges{}, err
		}
		spans[i] = span{first: n, last: n}
	}
	return newRanges(spans)
}

// Len returns the number of addresses.
func (r Ranges) Len() int { return r.count }

func parseSpan(text string) (span, error) {
	if base, bits, ok := strings.Cut(text, "/"); ok {
		return parseNetwork(text, base, bits)
	}
	from, to, ranged := strings.Cut(text, "-")
	first, err := parseNumber(from)
	if err != nil {
		return span{}, err
	}
	last := first
	if ranged && strings.Contains(to, ".") {
		last, err = parseNumber(to)
	} else if ranged {
		var n uint64
		n, err = strconv.ParseUint(to, 10, 8)
		if last = first&^0xFF | uint32(n); err != nil {
			err = fmt.Errorf("%q: %q is neither an address nor the last number of one", text, to)
		}
	}
	if err == nil && last < first {
		err = fmt.Errorf("%q: the last address comes before the first", text)
	}
	return span{first: first, last: last}, err
}

func parseNetwork(text, base, bits string) (span, error) {
	first, err := parseNumber(base)
	if err != nil {
		return span{}, err
	}
	n, err := strconv.ParseUint(bits, 10, 8)
	if err != nil || n > 32 {
		return span{}, fmt.Errorf("%q: want 8 to 32 bits behind the slash", text)
	}
	if n < 8 {
		return span{}, fmt.Errorf("%q: a network of less than 8 bits is too large: name the parts of it that are in use", text)
	}
	rest := ^uint32(0) >> n
	first &^= rest
	last := first | rest
	if n < 31 { // RFC 3021: 31 bits leave no other addresses
		first++
		last--
	}
	return span{first: first, last: last}, nil
}

func parseNumber(text string) (uint32, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not an address such as 10.0.0.5", text)
	}
	return number(addr)
}

// number returns a host's address as a number.
func number(a netip.Addr) (uint32, error) {
	if a = a.Unmap(); !a.Is4() {
		return 0, fmt.Errorf("%s: NetBIOS has IPv4 addresses only", a)
	}
	b := a.As4()
	return binary.BigEndian.Uint32(b[:]), nil
}

func address(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

// Addresses below and above which there are no hosts.
const (
	firstHost = 0x01000000 // 1.0.0.0
	lastHost  = 0xDFFFFFFF // 223.255.255.255
)

// newRanges orders spans and joins those that meet.
func newRanges(spans []span) (Ranges, error) {
	slices.SortFunc(spans, func(a, b span) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	var r Ranges
	for _, s := range spans {
		if s.first < firstHost || s.last > lastHost {
			return Ranges{}, fmt.Errorf("%s to %s: no host has such an address", address(s.first), address(s.last))
		}
		if n := len(r.spans); n > 0 && s.first <= r.spans[n-1].last {
			r.spans[n-1].last = max(r.spans[n-1].last, s.last)
			continue
		}
		r.spans = append(r.spans, s)
	}
	for i, s := range r.spans {
		r.spans[i].before = r.count
		if r.count += int(s.last-s.first) + 1; r.count > maxAddresses {
			return Ranges{}, fmt.Errorf("more than %d addresses: name the parts that are in use", maxAddresses)
		}
	}
	return r, nil
}

// index returns the place of an address in the set.
func (r Ranges) index(a netip.Addr) (int, bool) {
	n, err := number(a)
	if err != nil {
		return 0, false
	}
	i, ok := slices.BinarySearchFunc(r.spans, n, func(s span, n uint32) int {
		switch {
		case s.last < n:
			return -1
		case s.first > n:
			return 1
		}
		return 0
	})
	if !ok {
		return 0, false
	}
	s := r.spans[i]
	return s.before + int(n-s.first), true
}
