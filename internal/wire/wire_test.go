package wire

import (
	"errors"
	"io"
	"testing"
)

func TestReaderReadsInOrder(t *testing.T) {
	r := NewReader("thing", []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 'a', 'b', 0, 'r'})
	if got := r.Uint8("a"); got != 1 {
		t.Errorf("Uint8 %d", got)
	}
	if got := r.BE16("b"); got != 0x0203 {
		t.Errorf("BE16 %#x", got)
	}
	if got := r.BE32("c"); got != 0x04050607 {
		t.Errorf("BE32 %#x", got)
	}
	if got := r.LE16("d"); got != 0x0908 {
		t.Errorf("LE16 %#x", got)
	}
	if got := r.LE32("e"); got != 0x0D0C0B0A {
		t.Errorf("LE32 %#x", got)
	}
	if got := r.Until("f", 0); string(got) != "ab" {
		t.Errorf("Until %q", got)
	}
	if r.Offset() != 16 || r.Len() != 1 {
		t.Errorf("offset %d, %d left", r.Offset(), r.Len())
	}
	if got := r.Rest(); string(got) != "r" || r.Len() != 0 || r.Err() != nil {
		t.Errorf("Rest %q, %d left, %v", got, r.Len(), r.Err())
	}
}

// What was read must not let an append run into what follows it.
func TestBytesHaveNoRoomBehindThem(t *testing.T) {
	b := []byte("abc\x00d")
	r := NewReader("thing", b)
	_ = append(r.Bytes("a", 2), 'X')
	_ = append(r.Until("b", 0), 'X')
	if string(b) != "abc\x00d" {
		t.Errorf("the input became %q", b)
	}
}

func TestFirstErrorStays(t *testing.T) {
	for name, read := range map[string]func(*Reader){
		"Uint8": func(r *Reader) { r.Bytes("skip", 3); r.Uint8("field") },
		"BE16":  func(r *Reader) { r.Bytes("skip", 2); r.BE16("field") },
		"BE32":  func(r *Reader) { r.BE32("field") },
		"LE16":  func(r *Reader) { r.Bytes("skip", 2); r.LE16("field") },
		"LE32":  func(r *Reader) { r.LE32("field") },
		"Until": func(r *Reader) { r.Until("field", 'x') },
		"Bytes": func(r *Reader) { r.Bytes("field", 4) },
		"less":  func(r *Reader) { r.Bytes("field", -1) },
	} {
		r := NewReader("thing", []byte{1, 2, 3})
		read(&r)
		first := r.Err()
		var short *TruncatedError
		if !errors.As(first, &short) || short.Structure != "thing" || short.Field != "field" || !errors.Is(first, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, first)
			continue
		}
		r.Fail("later", io.ErrClosedPipe)
		if r.Uint8("later") != 0 || r.Bytes("later", 0) != nil || r.Until("later", 1) != nil || r.Rest() != nil || r.Err() != first {
			t.Errorf("%s: the reader went on, now with %v", name, r.Err())
		}
	}
}

func TestErrorTexts(t *testing.T) {
	r := NewReader("thing", []byte{1, 2, 3})
	r.Uint8("kind")
	r.BE32("size")
	if got, want := r.Err().Error(), "thing: size at offset 1 needs 4 bytes, 2 left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r = NewReader("thing", []byte{1})
	r.Fail("kind", io.ErrNoProgress)
	if got, want := r.Err().Error(), "thing: kind at offset 0: "+io.ErrNoProgress.Error(); got != want || !errors.Is(r.Err(), io.ErrNoProgress) {
		t.Errorf("%q, want %q", got, want)
	}
}
