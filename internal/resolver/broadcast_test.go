package resolver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// All who answer are members, also those who are late, and each of them once.
func TestMembers(t *testing.T) {
	p := newPeer(t, "127.0.0.1:0", func(query nbns.Packet, _ int, send func([]byte)) {
		if query.Question.Name.Base() == "HOST2" {
			send(appended(t, positive(query, nbns.BNode, "10.77.0.2")))
			return
		}
		if query.Question.Name == netbios.Wildcard {
			send(appended(t, positive(query, nbns.BNode, "10.77.0.2")))
			send(appended(t, positive(query, nbns.BNode, "10.77.0.4")))
		}
		if query.Question.Name.Base() != "WORKGROUP" {
			return
		}
		send(appended(t, positive(query, nbns.Group, "10.77.0.9")))
		forged := positive(query, nbns.Group, "10.77.0.66")
		forged.ID++
		send(appended(t, forged))
		send(appended(t, positive(query, nbns.BNode, "10.77.0.67"))) // a unique name is no member
	})
	newPeer(t, fmt.Sprintf("127.0.0.2:%d", p.port()), func(query nbns.Packet, before int, send func([]byte)) {
		if before == 2 && query.Question.Name.Base() == "WORKGROUP" {
			send(appended(t, positive(query, nbns.Group, "10.77.0.3")))
		}
	})
	r := asking(p.port(), "127.0.0.1", "127.0.0.2")
	members, err := r.Members(t.Context(), nameOf(t, "WORKGROUP<00>"))
	var got []string
	for _, m := range members {
		got = append(got, fmt.Sprintf("%s %s %v %v", m.Addr, m.From, m.Group, m.Addrs))
	}
	if want := []string{"10.77.0.3 broadcast true [10.77.0.3]", "10.77.0.9 broadcast true [10.77.0.9]"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("Members = %q, %v; want %q", got, err, want)
	}

	// Everybody is who answers for himself.
	all, err := r.Members(t.Context(), netbios.Wildcard)
	if err != nil || len(all) != 2 || all[0].Addr != ip("10.77.0.2") || all[1].Addr != ip("10.77.0.4") {
		t.Errorf("everybody: %v, %v", all, err)
	}

	_, err = r.Members(t.Context(), nameOf(t, "HOST2<00>"))
	if want := "HOST2<00> is no group: it is the name of 10.77.0.2 alone"; err == nil || err.Error() != want {
		t.Errorf("a unique name: %v, want %s", err, want)
	}
	_, err = r.Members(t.Context(), nameOf(t, "NOBODY<00>"))
	if notFound := (*NotFoundError)(nil); !errors.As(err, &notFound) || len(notFound.Tried) != 2 {
		t.Errorf("nobody: %v, want a NotFoundError", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := r.Members(ctx, nameOf(t, "WORKGROUP<00>")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Members: %v, want the context's error", err)
	}
}

// Somebody who says that others are members makes nobody a member but itself.
func TestMember(t *testing.T) {
	found := Found{Addr: ip("10.77.0.66"), Addrs: addrsOf("10.77.0.66", "10.77.0.67"), Group: true}
	if got := member(found, ip("10.77.0.9")); got.Addr != ip("10.77.0.9") || joined(got.Addrs) != "10.77.0.9" {
		t.Errorf("a member at 10.77.0.9 became %v, %v", got.Addr, got.Addrs)
	}
	if got := member(found, ip("127.0.0.1")); got.Addr != ip("10.77.0.66") || joined(got.Addrs) != "10.77.0.66" {
		t.Errorf("this host became %v, %v", got.Addr, got.Addrs)
	}
}
