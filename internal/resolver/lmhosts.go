package resolver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/messngr/messngr/netbios"
)

// LMHosts is what LMHOSTS files say: [MS-NBTE] 2.2.3. Its zero value is empty.
type LMHosts struct {
	// exact are the names with a suffix, plain those without, under <00>.
	exact, plain map[netbios.Name]netip.Addr
}

// Lookup returns the address of a name. A line without a suffix is about a
// computer or a user: it answers for <00>, <03> and <20>. Of several lines with
// the same name, the first counts.
func (h LMHosts) Lookup(name netbios.Name) (netip.Addr, bool) {
	if addr, ok := h.exact[name]; ok {
		return addr, true
	}
	switch name.Suffix() {
	case netbios.Workstation, netbios.Messenger, netbios.FileServer:
		addr, ok := h.plain[name.WithSuffix(0)]
		return addr, ok
	}
	return netip.Addr{}, false
}

// Bounds on what is read, so that files which include each other come to an end.
const (
	maxIncludeDepth = 8
	maxIncludeFiles = 64
)

// ReadLMHosts reads LMHOSTS files, the first before the others. A file that is
// not there is no error. The error joins one for each bad line, as
// file:line: what is wrong, what to do; the good lines count all the same.
//
// A line has an address, a name, and keywords:
//
//	10.77.0.2  HOST2                      # a comment
//	10.77.0.2  HOST2#03                   # only this suffix
//	10.77.0.2  "HOST2          \0x03"     # the same
//	10.77.0.3  DC1  #PRE #DOM:SALES       # also a domain controller: SALES<1C>
//	#INCLUDE more.txt
//
// Between #BEGIN_ALTERNATE and #END_ALTERNATE the first file that can be read
// is included. #PRE and #MH change nothing here: all is kept in memory, and a
// name has the address of its first line. The bytes of a name are taken as they
// are, so a file must be in the code page of the network.
func ReadLMHosts(paths ...string) (LMHosts, error) {
	p := lmhostsReader{
		hosts: LMHosts{exact: make(map[netbios.Name]netip.Addr), plain: make(map[netbios.Name]netip.Addr)},
		open:  func(path string) (io.ReadCloser, error) { return os.Open(path) },
	}
	for _, path := range paths {
		if err := p.file(path, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.errs = append(p.errs, err)
		}
	}
	return p.hosts, errors.Join(p.errs...)
}

type lmhostsReader struct {
	hosts LMHosts
	open  func(path string) (io.ReadCloser, error)
	files int // opened so far
	errs  []error
}

// file reads one file. Its error says that the file could not be read; errors
// in it are kept in p.errs.
func (p *lmhostsReader) file(path string, depth int) error {
	if p.files++; p.files > maxIncludeFiles || depth > maxIncludeDepth {
		return fmt.Errorf("%s is not read: no more than %d files, %d deep, are; see whether they include each other", path, maxIncludeFiles, maxIncludeDepth)
	}
	f, err := p.open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p.lines(path, f, depth)
	return nil
}

func (p *lmhostsReader) lines(path string, r io.Reader, depth int) {
	var alternate struct { // of #BEGIN_ALTERNATE
		begun int // its line, zero outside
		done  bool
		errs  []error
	}
	line := 0
	fail := func(format string, args ...any) {
		p.errs = append(p.errs, fmt.Errorf("%s:%d: %w", path, line, fmt.Errorf(format, args...)))
	}
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		line++
		text := trim(strings.TrimPrefix(scanner.Text(), "\uFEFF"))
		keyword, argument := cut(text)
		switch strings.ToUpper(keyword) {
		case "#BEGIN_ALTERNATE":
			if alternate.begun != 0 {
				fail("#BEGIN_ALTERNATE within that of line %d: end that one before", alternate.begun)
			}
			alternate.begun, alternate.done, alternate.errs = line, false, nil
		case "#END_ALTERNATE":
			if alternate.begun == 0 {
				fail("#END_ALTERNATE without #BEGIN_ALTERNATE: remove it")
			} else if !alternate.done && alternate.errs != nil {
				fail("none of the alternates can be read: %w", errors.Join(alternate.errs...))
			}
			alternate.begun = 0
		case "#INCLUDE":
			if alternate.begun != 0 && alternate.done {
				continue
			}
			err := p.include(path, argument, depth)
			if alternate.begun == 0 && err != nil {
				fail("#INCLUDE: %w", err)
			}
			alternate.done = err == nil
			alternate.errs = append(alternate.errs, err)
		default:
			if text == "" || text[0] == '#' {
				continue
			}
			if err := p.entry(text); err != nil {
				fail("%w", err)
			}
		}
	}
	line++
	if err := scanner.Err(); err != nil {
		fail("%w", err)
	}
	if alternate.begun != 0 {
		line = alternate.begun
		fail("#BEGIN_ALTERNATE without #END_ALTERNATE: add it")
	}
}

