package ncadg

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// An add is one fragment and what must become of it.
type add struct {
	number uint16
	last   bool
	body   string
	want   Outcome
}

func TestAssembler(t *testing.T) {
	long := string(make([]byte, 64))
	for what, tt := range map[string]struct {
		adds    []add
		stub    string // "" if not whole
		inOrder uint16
		selAck  SelAck
	}{
		"nothing":         {nil, "", 0xFFFF, SelAck{}},
		"one":             {[]add{{0, true, "one", Whole}}, "one", 0, SelAck{}},
		"in order":        {[]add{{0, false, "one ", Kept}, {1, false, "two ", Kept}, {2, true, "three", Whole}}, "one two three", 2, SelAck{}},
		"backwards":       {[]add{{2, true, "three", Kept}, {1, false, "two ", Kept}, {0, false, "one ", Whole}}, "one two three", 2, SelAck{}},
		"a gap":           {[]add{{0, false, "one ", Kept}, {2, false, "three", Kept}, {3, false, "four", Kept}, {5, true, "six", Kept}}, "", 0, selAck(2, 3, 5)},
		"the first lost":  {[]add{{1, false, "two ", Kept}, {2, true, "three", Kept}}, "", 0xFFFF, selAck(2, 3)},
		"a gap filled":    {[]add{{0, false, "one ", Kept}, {2, false, "three ", Kept}, {4, true, "five", Kept}, {1, false, "two ", Kept}}, "", 2, selAck(2)},
		"doubles":         {[]add{{0, false, "one ", Kept}, {0, false, "one ", Duplicate}, {2, true, "three", Kept}, {2, true, "three", Duplicate}, {1, false, "two ", Whole}, {1, false, "two ", Duplicate}, {2, true, "three", Duplicate}}, "one two three", 2, SelAck{}},
		"other bytes":     {[]add{{0, false, "one ", Kept}, {0, false, "ONE ", Contradiction}, {1, true, "two", Whole}, {1, true, "TWO", Contradiction}}, "one two", 1, SelAck{}},
		"other, waiting":  {[]add{{1, false, "two ", Kept}, {1, false, "TWO ", Contradiction}, {0, false, "one ", Kept}, {2, true, "three", Whole}}, "one two three", 2, SelAck{}},
		"two lasts":       {[]add{{0, false, "one ", Kept}, {3, true, "four", Kept}, {2, true, "three", Contradiction}, {4, true, "five", Contradiction}}, "", 0, selAck(3)},
		"past the last":   {[]add{{1, true, "two", Kept}, {2, false, "three", Contradiction}, {0, false, "one ", Whole}}, "one two", 1, SelAck{}},
		"last too early":  {[]add{{2, false, "three ", Kept}, {1, true, "two ", Contradiction}, {0, true, "one ", Contradiction}}, "", 0xFFFF, selAck(3)},
		"last, then not":  {[]add{{1, true, "two", Kept}, {1, false, "two", Contradiction}}, "", 0xFFFF, selAck(2)},
		"not, then last":  {[]add{{0, false, "one", Kept}, {0, true, "one", Contradiction}, {2, false, "three", Kept}, {2, true, "three", Contradiction}}, "", 0, selAck(2)},
		"empty":           {[]add{{0, true, "", Whole}}, "", 0, SelAck{}},
		"empty fragments": {[]add{{0, false, "", Kept}, {2, true, "", Kept}, {1, false, "two", Whole}}, "two", 2, SelAck{}},
		"too long":        {[]add{{0, false, long, Kept}, {1, false, long[:36], Kept}, {2, true, "x", TooLong}, {2, true, "", Whole}}, long + long[:36], 2, SelAck{}},
		"too long, ahead": {[]add{{2, true, long, Kept}, {1, false, long, TooLong}, {1, false, long[:36], Kept}, {0, false, "x", TooLong}}, "", 0xFFFF, selAck(2, 3)},
		"far":             {[]add{{255, false, "x", Kept}, {256, false, "x", TooFar}, {0, false, "x", Kept}, {256, false, "x", Kept}}, "", 0, selAck(255, 256)},
		"too many":        {[]add{{1023, false, "x", TooFar}, {1024, false, "x", TooLong}, {65535, true, "x", TooLong}}, "", 0xFFFF, SelAck{}},
	} {
		t.Run(what, func(t *testing.T) {
			a := Assembler{MaxBytes: 100}
			whole, held := false, 0
			for i, add := range tt.adds {
				body := []byte(add.body)
				stub, got := a.Add(add.number, add.last, body)
				if got != add.want || (stub != nil) != (got == Whole && tt.stub != "") || got == Whole && string(stub) != tt.stub {
					t.Errorf("add %d, fragment %d: %v, %q; want %v", i, add.number, got, stub, add.want)
				}
				whole = whole || got == Whole
				if got == Kept || got == Whole {
					held += len(body)
				}
				clear(body) // what it keeps is its own
			}
			if stub, ok := a.Stub(); ok != whole || ok && string(stub) != tt.stub {
				t.Errorf("stub %q, %v", stub, ok)
			}
			if a.InOrder() != tt.inOrder || a.SelAck() != tt.selAck {
				t.Errorf("in order to %d, beyond %x; want %d, %x", a.InOrder(), a.SelAck(), tt.inOrder, tt.selAck)
			}
			if a.Held() != held || held > 100 {
				t.Errorf("holds %d bytes, %d came", a.Held(), held)
			}
			a.Reset()
			if _, ok := a.Stub(); ok || a.Held() != 0 || a.InOrder() != 0xFFFF || a.SelAck() != (SelAck{}) || a.MaxBytes != 100 {
				t.Errorf("after Reset: %+v", a)
			}
		})
	}
}

