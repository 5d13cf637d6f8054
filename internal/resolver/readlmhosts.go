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
	"strings"

	"github.com/messngr/messngr/netbios"
)

const (
	// maxIncludeDepth and maxIncludeFiles bound what is read.
	maxIncludeDepth = 8
	maxIncludeFiles = 64
	// maxProblems is how many bad lines are told of: who has more has another
	// file than he thinks.
	maxProblems = 10
)

// ReadLMHosts reads LMHOSTS files, the first before the others. A file that is
// not there is no error. The error joins one for each bad line, ten at most, as
// file:line: what is wrong, what to do; the good lines count all the same. A file
// is read once, however often it is named.
//
// A line has an address, a name, and keywords:
//
//	10.77.0.2  HOST2                      # a comment
//	10.77.0.2  HOST2#03                   # only this suffix
//	10.77.0.2  "HOST2          \0x03"     # the same
//	10.77.0.3  DC1  #PRE #DOM:SALES       # also a domain controller: SALES<1C>
//	10.77.0.4  HOST4  #MH                 # one host with several addresses
//	10.77.1.4  HOST4  #MH
//	#INCLUDE more.txt
//
// Between #BEGIN_ALTERNATE and #END_ALTERNATE the first file that can be read
// is included. #PRE matters where the LMHOSTS file is not asked first: such a
// line is known before anybody is asked, as it is in the cache of Windows. The
// bytes of a name are taken as they are, so a file must be in the code page of
// the network.
func ReadLMHosts(paths ...string) (LMHosts, error) {
	p := newLMHostsReader(func(path string) (io.ReadCloser, error) { return os.Open(path) })
	for _, path := range paths {
		if err := p.file(path, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.fail(err)
		}
	}
	return p.hosts, p.problems()
}

type lmhostsReader struct {
	hosts LMHosts
	open  func(path string) (io.ReadCloser, error)
	files map[string]bool // opened so far; true: to their end
	errs  []error         // at most maxProblems
	more  int             // that are not in errs
}

func newLMHostsReader(open func(path string) (io.ReadCloser, error)) *lmhostsReader {
	return &lmhostsReader{
		hosts: LMHosts{exact: make(map[netbios.Name]hostsEntry), plain: make(map[netbios.Name]hostsEntry)},
		open:  open,
		files: make(map[string]bool),
	}
}

func (p *lmhostsReader) fail(err error) {
	if len(p.errs) == maxProblems {
		p.more++
		return
	}
	p.errs = append(p.errs, err)
}

// problems returns what was wrong, nil if nothing was.
func (p *lmhostsReader) problems() error {
	errs := p.errs
	if p.more > 0 {
		errs = append(errs, fmt.Errorf("and %d more lines like these", p.more))
	}
	return errors.Join(errs...)
}

// file reads one file. Its error says that the file could not be read; errors
// in it are kept in p.errs.
func (p *lmhostsReader) file(path string, depth int) error {
	path = filepath.Clean(path)
	switch read, begun := p.files[path]; {
	case read:
		return nil
	case begun:
		return fmt.Errorf("%s includes itself: remove the line", path)
	case len(p.files) >= maxIncludeFiles || depth > maxIncludeDepth:
		return fmt.Errorf("%s is not read: no more than %d files, %d deep, are", path, maxIncludeFiles, maxIncludeDepth)
	}
	f, err := p.open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p.files[path] = false
	p.lines(path, f, depth)
	p.files[path] = true
	return nil
}

func (p *lmhostsReader) lines(path string, r io.Reader, depth int) {
	var alternate struct { // of #BEGIN_ALTERNATE
		begun int // its line, zero outside
		done  bool
		errs  []error
	}
	at := place{path, 0}
	fail := func(format string, args ...any) {
		p.fail(fmt.Errorf("%v: %w", at, fmt.Errorf(format, args...)))
	}
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		at.line++
		text := trim(strings.TrimPrefix(scanner.Text(), "\uFEFF"))
		keyword, argument := cut(text)
		switch strings.ToUpper(keyword) {
		case "#BEGIN_ALTERNATE":
			if alternate.begun != 0 {
				fail("#BEGIN_ALTERNATE within that of line %d: end that one before", alternate.begun)
			}
			alternate.begun, alternate.done, alternate.errs = at.line, false, nil
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
			if err := p.entry(at, text); err != nil {
				fail("%w", err)
			}
		}
	}
	at.line++
	if err := scanner.Err(); err != nil {
		fail("%w", err)
	}
	if alternate.begun != 0 {
		at.line = alternate.begun
		fail("#BEGIN_ALTERNATE without #END_ALTERNATE: add it")
	}
}

// include reads the file that an #INCLUDE line names; its place is relative to
// that of the file with the line.
func (p *lmhostsReader) include(from, path string, depth int) error {
	if quoted, ok := strings.CutPrefix(path, `"`); ok {
		path, _, _ = strings.Cut(quoted, `"`)
	} else if i := strings.Index(path, "#"); i > 0 && strings.Contains(blanks, path[i-1:i]) {
		path = trim(path[:i]) // before a comment
	}
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
func (p *lmhostsReader) entry(at place, text string) error {
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
	var pre, many bool
	var domains []netbios.Name
	for rest != "" {
		var word string
		word, rest = cut(rest)
		word = strings.ToUpper(word)
		domain, isDomain := strings.CutPrefix(word, "#DOM:")
		switch {
		case word == "#PRE":
			pre = true
		case word == "#MH":
			many = true
		case isDomain:
			group, err := netbios.NewName(domain, netbios.DomainController)
			if err != nil {
				return fmt.Errorf("#DOM: %w", err)
			}
			domains = append(domains, group)
		case word[0] == '#':
			rest = "" // a comment
		default:
			return fmt.Errorf("%q behind the name: begin a comment with #, put a name with blanks in quotes", word)
		}
	}
	for _, domain := range domains {
		add(p.hosts.exact, domain, addr, at, pre, true)
	}
	if exact {
		// The lines of one domain's <1C> are its controllers.
		add(p.hosts.exact, name, addr, at, pre, many || name.Suffix() == netbios.DomainController)
	} else {
		add(p.hosts.plain, name, addr, at, pre, many)
	}
	return nil
}

// lmhostsName reads the name at the start of text and returns what follows.
// Exact says that the name has a suffix: one of Samba's form HOST2#03, or the
// 16th byte of a name in quotes.
func lmhostsName(text string) (name netbios.Name, exact bool, rest string, err error) {
	if text[0] == '"' {
		return quotedName(text)
	}
	word, rest := cut(text)
	base, tag, tagged := strings.Cut(word, "#")
	suffix := netbios.Workstation
	if tagged {
		switch upper := strings.ToUpper(tag); {
		case upper == "PRE" || upper == "MH" || strings.HasPrefix(upper, "DOM:"):
			rest = "#" + tag + " " + rest
		default:
			if suffix, exact = parseSuffix(tag); !exact {
				return name, false, "", fmt.Errorf("%q: want two hexadecimal digits behind the #, or a blank before a comment", word)
			}
		}
	}
	name, err = netbios.NewName(base, suffix)
	return name, exact, rest, err
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
