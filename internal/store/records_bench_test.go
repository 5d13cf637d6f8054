package store

import (
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/messngr/messngr"
)

// BenchmarkRecords puts a million records, in batches as large as those of a
// busy name server, in the order of their names and in any order, and reads
// them all. Run it with -benchtime=1x.
func BenchmarkRecords(b *testing.B) {
	const total, batch = 1_000_000, 512
	records := make([]messngr.NameRecord, 0, batch)
	put := func(b *testing.B, s Store, order []int) {
		for len(order) > 0 {
			records = records[:0]
			for _, n := range order[:min(batch, len(order))] {
				r := record("HOST", 3)
				binary.BigEndian.PutUint32(r.Name[5:], uint32(n))
				records = append(records, r)
			}
			order = order[len(records):]
			if err := s.PutRecords(b.Context(), records...); err != nil {
				b.Fatal(err)
			}
		}
	}
	mixed := rand.Perm(total)
	sorted := make([]int, total)
	for i := range sorted {
		sorted[i] = i
	}
	for name, order := range map[string][]int{"sorted": sorted, "mixed": mixed} {
		b.Run(name, func(b *testing.B) {
			s, err := OpenSQLite(filepath.Join(b.TempDir(), "messngr.db"), Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.Run("put", func(b *testing.B) {
				for b.Loop() {
					put(b, s, order)
				}
				b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "records/s")
			})
			b.Run("read", func(b *testing.B) {
				for b.Loop() {
					n := 0
					err := s.Records(b.Context(), func(messngr.NameRecord) error {
						n++
						return nil
					})
					if err != nil || n != total {
						b.Fatalf("%d records, %v", n, err)
					}
				}
				b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "records/s")
			})
		})
	}
}
