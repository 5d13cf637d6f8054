// Package vector reads the test vectors of the wire packages and holds a codec
// against them.
//
// A vector is a text file: lines "source:", "spec:", "expect:" (ok, truncated
// or invalid) and "comment:", a blank line, then hexadecimal digits laid out by
// field. White space does not count, and "#" starts a comment.
package vector

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A Vector is one file.
type Vector struct {
	Name   string // of the file, without its extension
	Expect string // ok, truncated or invalid
	Bytes  []byte
}

// Load reads testdata/vectors/prefix*.txt. To find none is a failure: a test
// without vectors would pass for ever.
func Load(t testing.TB, prefix string) []Vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "vectors", prefix+"*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vector testdata/vectors/%s*.txt (%v)", prefix, err)
	}
	vectors := make([]Vector, len(files))
	for i, file := range files {
		vectors[i] = read(t, file)
	}
	return vectors
}

func read(t testing.TB, file string) Vector {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, body, found := strings.Cut(string(content), "\n\n")
	if !found {
		t.Fatalf("%s: no blank line between head and hex", file)
	}
	field := map[string]string{}
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(line, ":")
		field[key] = strings.TrimSpace(value)
	}
	for _, key := range []string{"source", "spec", "expect", "comment"} {
		if field[key] == "" {
			t.Fatalf("%s: no line %q", file, key+":")
		}
	}
	var digits strings.Builder
	for line := range strings.Lines(body) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return Vector{strings.TrimSuffix(filepath.Base(file), ".txt"), field["expect"], b}
}

// Check holds a codec against the vectors with the prefix. Of a vector that is
// ok, parse must succeed, appending the value after "foo" must give the bytes
// back, and every strict prefix must fail as truncated. The others must fail
// with io.ErrUnexpectedEOF or with invalid, and parse must return a zero value.
// It returns the parsed values by name.
func Check[T any](t *testing.T, prefix string, parse func([]byte) (T, error), appendTo func(T, []byte) ([]byte, error), isZero func(T) bool, invalid error) map[string]T {
	t.Helper()
	values := map[string]T{}
	for _, v := range Load(t, prefix) {
		t.Run(v.Name, func(t *testing.T) {
			value, err := parse(v.Bytes)
			switch v.Expect {
			case "ok":
				if err != nil {
					t.Fatal(err)
				}
				values[v.Name] = value
				got, err := appendTo(value, []byte("foo"))
				if want := append([]byte("foo"), v.Bytes...); err != nil || !bytes.Equal(got, want) {
					t.Errorf("append: %v\n got %x\nwant %x", err, got, want)
				}
				for n := range v.Bytes {
					short, err := parse(v.Bytes[:n])
					if !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("first %d of %d bytes: error %v, want io.ErrUnexpectedEOF", n, len(v.Bytes), err)
					}
					if !isZero(short) {
						t.Errorf("first %d of %d bytes: a half-filled value with the error: %+v", n, len(v.Bytes), short)
					}
				}
			case "truncated", "invalid":
				want := invalid
				if v.Expect == "truncated" {
					want = io.ErrUnexpectedEOF
				}
				if !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
				if !isZero(value) {
					t.Errorf("a half-filled value with the error: %+v", value)
				}
			default:
				t.Fatalf("expect: %q, want ok, truncated or invalid", v.Expect)
			}
		})
	}
	return values
}
