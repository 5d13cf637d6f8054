package resolver

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/messngr/messngr/netbios"
)

// ParseQuery reads what a person wrote for a host: a name, a name with its
// suffix, as HOST2#20 or HOST2<20>, a name in the quotes of LMHOSTS files,
// "HOST2          \0x20", or a host name. Encode puts text in the code page of
// the network, in upper case. Otherwise is the suffix of a name that has none.
//
// What it returns is for Resolver.Resolve. A host name whose first label is no
// NetBIOS name has the zero Name.
func ParseQuery(text string, otherwise netbios.Suffix, encode func(string) ([]byte, error)) (name netbios.Name, host string, err error) {
	if strings.HasPrefix(text, `"`) {
		b, err := encode(text)
		if err != nil {
			return netbios.Name{}, "", err
		}
		name, exact, rest, err := quotedName(string(b))
		switch {
		case err != nil:
			return netbios.Name{}, "", err
		case rest != "":
			return netbios.Name{}, "", fmt.Errorf("%q behind the name in quotes: remove it", rest)
		case !exact:
			name = name.WithSuffix(otherwise)
		}
		return name, "", nil
	}
	host, suffix := text, otherwise
	if i := strings.LastIndexAny(text, "#<"); i >= 0 {
		tag, closed := strings.CutSuffix(text[i+1:], ">")
		var ok bool
		if suffix, ok = parseSuffix(tag); !ok || closed != (text[i] == '<') {
			return netbios.Name{}, "", fmt.Errorf("%q: want two hexadecimal digits behind the %c, such as HOST2#20", text, text[i])
		}
		host = text[:i]
	}
	label, _, isHost := strings.Cut(host, ".")
	b, err := encode(label)
	switch {
	case err != nil:
	case len(b) == 0:
		err = errors.New("the name is empty")
	case b[0] == '*':
		err = fmt.Errorf("%q is nobody's name", label)
	default:
		name, err = netbios.NewName(string(b), suffix)
	}
	if err != nil && isHost && label != "" {
		return netbios.Name{}, host, nil
	}
	return name, host, err
}

// parseSuffix reads one or two hexadecimal digits.
func parseSuffix(digits string) (netbios.Suffix, bool) {
	n, err := strconv.ParseUint(digits, 16, 8)
	return netbios.Suffix(n), err == nil
}

// quotedName reads a name in quotes at the start of text and returns what
// follows: bytes, of which \0xNN stands for the one with that number; the 16th
// is the suffix.
func quotedName(text string) (name netbios.Name, exact bool, rest string, err error) {
	quoted, rest, ok := strings.Cut(text[1:], `"`)
	if !ok {
		return name, false, "", errors.New("a name without its closing quote: add it")
	}
	var b []byte
	endsInNumber := false
	for todo := quoted; todo != ""; {
		endsInNumber = len(todo) >= len(`\0xNN`) && strings.EqualFold(todo[:3], `\0x`)
		if !endsInNumber {
			b, todo = append(b, todo[0]), todo[1:]
			continue
		}
		n, err := strconv.ParseUint(todo[3:5], 16, 8)
		if err != nil {
			return name, false, "", fmt.Errorf(`"%s": want two hexadecimal digits behind \0x`, quoted)
		}
		b, todo = append(b, byte(n)), todo[5:]
	}
	suffix := netbios.Workstation
	switch {
	case len(b) == len(name):
		b, suffix, exact = b[:netbios.MaxBase], netbios.Suffix(b[netbios.MaxBase]), true
	case len(b) < len(name) && endsInNumber:
		return name, false, "", fmt.Errorf(`"%s": a suffix at byte %d: fill up with blanks, so that it is the 16th`, quoted, len(b))
	}
	name, err = netbios.NewName(string(b), suffix)
	return name, exact, trim(rest), err
}
