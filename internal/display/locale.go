package display

import (
	"runtime"
	"strings"
)

// Locale returns the name of the locale for dates, such as "de_DE.UTF-8", from
// the environment, which getenv looks up: LC_ALL, else LC_TIME, else LANG, as
// described in POSIX.1-2017, Base Definitions 8.2. It is empty if none is set.
func Locale(getenv func(string) string) string {
	return firstSet(getenv, "LC_ALL", "LC_TIME", "LANG")
}

// IsUTF8 reports whether terminals here take UTF-8, by the character set that
// LC_ALL, else LC_CTYPE, else LANG names. On Windows and macOS they always do.
func IsUTF8(getenv func(string) string) bool {
	return isUTF8(runtime.GOOS, getenv)
}

func isUTF8(goos string, getenv func(string) string) bool {
	if goos == "windows" || goos == "darwin" {
		return true
	}
	_, charset, _ := strings.Cut(firstSet(getenv, "LC_ALL", "LC_CTYPE", "LANG"), ".")
	charset, _, _ = strings.Cut(charset, "@")
	return strings.EqualFold(charset, "UTF-8") || strings.EqualFold(charset, "UTF8")
}

// firstSet returns the first value that is not empty.
func firstSet(getenv func(string) string, names ...string) string {
	for _, name := range names {
		if v := getenv(name); v != "" {
			return v
		}
	}
	return ""
}
