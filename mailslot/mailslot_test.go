package mailslot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/wire/vector"
	"github.com/messngr/messngr/smb"
)

// win98Body is a message of Windows 98.
var win98Body = Message{[]byte("WIN98USER"), []byte("WORKGROUP"), []byte("HELLO WORLD")}

const win98Data = "WIN98USER\x00WORKGROUP\x00HELLO WORLD\x00"

func TestWriteVectors(t *testing.T) {
	got := vector.Check(t, "write-", ParseWrite, Write.AppendBinary, func(w Write) bool { return cmp.Equal(w, Write{}) }, ErrInvalid)
	want := map[string]Write{
		"write-messngr": {Name: []byte(Messenger), Class: Class2, Data: []byte(win98Data)},
		"write-class-1": {Name: []byte(`\MAILSLOT\A`), Class: Class1, Priority: 9, Data: []byte("hello")},
		"write-no-data": {Name: []byte(`\MAILSLOT\ABCD`), Class: Class2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseWrite (-want +got):\n%s", diff)
	}
}

// What others write is read, whole and only whole.
func TestLaxWriteVectors(t *testing.T) {
	got := map[string]Write{}
	for _, v := range vector.Load(t, "lax-write-") {
		var err error
		if got[v.Name], err = ParseWrite(v.Bytes); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		for n := range v.Bytes {
			if w, err := ParseWrite(v.Bytes[:n]); !errors.Is(err, io.ErrUnexpectedEOF) || !cmp.Equal(w, Write{}) {
				t.Errorf("%s, first %d of %d bytes: %+v, %v", v.Name, n, len(v.Bytes), w, err)
			}
		}
	}
	want := map[string]Write{
		"lax-write-win98-browse": {
			Name: []byte(Browser), Class: Class2, Priority: 1,
			Data: []byte("\x01\x03\x60\xea\x00\x00MDJR98\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x03\x20\x40\x00\x15\x04\x55\xaa\x00"),
		},
		"lax-write-87-lower-case": {Name: []byte(`\mailslot\messngr`), Class: Class2, Data: []byte(win98Data)},
		"lax-write-header-fields": {Name: []byte(Messenger), Class: Class2, Data: []byte(win98Data)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseWrite (-want +got):\n%s", diff)
	}
}

func TestMessageVectors(t *testing.T) {
	for _, v := range vector.Load(t, "message-") {
		m, err := ParseMessage(v.Bytes)
		if v.Expect == "truncated" {
			if !errors.Is(err, io.ErrUnexpectedEOF) || !cmp.Equal(m, Message{}) {
				t.Errorf("%s: %+v, %v", v.Name, m, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		b, err := m.AppendBinary([]byte("foo"))
		if want := append([]byte("foo"), v.Bytes...); err != nil || !bytes.Equal(b, want) || m.Size() != len(v.Bytes) {
			t.Errorf("%s: became %q of size %d, %v; want %q", v.Name, b, m.Size(), err, want)
		}
		// A prefix fails until To is there; then only the text is short.
		names := len(m.From) + len(m.To) + 2
		for n := range v.Bytes {
			short, err := ParseMessage(v.Bytes[:n])
			want := Message{m.From, m.To, m.Text[:max(0, n-names)]}
			switch {
			case n < names && (!errors.Is(err, io.ErrUnexpectedEOF) || !cmp.Equal(short, Message{})):
				t.Errorf("%s, first %d of %d bytes: %+v, %v", v.Name, n, len(v.Bytes), short, err)
			case n >= names && (err != nil || !cmp.Equal(short, want)):
				t.Errorf("%s, first %d of %d bytes: %+v, %v; want %+v", v.Name, n, len(v.Bytes), short, err, want)
			}
		}
	}
	for name, want := range map[string]Message{
		"message-win98":            win98Body,
		"message-empty":            {[]byte{}, []byte{}, []byte{}},
		"message-cp850":            {[]byte("JOS\x90"), []byte("HOST2"), []byte("one\x14two\r\ntr\x88s")},
		"lax-message-no-end":       {[]byte("ALICE"), []byte("HOST2"), []byte("hi")},
		"lax-message-one-too-many": {[]byte("ALICE"), []byte("HOST2"), []byte("hi")},
		"lax-message-more-nuls":    {[]byte("ALICE"), []byte("HOST2"), []byte("hi")},
		"lax-message-text-missing": {[]byte("ALICE"), []byte("HOST2"), []byte{}},
	} {
		got, err := ParseMessage(vector.Load(t, name)[0].Bytes)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// A text that is as long as it may be makes a write of 512 bytes, and one more
// byte is refused.
func TestMessageLimits(t *testing.T) {
	m := Message{[]byte("ALICE"), []byte("HOST2"), bytes.Repeat([]byte("x"), MaxMessage-5-5-3)}
	data, err := m.AppendBinary(nil)
	if err != nil || len(data) != MaxMessage {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	w := Write{Name: []byte(Messenger), Class: Class2, Data: data}
	b, err := w.AppendBinary(nil)
	if err != nil || len(b) != 512 {
		t.Errorf("a write of %d bytes, %v", len(b), err)
	}
	m.Text = append(m.Text, 'x')
	w.Data = append(w.Data, 'x')
	for what, err := range map[string]error{
		"text":     second(m.AppendBinary([]byte("foo"))),
		"data":     second(w.AppendBinary([]byte("foo"))),
		"From":     second(Message{From: []byte("A\x00")}.AppendBinary([]byte("foo"))),
		"To":       second(Message{To: []byte("\x00")}.AppendBinary([]byte("foo"))),
		"Text":     second(Message{Text: []byte("a\x00b")}.AppendBinary([]byte("foo"))),
		"name":     second(Write{Name: []byte(Messenger + "\x00"), Class: Class2}.AppendBinary([]byte("foo"))),
		"pipe":     second(Write{Name: []byte(`\PIPE\A`), Class: Class2}.AppendBinary([]byte("foo"))),
		"none":     second(Write{Name: []byte(prefix), Class: Class2}.AppendBinary([]byte("foo"))),
		"no class": second(Write{Name: []byte(Messenger)}.AppendBinary([]byte("foo"))),
		"class 3":  second(Write{Name: []byte(Messenger), Class: 3}.AppendBinary([]byte("foo"))),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", what, err)
		}
	}
}

// second returns the error of an append, which must have appended nothing.
func second(b []byte, err error) error {
	if err != nil && b != nil {
		return fmt.Errorf("appended %q and failed", b)
	}
	return err
}

// The longest data makes an SMB of 512 bytes or less and, with the name and its
// NUL, 443 or less, as [MS-MAIL] 2.1 wants it.
func TestMaxData(t *testing.T) {
	for n, want := range map[int]int{1: 428, 4: 428, 5: 424, 7: 424, 8: 424, 9: 420, 12: 420, 13: 416, 432: 0, 500: 0} {
		name := prefix + strings.Repeat("x", n)
		got := MaxData(name)
		if got != want {
			t.Errorf("MaxData of a name of %d bytes behind the prefix: %d, want %d", n, got, want)
		}
		if got == 0 {
			continue
		}
		b, err := Write{Name: []byte(name), Class: Class2, Data: make([]byte, got)}.AppendBinary(nil)
		if err != nil || len(b) > 512 || len(b) <= 508 || len(name)+1+got > 443 {
			t.Errorf("a name of %d bytes behind the prefix: a write of %d bytes, %v", n, len(b), err)
		}
	}
	if got := MaxData(Messenger); got != MaxMessage {
		t.Errorf("MaxData of %s: %d, want %d", Messenger, got, MaxMessage)
	}
}

func TestIs(t *testing.T) {
	for name, want := range map[string]bool{
		`\MAILSLOT\MESSNGR`:           true,
		`\mailslot\messngr`:           true,
		`\MailSlot\Messngr`:           true,
		`\MAILSLOT\MESSNGR\`:          false,
		`\MAILSLOT\MESSNG`:            false,
		`\MAILSLOT\MESSNGX`:           false,
		`MESSNGR`:                     false,
		"":                            false,
		`\MAIL` + "ſ" + `LOT\MESSNGR`: false, // folds to S in Unicode; here it is two bytes of a code page
		`|MAILSLOT\MESSNGR`:           false, // differs from \ in the bit that upper and lower case differ in
	} {
		if got := Is([]byte(name), Messenger); got != want {
			t.Errorf("Is(%q): %v, want %v", name, got, want)
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	b := vector.Load(t, "write-messngr")[0].Bytes
	if n := testing.AllocsPerRun(100, func() {
		w, err := ParseWrite(b)
		if err != nil || !Is(w.Name, Messenger) {
			t.Fatal(err)
		}
		if _, err := ParseMessage(w.Data); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseWrite(f *testing.F) {
	for _, v := range append(vector.Load(f, "write-"), vector.Load(f, "lax-write-")...) {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := ParseWrite(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("an error of no kind: %v", err)
			}
			if !cmp.Equal(w, Write{}) {
				t.Fatalf("%+v with %v", w, err)
			}
			return
		}
		again, err := w.AppendBinary(nil)
		if len(w.Data) > MaxData(string(w.Name)) || len(w.Name) > maxSMB {
			if !errors.Is(err, ErrInvalid) && len(w.Data) > 0 {
				t.Fatalf("%d bytes of data were written: %v", len(w.Data), err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", w, err)
		}
		if w2, err := ParseWrite(again); err != nil || !cmp.Equal(w, w2) {
			t.Fatalf("%+v became %+v, %v", w, w2, err)
		}
	})
}

func FuzzParseMessage(f *testing.F) {
	for _, v := range append(vector.Load(f, "message-"), vector.Load(f, "lax-message-")...) {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) || !cmp.Equal(m, Message{}) {
				t.Fatalf("%+v with %v", m, err)
			}
			return
		}
		again, err := m.AppendBinary(nil)
		if m.Size() > MaxMessage {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("a message of %d bytes: %v", m.Size(), err)
			}
			return
		}
		// What was read is what b begins with, but for a last NUL.
		if err != nil || !bytes.HasPrefix(b, again) && !bytes.Equal(again, append(bytes.Clone(b), 0)) {
			t.Fatalf("%q became %q, %v", b, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	message := vector.Load(b, "write-messngr")[0].Bytes
	b.ReportAllocs()
	for b.Loop() {
		w, err := ParseWrite(message)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ParseMessage(w.Data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	name, data, buf := []byte(Messenger), make([]byte, 0, MaxMessage), make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		data, err := win98Body.AppendBinary(data)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := (Write{Name: name, Class: Class2, Data: data}).AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	data, _ := Message{From: []byte("ALICE"), To: []byte("WORKGROUP"), Text: []byte("one\x14two")}.AppendBinary(nil)
	b, err := Write{Name: []byte(Messenger), Class: Class2, Data: data}.AppendBinary(nil)
	fmt.Println(len(b), err)

	w, err := ParseWrite(b)
	if err != nil || !Is(w.Name, Messenger) {
		fmt.Println("not for us", err)
		return
	}
	m, err := ParseMessage(w.Data)
	fmt.Printf("%s to %s: %q %v\n", m.From, m.To, m.Text, err)
	// Output:
	// 112 <nil>
	// ALICE to WORKGROUP: "one\x14two" <nil>
}

// What is whole and wrong for smb is so here, and a cause is kept.
func TestErrorsKeepTheirCause(t *testing.T) {
	multipart := vector.Load(t, "write-multipart")[0].Bytes
	if _, err := ParseWrite(multipart); !errors.Is(err, ErrInvalid) || !errors.Is(err, smb.ErrInvalid) {
		t.Errorf("%v", err)
	}
}
