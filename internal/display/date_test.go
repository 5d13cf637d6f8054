package display

import (
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-strftime"
)

func TestDateLayout(t *testing.T) {
	afternoon := time.Date(2026, 2, 3, 15, 4, 5, 0, time.UTC)
	for _, test := range []struct{ locale, morning, afternoon string }{
		{"", "11/23/2026 8:40:00 AM", "2/3/2026 3:04:05 PM"},
		{"C", "11/23/2026 8:40:00 AM", "2/3/2026 3:04:05 PM"},
		{"C.UTF-8", "11/23/2026 8:40:00 AM", "2/3/2026 3:04:05 PM"},
		{"POSIX", "11/23/2026 8:40:00 AM", "2/3/2026 3:04:05 PM"},
		{"tlh_QO", "11/23/2026 8:40:00 AM", "2/3/2026 3:04:05 PM"},
		{"en_US.UTF-8", "11/23/2026 8:40:00 AM", "2/3/2026 3:04:05 PM"},
		{"en_GB", "23/11/2026 08:40:00", "03/02/2026 15:04:05"},
		{"en-GB", "23/11/2026 08:40:00", "03/02/2026 15:04:05"},
		{"en_CA", "2026-11-23 8:40:00 AM", "2026-02-03 3:04:05 PM"},
		{"en_AU", "23/11/2026 8:40:00 AM", "3/02/2026 3:04:05 PM"},
		{"de_DE.UTF-8", "23.11.2026 08:40:00", "03.02.2026 15:04:05"},
		{"de_AT@euro", "23.11.2026 08:40:00", "03.02.2026 15:04:05"},
		{"DE", "23.11.2026 08:40:00", "03.02.2026 15:04:05"},
		{"fr", "23/11/2026 08:40:00", "03/02/2026 15:04:05"},
		{"fr_CA", "2026-11-23 08:40:00", "2026-02-03 15:04:05"},
		{"fr_CH", "23.11.2026 08:40:00", "03.02.2026 15:04:05"},
		{"es_ES", "23/11/2026 8:40:00", "03/02/2026 15:04:05"},
		{"nl_NL", "23-11-2026 08:40:00", "3-2-2026 15:04:05"},
		{"fi_FI", "23.11.2026 8.40.00", "3.2.2026 15.04.05"},
		{"hu_HU", "2026. 11. 23. 8:40:00", "2026. 02. 03. 15:04:05"},
		{"ja_JP", "2026/11/23 8:40:00", "2026/02/03 15:04:05"},
		{"ko_KR.eucKR", "2026-11-23 08:40:00", "2026-02-03 15:04:05"},
		{"zh_CN", "2026/11/23 8:40:00", "2026/2/3 15:04:05"},
		{"zh_TW", "2026/11/23 08:40:00", "2026/2/3 15:04:05"},
		{"ru_RU.KOI8-R", "23.11.2026 8:40:00", "03.02.2026 15:04:05"},
		{"ar_EG", "23/11/2026 08:40:00", "03/02/2026 15:04:05"},
	} {
		layout := DateLayout(test.locale)
		if got := strftime.Format(layout, morning); got != test.morning {
			t.Errorf("%q: %q, want %q", test.locale, got, test.morning)
		}
		if got := strftime.Format(layout, afternoon); got != test.afternoon {
			t.Errorf("%q: %q, want %q", test.locale, got, test.afternoon)
		}
	}
}

func TestLayouts(t *testing.T) {
	seen := map[string]string{}
	for _, l := range layouts {
		if other, ok := seen[l.layout]; ok {
			t.Errorf("layout %q is listed twice: for %s and %s", l.layout, other, l.locales)
		}
		seen[l.layout] = l.locales
		if err := checkDateLayout(l.layout); err != nil {
			t.Error(err)
		}
		if strings.Contains(l.layout, "%-I") != strings.HasSuffix(l.layout, " %p") {
			t.Errorf("layout %q mixes the two clocks", l.layout)
		}
		for name := range strings.FieldsSeq(l.locales) {
			if other, ok := seen[name]; ok {
				t.Errorf("locale %s is listed twice: with %q and %q", name, other, l.layout)
			}
			seen[name] = l.layout
		}
	}
}

func TestCheckDateLayout(t *testing.T) {
	const good = "%A %a %B %b %C %c %D %d %e %F %f %G %g %H %h %I %j %k %L %l %M %m %N %n %P %p %Q %R %r %S %s %T %t %U %u %V %v %W %w %X %x %Y %y %Z %z %+ %% %-d %:z %Ey %Od %-OI é"
	if err := checkDateLayout(good); err != nil {
		t.Error(err)
	}
	for verb := range strings.FieldsSeq("%E %J %K %q %i %o %_H %0H %--d %Ed %OY %EEy %é \x25\xff") {
		if checkDateLayout("%H "+verb+" %M") == nil {
			t.Errorf("%q is let through", verb)
		}
	}
}

func TestLocale(t *testing.T) {
	for _, test := range []struct {
		env    string
		locale string
		utf8   bool
	}{
		{"", "", false},
		{"LANG=de_DE.UTF-8", "de_DE.UTF-8", true},
		{"LANG=de_DE.utf8", "de_DE.utf8", true},
		{"LANG=de_DE.UTF-8@euro", "de_DE.UTF-8@euro", true},
		{"LANG=de_DE.ISO-8859-1", "de_DE.ISO-8859-1", false},
		{"LANG=de_DE", "de_DE", false},
		{"LANG=en_US.UTF-8 LC_TIME=en_GB", "en_GB", true},
		{"LANG=en_US.UTF-8 LC_CTYPE=C", "en_US.UTF-8", false},
		{"LANG=en_US.UTF-8 LC_TIME=en_GB LC_CTYPE=en_GB.UTF-8 LC_ALL=C", "C", false},
		{"LANG=fr LC_ALL=C.UTF-8", "C.UTF-8", true},
	} {
		env := map[string]string{}
		for pair := range strings.FieldsSeq(test.env) {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		getenv := func(name string) string { return env[name] }
		if got := Locale(getenv); got != test.locale {
			t.Errorf("%s: locale %q, want %q", test.env, got, test.locale)
		}
		if got := isUTF8("linux", getenv); got != test.utf8 {
			t.Errorf("%s: UTF-8 %v, want %v", test.env, got, test.utf8)
		}
		if !isUTF8("windows", getenv) || !isUTF8("darwin", getenv) {
			t.Errorf("%s: Windows and macOS take UTF-8", test.env)
		}
	}
}
