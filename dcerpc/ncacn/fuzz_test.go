package ncacn

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/wire/vector"
)

func FuzzParseHeader(f *testing.F) { fuzz(f, ParseHeader, "header-") }

func FuzzParseBind(f *testing.F) { fuzz(f, ParseBind, "bind-") }

func FuzzParseBindAck(f *testing.F) { fuzz(f, ParseBindAck, "ack-") }

func FuzzParseBindNak(f *testing.F) { fuzz(f, ParseBindNak, "nak-", "lax-nak-") }

func FuzzParseRequest(f *testing.F) { fuzz(f, ParseRequest, "request-") }

func FuzzParseResponse(f *testing.F) { fuzz(f, ParseResponse, "response-") }

func FuzzParseFault(f *testing.F) { fuzz(f, ParseFault, "fault-", "lax-fault-") }

// fuzz reads whatever comes. What is read must come back from what is written
// of it, and an error leaves no value.
func fuzz[T interface {
	AppendBinary([]byte) ([]byte, error)
}](f *testing.F, parse func([]byte) (T, error), prefixes ...string) {
	for _, prefix := range prefixes {
		for _, v := range vector.Load(f, prefix) {
			f.Add(v.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parse(b)
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
		again, err := v.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", v, err)
		}
		v2, err := parse(again)
		if err != nil {
			t.Fatalf("%+v became %v", v, err)
		}
		// What is written twice is the same: lengths are counted, and what is
		// not kept is zero.
		third, err := v2.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%+v became %+v, %v", v, v2, err)
		}
	})
}

func FuzzReader(f *testing.F) {
	for _, v := range vector.Load(f, "") {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(iotest.HalfReader(bytes.NewReader(b)), 1<<12)
		var again []byte
		for {
			_, p, err := r.Next()
			if err != nil {
				break
			}
			again = append(again, p...)
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("%x was read as %x", b, again)
		}
	})
}
