package oem

import (
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
)

func mustLookup(t testing.TB, number int) *Page {
	t.Helper()
	p, err := Lookup(number)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLookup(t *testing.T) {
	want := []int{
		437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874, 932, 936, 949, 950,
		1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258, 28591, 65001,
	}
	if diff := cmp.Diff(want, Numbers()); diff != "" {
		t.Errorf("Numbers (-want +got):\n%s", diff)
	}
	for _, number := range want {
		p, err := Lookup(number)
		if err != nil || p.Number() != number {
			t.Errorf("Lookup(%d) = %v, %v", number, p, err)
		}
	}
	mustLookup(t, Default)
	for _, number := range []int{-1, 0, 851, 65000} {
		p, err := Lookup(number)
		if err == nil || !strings.Contains(err.Error(), "choose one of 437 720 ") || !strings.HasSuffix(err.Error(), " 65001") {
			t.Errorf("Lookup(%d) = %v, %v; want an error that names the pages", number, p, err)
		}
	}
}

func TestConcurrentFirstUse(t *testing.T) {
	var fresh [2]Page
	fresh[0].source, fresh[1].source = source{upper: upper737}, source{double: &page932}
	want := [2]string{"Αé", "亜あ"}
	var wg sync.WaitGroup
	for range 8 {
		for i := range fresh {
			wg.Go(func() {
				b, lost := fresh[i].EncodeText(want[i], CRLF)
				got, err := fresh[i].DecodeText(b, 100)
				if i == 0 && got != "Α?" || i == 1 && got != "亜あ" || lost != 1-i || err != nil {
					t.Errorf("%q became %q, %d lost, %v", want[i], got, lost, err)
				}
			})
		}
	}
	wg.Wait()
}

// A page has no tables before it is used, and small ones after.
func TestTableMemory(t *testing.T) {
	for _, tt := range []struct {
		source source
		limit  int // bytes
	}{
		{source{charmap: charmap.CodePage850}, 2 << 10},
		{source{upper: upper737}, 2 << 10},
		{source{double: &page936}, 160 << 10},
	} {
		p := Page{source: tt.source}
		p.DecodeName([]byte("A"))
		if p.encode != nil {
			t.Error("decoding made the table for encoding")
		}
		p.encodeTable()
		size := int(unsafe.Sizeof(*p.decode)) + 2*cap(p.decode.two) + 4*cap(p.encode)
		if size > tt.limit {
			t.Errorf("tables take %d bytes, want at most %d", size, tt.limit)
		}
	}
}
