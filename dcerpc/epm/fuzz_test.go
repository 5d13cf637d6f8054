package epm

import (
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/wire/vector"
)

func FuzzParseTower(f *testing.F) {
	for _, v := range append(vector.Load(f, "tower-"), vector.Load(f, "lax-tower-")...) {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tw, err := ParseTower(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("an error of no kind: %v", err)
			}
			if tw != (Tower{}) {
				t.Fatalf("%v with %v", tw, err)
			}
			return
		}
		again, err := tw.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%v cannot be written: %v", tw, err)
		}
		if tw2, err := ParseTower(again); err != nil || tw2 != tw {
			t.Fatalf("%v became %v, %v", tw, tw2, err)
		}
	})
}

func FuzzParseMapRequest(f *testing.F) { fuzz(f, ParseMapRequest, "map-", "big-map-", "lax-map-") }

func FuzzParseMapResponse(f *testing.F) { fuzz(f, ParseMapResponse, "mapped-", "big-mapped-") }

func FuzzParseLookupRequest(f *testing.F) { fuzz(f, ParseLookupRequest, "lookup-", "big-lookup-") }

func FuzzParseLookupResponse(f *testing.F) { fuzz(f, ParseLookupResponse, "entries-", "big-entries-") }

func FuzzParseFreeRequest(f *testing.F) { fuzz(f, ParseFreeRequest, "free-", "big-free-", "lax-free-") }

func FuzzParseFreeResponse(f *testing.F) { fuzz(f, ParseFreeResponse, "freed-", "big-freed-") }

// fuzz reads whatever comes, in either byte order. What is read must come back
// from what is written of it, and an error leaves no value.
func fuzz[T stub](f *testing.F, parse func([]byte, dcerpc.DataRep) (T, error), prefixes ...string) {
	for _, prefix := range prefixes {
		for _, v := range vector.Load(f, prefix) {
			f.Add(v.Bytes, false)
			f.Add(v.Bytes, true)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, bigEndian bool) {
		rep := little
		if bigEndian {
			rep = big
		}
		v, err := parse(b, rep)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("an error of no kind: %v", err)
			}
			var zero T
			if !cmp.Equal(v, zero) {
				t.Fatalf("%+v with %v", v, err)
			}
			return
		}
		again, err := v.AppendBinary(nil, rep)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", v, err)
		}
		if v2, err := parse(again, rep); err != nil || !cmp.Equal(v, v2) {
			t.Fatalf("%+v became %+v, %v", v, v2, err)
		}
	})
}
