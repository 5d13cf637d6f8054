package messngr_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/messngr/messngr"
)

// TestIDLayout: the fields are where RFC 9562 5.7 has them.
func TestIDLayout(t *testing.T) {
	now := time.Now()
	id := messngr.NewID(now)
	var millis int64
	for _, b := range id[:6] {
		millis = millis<<8 | int64(b)
	}
	// Earlier tests of this process may have borrowed from the next milliseconds.
	if ahead := millis - now.UnixMilli(); ahead < 0 || ahead > 100 {
		t.Errorf("unix_ts_ms is %d, want %d", millis, now.UnixMilli())
	}
	if ver := id[6] >> 4; ver != 7 {
		t.Errorf("ver is %d, want 7", ver)
	}
	if variant := id[8] >> 6; variant != 0b10 {
		t.Errorf("var is %02b, want 10", variant)
	}
}

// TestIDsGrow: within a millisecond, past the 4,096 that fit one, and when the
// clock is set back, each ID is larger than the one before.
func TestIDsGrow(t *testing.T) {
	now := time.Now()
	last := messngr.NewID(now)
	for i := range 3 * 4096 {
		if i == 2*4096 {
			now = now.Add(-time.Hour)
		}
		id := messngr.NewID(now)
		if slices.Compare(id[:], last[:]) <= 0 {
			t.Fatalf("ID %d, %v, is not larger than %v", i, id, last)
		}
		last = id
	}
}

func TestIDsDiffer(t *testing.T) {
	const makers, each = 8, 2000
	ids := make([][]messngr.ID, makers)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			for range each {
				ids[i] = append(ids[i], messngr.NewID(time.Now()))
			}
		})
	}
	wg.Wait()
	seen := map[messngr.ID]bool{}
	for _, id := range slices.Concat(ids...) {
		if seen[id] {
			t.Fatalf("%v was made twice", id)
		}
		seen[id] = true
	}
	if len(seen) != makers*each {
		t.Errorf("%d IDs, want %d", len(seen), makers*each)
	}
	tails := map[string]bool{} // rand_b: without it two processes could make the same
	for id := range seen {
		tails[string(id[8:])] = true
	}
	if len(tails) < len(seen) {
		t.Errorf("%d IDs have only %d random parts", len(seen), len(tails))
	}
}

const idText = "01a2080f-9dbf-7000-bb17-6b602aa0c0db"

var idValue = messngr.ID{0x01, 0xa2, 0x08, 0x0f, 0x9d, 0xbf, 0x70, 0x00, 0xbb, 0x17, 0x6b, 0x60, 0x2a, 0xa0, 0xc0, 0xdb}

func TestIDText(t *testing.T) {
	if got := idValue.String(); got != idText {
		t.Errorf("String gives %s, want %s", got, idText)
	}
	if b, err := idValue.AppendText([]byte("foo")); err != nil || string(b) != "foo"+idText {
		t.Errorf("AppendText gives %s, %v", b, err)
	}
	if got, err := messngr.ParseID(idText); err != nil || got != idValue {
		t.Errorf("ParseID gives %v, %v", got, err)
	}
	b, err := json.Marshal(idValue)
	if err != nil || string(b) != `"`+idText+`"` {
		t.Errorf("as JSON: %s, %v", b, err)
	}
	var id messngr.ID
	if err := json.Unmarshal(b, &id); err != nil || id != idValue {
		t.Errorf("from JSON: %v, %v", id, err)
	}
}

func TestParseIDRefuses(t *testing.T) {
	for _, s := range []string{
		"",
		idText[:35],
		idText + "0",
		strings.ReplaceAll(idText, "-", ""),
		strings.ReplaceAll(idText, "-", "0"),
		strings.Replace(idText, "-", "0", 1),
		"{" + idText[1:35] + "}",
		strings.Replace(idText, "a", "g", 1),
		strings.Replace(idText, "0", "é", 1)[:36],
	} {
		id := idValue
		if err := id.UnmarshalText([]byte(s)); !errors.Is(err, messngr.ErrInvalidID) || id != (messngr.ID{}) {
			t.Errorf("%q gives %v, %v", s, id, err)
		}
	}
}

// FuzzParseID: what ParseID takes is what String writes, but for the case.
func FuzzParseID(f *testing.F) {
	f.Add(idText)
	f.Add(strings.ToUpper(idText))
	f.Add(strings.Repeat("-", 36))
	f.Fuzz(func(t *testing.T, s string) {
		id, err := messngr.ParseID(s)
		switch {
		case err != nil && (!errors.Is(err, messngr.ErrInvalidID) || id != messngr.ID{}):
			t.Errorf("%q gives %v, %v", s, id, err)
		case err == nil && id.String() != strings.ToLower(s):
			t.Errorf("%q becomes %v", s, id)
		}
	})
}