// The zero Assembler takes as much as it says and no more.
func TestAssemblerDefault(t *testing.T) {
	var a Assembler
	if stub, got := a.Add(0, true, make([]byte, DefaultMaxBytes)); got != Whole || len(stub) != DefaultMaxBytes {
		t.Errorf("the longest: %v, %d bytes", got, len(stub))
	}
	a.Reset()
	if _, got := a.Add(0, true, make([]byte, DefaultMaxBytes+1)); got != TooLong || a.Held() != 0 {
		t.Errorf("a byte more: %v", got)
	}
	for n := range uint16(maxFragments) {
		if _, got := a.Add(n, false, nil); got != Kept {
			t.Fatalf("fragment %d: %v", n, got)
		}
	}
	if _, got := a.Add(maxFragments, true, nil); got != TooLong {
		t.Errorf("a fragment more: %v", got)
	}
}

// Whatever the size, the fragments have a multiple of 8 bytes but for the last,
// and make the stub again, in whatever order they come and however often.
func TestSplit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct{ stub, size, want int }{
		{0, 1384, 1}, {1, 1384, 1}, {1384, 1384, 1}, {1385, 1384, 2}, {1385, 1390, 2}, {4000, 1384, 3},
		{16, 8, 2}, {17, 8, 3}, {17, 0, 3}, {17, -5, 3}, {17, 15, 3}, {1600, 8, 200},
	} {
		stub := make([]byte, tt.stub)
		for i := range stub {
			stub[i] = byte(i ^ i>>8)
		}
		f := Split(stub, tt.size)
		if f.Len() != tt.want {
			t.Errorf("%+v: %d fragments", tt, f.Len())
			continue
		}
		var a Assembler
		var got []byte
		order := append(random.Perm(f.Len()), random.Perm(f.Len())...)
		for i, n := range order {
			last := n == f.Len()-1
			if body := f.At(n); !last && len(body)%8 != 0 || len(body) > max(tt.size, 8) {
				t.Errorf("%+v: fragment %d has %d bytes", tt, n, len(body))
			}
			whole, outcome := a.Add(uint16(n), last, f.At(n))
			if outcome == Whole {
				got = whole
			} else if outcome != Kept && outcome != Duplicate {
				t.Errorf("%+v: add %d, fragment %d: %v", tt, i, n, outcome)
			}
		}
		if !bytes.Equal(got, stub) {
			t.Errorf("%+v: %d bytes came out", tt, len(got))
		}
		_ = append(f.At(0), "XXXX"...)
		if f.Len() > 1 && f.At(1)[0] == 'X' {
			t.Errorf("%+v: an append to a fragment wrote behind it", tt)
		}
	}
}

