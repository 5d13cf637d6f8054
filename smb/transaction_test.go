package smb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/wire/vector"
)

const messngrBody = "WIN98USER\x00WORKGROUP\x00HELLO WORLD\x00"

// transactions are what the vectors "transaction-" with "expect: ok" hold, by
// file name: what AppendBinary writes.
var transactions = map[string]Transaction{
	"transaction-messngr": mailslotWrite(`\MAILSLOT\MESSNGR`, 0, messngrBody),
	"transaction-timeout": {Name: []byte(`\MAILSLOT\A`), Setup: [MaxSetup]uint16{1, 9, 1}, SetupCount: 3, Flags: 2, Timeout: 1000, Data: []byte("hello")},
	"transaction-no-data": {Name: []byte(`\PIPE\LANMAN`)},
}

// laxTransactions are what the vectors "lax-" hold: what others write.
var laxTransactions = map[string]Transaction{
	"lax-win98-browse":  mailslotWrite(`\MAILSLOT\BROWSE`, 1, "\x01\x03\x60\xea\x00\x00MDJR98\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x03\x20\x40\x00\x15\x04\x55\xaa\x00"),
	"lax-nmbd-browse":   mailslotWrite(`\MAILSLOT\BROWSE`, 1, "\x0c\x02\xc0\xd4\x01\x00WORKGROUP\x00\x00\x00\x00\x00\x00\x00\x06\x01\x00\x10\x00\x80\x0f\x01\x55\xaaLEGACY\x00"),
	"lax-87":            mailslotWrite(`\MAILSLOT\MESSNGR`, 0, messngrBody),
	"lax-pad-42":        mailslotWrite(`\MAILSLOT\MESSNGR`, 0, messngrBody),
	"lax-pad-long":      mailslotWrite(`\MAILSLOT\MESSNGR`, 0, messngrBody),
	"lax-header-fields": mailslotWrite(`\MAILSLOT\MESSNGR`, 0, messngrBody),
	"lax-bytecount":     mailslotWrite(`\MAILSLOT\MESSNGR`, 0, messngrBody),
	"lax-bytecount-max": mailslotWrite(`\MAILSLOT\MESSNGR`, 0, messngrBody),
}

func mailslotWrite(name string, priority uint16, data string) Transaction {
	return Transaction{Name: []byte(name), Setup: [MaxSetup]uint16{1, priority, 2}, SetupCount: 3, Data: []byte(data)}
}

func TestTransactionVectors(t *testing.T) {
	got := vector.Check(t, "transaction-", ParseTransaction,
		func(m Transaction, b []byte) ([]byte, error) {
			b, err := Header{Command: TransactionRequest}.AppendBinary(b)
			if err != nil {
				return nil, err
			}
			return m.AppendBinary(b)
		},
		func(m Transaction) bool { return cmp.Equal(m, Transaction{}) },
		ErrInvalid)
	if diff := cmp.Diff(transactions, got); diff != "" {
		t.Errorf("ParseTransaction (-want +got):\n%s", diff)
	}
}

// What others write is read, whole and only whole.
func TestLaxTransactionVectors(t *testing.T) {
	got := map[string]Transaction{}
	for _, v := range vector.Load(t, "lax-") {
		h, _, err := ParseHeader(v.Bytes)
		if err != nil || h.Command != TransactionRequest {
			t.Errorf("%s: %v, %v", v.Name, h.Command, err)
		}
		if got[v.Name], err = ParseTransaction(v.Bytes); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		if m, err := ParseTransaction(append(v.Bytes, "junk"...)); err != nil || !cmp.Equal(m, got[v.Name]) {
			t.Errorf("%s with bytes behind it: %+v, %v", v.Name, m, err)
		}
		for n := range v.Bytes {
			if m, err := ParseTransaction(v.Bytes[:n]); !errors.Is(err, io.ErrUnexpectedEOF) || !cmp.Equal(m, Transaction{}) {
				t.Errorf("%s, first %d of %d bytes: %+v, %v", v.Name, n, len(v.Bytes), m, err)
			}
		}
	}
	if diff := cmp.Diff(laxTransactions, got); diff != "" {
		t.Errorf("ParseTransaction (-want +got):\n%s", diff)
	}
}

