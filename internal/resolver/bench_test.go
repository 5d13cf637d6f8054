package resolver

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/messngr/messngr/netbios/nbns"
)

func BenchmarkResolveCached(b *testing.B) {
	r := &Resolver{Cache: new(Cache)}
	name := nameOf(b, "HOST2<03>")
	r.Cache.put(name, Found{Addr: ip("10.77.0.2"), Addrs: addrsOf("10.77.0.2"), Name: name, From: FromWINS}, 0)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if found, err := r.Resolve(ctx, name, "host2"); err != nil || !found.Cached {
			b.Fatal(found, err)
		}
	}
}

func BenchmarkResolveBroadcast(b *testing.B) {
	p := newPeer(b, "127.0.0.1:0", func(query nbns.Packet, _ int, send func([]byte)) {
		send(appended(b, positive(query, nbns.BNode, "10.77.0.2")))
	})
	r := asking(p.port(), "127.0.0.1")
	name := nameOf(b, "HOST2<03>")
	b.ReportAllocs()
	for b.Loop() {
		if found, err := r.Resolve(context.Background(), name, ""); err != nil {
			b.Fatal(found, err)
		}
	}
}

// A /24 in which all or none of 254 hosts answer.
func BenchmarkScan(b *testing.B) {
	for name, answer := range map[string]func(nbns.Packet, int, func([]byte)){"live": statusAnswer(b, "HOST2<00>", "+WORKGROUP<00>", "HOST2<03>"), "silent": silent} {
		b.Run(name, func(b *testing.B) {
			port := uint16(0)
			for i := 1; i <= 254; i++ {
				port = newPeer(b, fmt.Sprintf("127.0.5.%d:%d", i, port), answer).port()
			}
			r := &Resolver{Port: port}
			var took time.Duration
			for b.Loop() {
				begun := time.Now()
				n := len(scanned(b, r, ScanOptions{}, "127.0.5.0/24"))
				took = time.Since(begun)
				if n != 0 && n != 254 {
					b.Fatalf("%d hosts found", n)
				}
			}
			b.ReportMetric(took.Seconds(), "s/scan")
		})
	}
}
