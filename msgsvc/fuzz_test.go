package msgsvc

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/wire/vector"
)

// FuzzParseSend also holds the quick way against the thorough one.
func FuzzParseSend(f *testing.F) {
	fuzz(f, func(stub []byte, rep dcerpc.DataRep) (Send, error) {
		quick, ok := quickSend(stub, rep.ByteOrder())
		s, err := readSend(stub, rep)
		if ok != (err == nil) || !reflect.DeepEqual(quick, s) {
			panic(fmt.Sprintf("quick %q, %v; thorough %q, %v", quick, ok, s, err))
		}
		return ParseSend(stub, rep)
	}, "send-", "big-send-", "lax-send-")
}

func FuzzParseSendResponse(f *testing.F) { fuzz(f, ParseSendResponse, "status-") }

func FuzzParseNameRequest(f *testing.F) { fuzz(f, ParseNameRequest, "name-", "big-name-", "lax-name-") }

func FuzzParseNameResponse(f *testing.F) { fuzz(f, ParseNameResponse, "status-") }

func FuzzParseNameInfoRequest(f *testing.F) {
	fuzz(f, ParseNameInfoRequest, "getinfo-", "big-getinfo-")
}

func FuzzParseNameInfoResponse(f *testing.F) {
	fuzz(f, ParseNameInfoResponse, "info-", "big-info-", "lax-info-")
}

func FuzzParseNameEnumRequest(f *testing.F) {
	fuzz(f, ParseNameEnumRequest, "enum-", "big-enum-", "lax-enum-")
}

func FuzzParseNameEnumResponse(f *testing.F) {
	fuzz(f, ParseNameEnumResponse, "names-", "big-names-")
}

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