// [MS-MAIL] 2.2.1 aligns the data to 32 bits, from the header on, however
// long the name is and whatever stands before the header.
func TestTransactionAlignment(t *testing.T) {
	for n := range 9 {
		m := mailslotWrite(`\MAILSLOT\MESSNGR`[:n], 0, "data")
		b, err := Header{Command: TransactionRequest}.AppendBinary(nil)
		if err == nil {
			b, err = m.AppendBinary(b)
		}
		at := bytes.Index(b, []byte("data"))
		if err != nil || at%4 != 0 || at != len(b)-4 || at > 69+n+1+3 {
			t.Errorf("a name of %d bytes: data at %d of %d, %v", n, at, len(b), err)
		}
		if got, err := ParseTransaction(b); err != nil || !cmp.Equal(got, m) {
			t.Errorf("a name of %d bytes: %+v, %v", n, got, err)
		}
	}
}

func TestTransactionLimits(t *testing.T) {
	most := mailslotWrite(`\MAILSLOT\A`, 0, string(make([]byte, 0xFFFF-84)))
	for what, m := range map[string]Transaction{
		"a byte too many":  mailslotWrite(`\MAILSLOT\A`, 0, string(append(most.Data, 'x'))),
		"a NUL in a name":  mailslotWrite("\\MAILSLOT\\A\x00B", 0, ""),
		"four setup words": {SetupCount: 4},
	} {
		if b, err := m.AppendBinary([]byte("foo")); !errors.Is(err, ErrInvalid) || b != nil {
			t.Errorf("%s: %d bytes, %v; want ErrInvalid", what, len(b), err)
		}
	}
	b, err := most.AppendBinary(make([]byte, HeaderSize))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseTransaction(b); err != nil || !cmp.Equal(got, most) {
		t.Errorf("the longest data: %d bytes, %v", len(got.Data), err)
	}
}

func TestParseTransactionDoesNotAllocate(t *testing.T) {
	b := vector.Load(t, "transaction-messngr")[0].Bytes
	if n := testing.AllocsPerRun(100, func() { ParseTransaction(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseTransaction(f *testing.F) {
	for _, v := range append(vector.Load(f, "transaction-"), vector.Load(f, "lax-")...) {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseTransaction(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("an error of no kind: %v", err)
			}
			if !cmp.Equal(m, Transaction{}) {
				t.Fatalf("%+v with %v", m, err)
			}
			return
		}
		if !bytes.Contains(b[HeaderSize:], m.Data) || !bytes.Contains(b[HeaderSize:], m.Name) {
			t.Fatalf("name %q or data %x is not in %x", m.Name, m.Data, b)
		}
		w, err := m.AppendBinary(make([]byte, HeaderSize))
		if err != nil {
			// Padding can be shorter than what is written here, by up to 3 bytes.
			if len(m.Name)+len(m.Data) < 0xFFFF-100 {
				t.Fatalf("%+v cannot be written: %v", m, err)
			}
			return
		}
		if again, err := ParseTransaction(w); err != nil || !cmp.Equal(m, again) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}

func BenchmarkParseTransaction(b *testing.B) {
	message := vector.Load(b, "transaction-messngr")[0].Bytes
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseTransaction(message); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendTransaction(b *testing.B) {
	m := transactions["transaction-messngr"]
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		h, _ := Header{Command: TransactionRequest}.AppendBinary(buf)
		if _, err := m.AppendBinary(h); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleTransaction() {
	b, _ := Header{Command: TransactionRequest}.AppendBinary(nil)
	b, err := Transaction{Name: []byte(`\MAILSLOT\A`), Setup: [MaxSetup]uint16{1, 0, 2}, SetupCount: 3, Data: []byte("hi")}.AppendBinary(b)
	fmt.Println(len(b), err)

	m, err := ParseTransaction(b)
	fmt.Printf("%s %v %q %v\n", m.Name, m.Setup[:m.SetupCount], m.Data, err)
	// Output:
	// 86 <nil>
	// \MAILSLOT\A [1 0 2] "hi" <nil>
}
