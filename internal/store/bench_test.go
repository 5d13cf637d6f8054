package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/messngr/messngr"
)

var senders = [...]int{1, 8, 64}

// BenchmarkAdd measures senders that each wait until their message is durable.
// BenchmarkFsync is its floor.
func BenchmarkAdd(b *testing.B) {
	for _, n := range senders {
		b.Run(fmt.Sprintf("sqlite/%dsenders", n), func(b *testing.B) {
			s, err := OpenSQLite(filepath.Join(b.TempDir(), "messngr.db"), Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			benchmark(b, n, func(ctx context.Context, m *messngr.Message) error { return s.Add(ctx, m) })
		})
		b.Run(fmt.Sprintf("memory/%dsenders", n), func(b *testing.B) {
			s := NewMemory(Config{})
			benchmark(b, n, func(ctx context.Context, m *messngr.Message) error { return s.Add(ctx, m) })
		})
	}
}

// BenchmarkFsync appends the bytes of the same messages to a plain file, with
// the same group commit and one sync a batch: what a store would cost that did
// nothing else.
func BenchmarkFsync(b *testing.B) {
	for _, n := range senders {
		b.Run(fmt.Sprintf("%dsenders", n), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			var buf []byte
			g := newGroup(func(requests []request) {
				buf = buf[:0]
				for _, r := range requests {
					buf = appendMessage(buf, r.messages[0])
				}
				_, err := f.Write(buf)
				if err == nil {
					err = f.Sync()
				}
				for i := range requests {
					requests[i].err = err
				}
			}, func() {})
			defer g.close()
			benchmark(b, n, func(ctx context.Context, m *messngr.Message) error {
				return g.submit(ctx, request{messages: []*messngr.Message{m}})
			})
		})
	}
}

// benchmark adds b.N messages from n senders and reports acknowledgements a
// second and the process's CPU time for each.
func benchmark(b *testing.B, n int, add func(context.Context, *messngr.Message) error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var wait sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime()
	for range n {
		wait.Go(func() {
			for left.Add(-1) >= 0 {
				if err := add(b.Context(), newMessage()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// appendMessage appends what a message says, without its form.
func appendMessage(b []byte, m *messngr.Message) []byte {
	b = append(b, m.ID[:]...)
	for _, s := range []string{m.From, m.To, m.Text, string(m.Source.Transport), m.Source.Called,
		m.Source.Calling, string(m.Provenance)} {
		b = append(append(b, s...), 0)
	}
	b = m.Source.Addr.AppendTo(b)
	b = binary.BigEndian.AppendUint64(b, uint64(m.Sent.UnixNano()))
	return binary.BigEndian.AppendUint64(b, uint64(m.Received.UnixNano()))
}
