package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A nameFloor is the name server that does the least: it answers each packet at
// once with fixed bytes, into which it copies the ID and the name. It says yes
// to everything.
type nameFloor struct {
	name, status, registration, release []byte
}

// Where a packet has what the floor copies and looks at.
const (
	opcodeAt = 2  // with the bit R before it, which a request does not have
	nameAt   = 12 // behind the header
	typeAt   = nameAt + netbios.EncodedSize
)

// nameFloorMain is the process of the floor: it serves on the addresses that it
// is given, writes the first of them, and ends when its standard input does.
func nameFloorMain(args []string, stdin io.Reader, stdout io.Writer) error {
	f := flag.NewFlagSet("bench namefloor", flag.ContinueOnError)
	size := f.Int("status", statusSize(3), "") // of the answer to a node status query
	if err := f.Parse(args); err != nil {
		return err
	}
	s, err := newNameFloor(*size)
	if err != nil {
		return err
	}
	var conns []*net.UDPConn
	for _, addr := range f.Args() {
		at, err := netip.ParseAddrPort(addr)
		if err != nil {
			return err
		}
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
		if err != nil {
			return err
		}
		conns = append(conns, conn)
	}
	ended := make(chan error, len(conns))
	for _, conn := range conns {
		go func() { ended <- s.serve(conn) }()
	}
	if _, err := fmt.Fprintln(stdout, f.Arg(0)); err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, stdin)
		ended <- nil
	}()
	return <-ended
}

// statusSize returns the size of a node status response with so many names.
func statusSize(names int) int { return typeAt + 10 + 1 + 18*names + 46 }

// newNameFloor returns a floor whose answers have the sizes of a host's.
func newNameFloor(size int) (s nameFloor, err error) {
	name, err := netbios.NewName("FLOOR", netbios.Messenger)
	if err != nil {
		return nameFloor{}, err
	}
	var status nbns.NodeStatus
	for len(status.Names) < (size-statusSize(0))/18 {
		status.Names = append(status.Names, nbns.NodeName{Name: name, Flags: nbns.Active})
	}
	rdata, err := status.AppendBinary(nil)
	if err != nil {
		return nameFloor{}, err
	}
	addr, err := nbns.Addr{Addr: netip.AddrFrom4([4]byte{10, 77, 0, 2})}.AppendBinary(nil)
	if err != nil {
		return nameFloor{}, err
	}
	query := nbns.NameQuery(0, name, "", false)
	registration := nbns.RegistrationRequest(0, name, "", 0, addr, false)
	for _, m := range []struct {
		to *[]byte
		p  nbns.Packet
	}{
		{&s.name, nbns.PositiveQueryResponse(query, 300000, addr)},
		{&s.status, nbns.StatusResponse(query, rdata)},
		{&s.registration, nbns.PositiveRegistrationResponse(registration, 300000)},
		{&s.release, nbns.ReleaseResponse(nbns.ReleaseRequest(0, name, "", addr, false), nbns.Success)},
	} {
		if *m.to, err = m.p.AppendBinary(nil); err != nil {
			return nameFloor{}, err
		}
	}
	return s, nil
}

// serve answers what comes to one socket. The answers are only its own.
func (s nameFloor) serve(conn *net.UDPConn) error {
	for _, answer := range []*[]byte{&s.name, &s.status, &s.registration, &s.release} {
		*answer = append([]byte(nil), *answer...)
	}
	in := make([]byte, 1024)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(in)
		if err != nil {
			return err
		}
		answer := s.answer(in[:n])
		if answer == nil {
			continue // no part of the bench has sent it
		}
		if _, err := conn.WriteToUDPAddrPort(answer, from); err != nil {
			return err
		}
	}
}

// answer returns the answer to a packet, which is good until the next one.
func (s nameFloor) answer(packet []byte) []byte {
	if len(packet) < typeAt+2 {
		return nil
	}
	var answer []byte
	switch nbns.Opcode(packet[opcodeAt] >> 3) {
	case nbns.Query:
		answer = s.name
		if nbns.Type(binary.BigEndian.Uint16(packet[typeAt:])) == nbns.TypeNBSTAT {
			answer = s.status
		}
	case nbns.Registration:
		answer = s.registration
	case nbns.Release:
		answer = s.release
	default:
		return nil
	}
	copy(answer[:2], packet)
	copy(answer[nameAt:typeAt], packet[nameAt:])
	return answer
}
