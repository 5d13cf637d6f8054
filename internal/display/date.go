package display

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ncruces/go-strftime"
)

// layoutUS is how an American Windows writes a date: 11/23/2026 8:40:00 AM.
const layoutUS = "%-m/%-d/%Y %-I:%M:%S %p"

// layouts are the short date and the long time of Windows 10 by locale, with
// the year in four digits and in the Gregorian calendar everywhere. Where
// Windows writes AM and PM in words of the language ("오전", "μμ", "a. m.") the
// hours run from 0 to 23 instead, since strftime here has the English words
// only. A locale without its country stands for all that are not listed with
// theirs.
var layouts = []struct{ layout, locales string }{
	{layoutUS, "en es_US fil"},
	{"%-d/%m/%Y %-I:%M:%S %p", "en_AU en_NZ"},
	{"%-d/%-m/%Y %-I:%M:%S %p", "en_HK en_MY en_SG bn"},
	{"%d/%m/%Y %-I:%M:%S %p", "en_PH ur"},
	{"%Y-%m-%d %-I:%M:%S %p", "en_CA"},
	{"%d/%m/%Y %H:%M:%S", "ar cy en_GB en_IE es_MX fr ga gl he it mt pt sw uz vi"},
	{"%d/%m/%Y %-H:%M:%S", "en_IL es"},
	{"%-d/%m/%Y %H:%M:%S", "es_CO es_PE ms"},
	{"%-d/%m/%Y %-H:%M:%S", "fr_BE nl_BE"},
	{"%-d/%-m/%Y %H:%M:%S", "el es_AR es_VE zh_SG"},
	{"%-d/%-m/%Y %-H:%M:%S", "ca es_EC es_UY th zh_HK"},
	{"%m/%d/%Y %H:%M:%S", "es_PR"},
	{"%d/%m/%Y %H.%M.%S", "id"},
	{"%d-%m-%Y %H:%M:%S", "da en_IN hi sv_FI ta"},
	{"%d-%m-%Y %-H:%M:%S", "es_CL"},
	{"%-d-%-m-%Y %H:%M:%S", "nl"},
	{"%d.%m.%Y %H:%M:%S", "az be de et fr_CH hy it_CH ka kk lb lv nb nn no pl ro"},
	{"%d.%m.%Y %-H:%M:%S", "cs ru uk"},
	{"%d.%-m.%Y %H:%M:%S", "mk"},
	{"%-d.%m.%Y %H:%M:%S", "tr"},
	{"%-d.%-m.%Y %H:%M:%S", "is sq"},
	{"%-d.%-m.%Y %-H:%M:%S", "bg"},
	{"%-d.%-m.%Y %-H.%M.%S", "fi"},
	{"%-d.%-m.%Y. %-H:%M:%S", "hr"},
	{"%-d.%-m.%Y. %H:%M:%S", "sr"},
	{"%-d. %-m. %Y %-H:%M:%S", "sk"},
	{"%-d. %-m. %Y. %H:%M:%S", "bs"},
	{"%-d. %m. %Y %H:%M:%S", "sl"},
	{"%Y-%m-%d %H:%M:%S", "af en_DK fr_CA ko lt sv"}, // en_DK: not Windows, but whoever chooses it wants this
	{"%Y. %m. %d. %-H:%M:%S", "hu"},
	{"%Y/%m/%d %H:%M:%S", "en_ZA"},
	{"%Y/%m/%d %-H:%M:%S", "ja"},
	{"%Y/%-m/%-d %-H:%M:%S", "zh"},
	{"%Y/%-m/%-d %H:%M:%S", "eu zh_TW"},
}

// DateLayout returns the strftime layout by which a locale such as
// "de_DE.UTF-8", "en-GB" or "fr" writes a date and its time. "C", "POSIX", ""
// and a locale that it does not know get the layout of an American Windows.
func DateLayout(locale string) string {
	if i := strings.IndexAny(locale, ".@"); i >= 0 {
		locale = locale[:i]
	}
	locale = strings.ReplaceAll(locale, "-", "_")
	language, _, _ := strings.Cut(locale, "_")
	for _, name := range []string{locale, language} {
		for _, l := range layouts {
			for known := range strings.FieldsSeq(l.locales) {
				if strings.EqualFold(name, known) {
					return l.layout
				}
			}
		}
	}
	return layoutUS
}

// checkDateLayout returns an error that names the first verb of a strftime
// layout that cannot be formatted.
func checkDateLayout(layout string) error {
	for i := 0; i < len(layout); i++ {
		if layout[i] != '%' {
			continue
		}
		start := i
		for i++; i < len(layout) && strings.IndexByte("-:EO", layout[i]) >= 0; i++ { // flags and modifiers
		}
		if i == len(layout) {
			return fmt.Errorf("date layout %q: %q at its end lacks a verb; write %%%% for a percent sign", layout, layout[start:])
		}
		_, size := utf8.DecodeRuneInString(layout[i:])
		// The formatter passes what it does not know through as it is.
		if verb := layout[start : i+size]; strftime.Format(verb, time.Time{}) == verb {
			return fmt.Errorf("date layout %q: unknown verb %s; the verbs are those of strftime", layout, verb)
		}
	}
	return nil
}