// include reads the file that an #INCLUDE line names; its place is relative to
// that of the file with the line.
func (p *lmhostsReader) include(from, path string, depth int) error {
	switch {
	case path == "":
		return errors.New("no file: name one")
	case strings.HasPrefix(path, `\\`):
		return fmt.Errorf("%s: only local files are read: copy it here", path)
	case !filepath.IsAbs(path):
		path = filepath.Join(filepath.Dir(from), path)
	}
	return p.file(path, depth+1)
}

// entry reads a line with an address.
func (p *lmhostsReader) entry(text string) error {
	first, rest := cut(text)
	addr, err := netip.ParseAddr(first)
	if err != nil || !addr.Is4() {
		return fmt.Errorf("%q is no IPv4 address: begin a line with one, or with # if it is a comment", first)
	}
	if rest == "" || rest[0] == '#' {
		return fmt.Errorf("no name behind %s: add one", first)
	}
	name, exact, rest, err := lmhostsName(rest)
	if err != nil {
		return err
	}
	for rest != "" {
		var word string
		word, rest = cut(rest)
		word = strings.ToUpper(word)
		domain, isDomain := strings.CutPrefix(word, "#DOM:")
		switch {
		case word == "#PRE" || word == "#MH":
		case isDomain:
			group, err := netbios.NewName(domain, netbios.DomainController)
			if err != nil {
				return fmt.Errorf("#DOM: %w", err)
			}
			addOnce(p.hosts.exact, group, addr)
		case word[0] == '#':
			rest = "" // a comment
		default:
			return fmt.Errorf("%q behind the name: begin a comment with #, put a name with blanks in quotes", word)
		}
	}
	if exact {
		addOnce(p.hosts.exact, name, addr)
	} else {
		addOnce(p.hosts.plain, name, addr)
	}
	return nil
}

func addOnce(m map[netbios.Name]netip.Addr, name netbios.Name, addr netip.Addr) {
	if _, ok := m[name]; !ok {
		m[name] = addr
	}
}

// lmhostsName reads the name at the start of text and returns what follows.
// Exact says that the name has a suffix: one of Samba's form HOST2#03, or the
// 16th byte of a name in quotes.
func lmhostsName(text string) (name netbios.Name, exact bool, rest string, err error) {
	if text[0] == '"' {
		quoted, rest, ok := strings.Cut(text[1:], `"`)
		if !ok {
			return name, false, "", errors.New("a name without its closing quote: add it")
		}
		name, exact, err = quotedName(quoted)
		return name, exact, trim(rest), err
	}
	word, rest := cut(text)
	base, tag, tagged := strings.Cut(word, "#")
	suffix := uint64(0)
	if tagged {
		switch upper := strings.ToUpper(tag); {
		case upper == "PRE" || upper == "MH" || strings.HasPrefix(upper, "DOM:"):
			rest = "#" + tag + " " + rest
		default:
			if suffix, err = strconv.ParseUint(tag, 16, 8); err != nil {
				return name, false, "", fmt.Errorf("%q: want two hexadecimal digits behind the #, or a blank before a comment", word)
			}
			exact = true
		}
	}
	name, err = netbios.NewName(base, netbios.Suffix(suffix))
	return name, exact, rest, err
}

// quotedName reads what stands in quotes: bytes, of which \0xNN stands for the
// one with that number; the 16th is the suffix.
func quotedName(quoted string) (name netbios.Name, exact bool, err error) {
	var b []byte
	endsInNumber := false
	for rest := quoted; rest != ""; {
		endsInNumber = len(rest) >= len(`\0xNN`) && strings.EqualFold(rest[:3], `\0x`)
		if !endsInNumber {
			b, rest = append(b, rest[0]), rest[1:]
			continue
		}
		n, err := strconv.ParseUint(rest[3:5], 16, 8)
		if err != nil {
			return name, false, fmt.Errorf(`"%s": want two hexadecimal digits behind \0x`, quoted)
		}
		b, rest = append(b, byte(n)), rest[5:]
	}
	suffix := netbios.Workstation
	switch {
	case len(b) == len(name):
		b, suffix, exact = b[:netbios.MaxBase], netbios.Suffix(b[netbios.MaxBase]), true
	case len(b) < len(name) && endsInNumber:
		return name, false, fmt.Errorf(`"%s": a suffix at byte %d: fill up with blanks, so that it is the 16th`, quoted, len(b))
	}
	name, err = netbios.NewName(string(b), suffix)
	return name, exact, err
}

// blanks separate words. The last one ends DOS files.
const blanks = " \t\r\x1a"

func trim(s string) string { return strings.Trim(s, blanks) }

// cut returns the first word of s and what is behind the blanks after it.
func cut(s string) (word, rest string) {
	if i := strings.IndexAny(s, blanks); i >= 0 {
		return s[:i], strings.TrimLeft(s[i:], blanks)
	}
	return s, ""
}