// FuzzAssembler adds fragments as the bytes say, each of which has the bytes
// that its number gives it, or others. What comes out is made of the first that
// came of each; the bounds hold throughout.
func FuzzAssembler(f *testing.F) {
	f.Add([]byte("\x00\x00\x08\x00\x01\x08\x01\x02\x08"))
	f.Add([]byte("\x01\x02\x08\x00\x01\x08\x00\x01\x08\x80\x01\x08\x00\x00\x08\x01\x02\x08"))
	f.Add([]byte("\x00\x02\x08\x02\x01\x08\x02\x01\x09\x01\x00\x08\x01\x01\x00\x04\xFF\xFF"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := Assembler{MaxBytes: 1000}
		first, last := map[int]string{}, -1
		for ; len(b) >= 3; b = b[3:] {
			n := int(b[1]) + int(b[0]&4)<<6 // some reach past the window
			isLast := b[0]&1 != 0
			body := bytes.Repeat([]byte{byte(n) + b[0]>>7}, int(b[2]))
			stub, got := a.Add(uint16(n), isLast, body)
			before, again := first[n]
			switch got {
			case Kept, Whole:
				if again {
					t.Fatalf("fragment %d kept twice", n)
				}
				first[n] = string(body)
				if isLast {
					last = n
				}
			case Duplicate:
				if !again || before != string(body) || isLast != (n == last) {
					t.Fatalf("fragment %d is no duplicate", n)
				}
			}
			if got == Whole {
				want := ""
				for i := range last + 1 {
					want += first[i]
				}
				if len(first) != last+1 || string(stub) != want {
					t.Fatalf("%d of %d fragments made %x, want %x", len(first), last+1, stub, want)
				}
			}
			if s, ok := a.Stub(); ok != (last >= 0 && len(first) == last+1) || ok && len(s) != a.Held() {
				t.Fatalf("whole: %v, with %d fragments to %d", ok, len(first), last)
			}
			held := 0
			for _, s := range first {
				held += len(s)
			}
			if held != a.Held() || held > 1000 || len(a.ahead) > SelAckDistance {
				t.Fatalf("%d bytes held, %d counted, %d pieces", held, a.Held(), len(a.ahead))
			}
			// What the fack says has come is what has come.
			sel, next := a.SelAck(), int(a.InOrder()+1)
			for n := range next + SelAckDistance {
				if _, has := first[n]; has != (n < next || sel.Has(n-next+1)) {
					t.Fatalf("fragment %d: %v, in order to %d, beyond %x", n, has, next-1, sel)
				}
			}
		}
	})
}

func BenchmarkAssembler(b *testing.B) {
	stub := make([]byte, 4000)
	parts := Split(stub, MaxBody)
	b.ReportAllocs()
	for b.Loop() {
		var a Assembler
		outcome := Kept
		for i := range parts.Len() {
			_, outcome = a.Add(uint16(i), i == parts.Len()-1, parts.At(i))
		}
		if outcome != Whole {
			b.Fatal(outcome)
		}
	}
}

func ExampleAssembler() {
	parts := Split([]byte("eight by eight bytes"), 8)
	var a Assembler
	for _, i := range []int{2, 0, 1} {
		stub, outcome := a.Add(uint16(i), i == parts.Len()-1, parts.At(i))
		fmt.Printf("%d: %v, in order to %d, %q\n", i, outcome, int16(a.InOrder()), stub)
	}
	// Output:
	// 2: kept, in order to -1, ""
	// 0: kept, in order to 0, ""
	// 1: whole, in order to 2, "eight by eight bytes"
}
