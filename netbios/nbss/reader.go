package nbss

import (
	"errors"
	"fmt"
	"io"
)

// firstRead is the size of a Reader's first buffer in bytes. A message command
// of the usual 128-byte block fits several times.
const firstRead = 1024

// A Reader reads packets from a stream, with one Read for as many packets as
// have arrived. Its buffer grows with what the peer has really sent, never with
// what a header announces.
type Reader struct {
	src        io.Reader
	max        int
	buf        []byte
	start, end int // the bytes read and not yet returned
}

// NewReader returns a Reader of src that refuses packets with a trailer of more
// than max bytes.
func NewReader(src io.Reader, max int) *Reader {
	return &Reader{src: src, max: max}
}

// Reset makes r read from src, keeping its buffer.
func (r *Reader) Reset(src io.Reader) {
	r.src, r.start, r.end = src, 0, 0
	if cap(r.buf) > 8*firstRead {
		r.buf = nil // a big message came by; do not keep its room for ever
	}
}

// Buffered returns the number of bytes that have been read from the stream and
// not yet returned.
func (r *Reader) Buffered() int { return r.end - r.start }

// Next returns the next packet. Its trailer is valid until the next call.
//
// The error is io.EOF when the stream ends between two packets,
// io.ErrUnexpectedEOF when it ends inside one, what the stream returned, or
// wraps ErrInvalid.
func (r *Reader) Next() (Packet, error) {
	for {
		have := r.buf[r.start:r.end]
		if len(have) >= HeaderSize {
			t, n, err := ParseHeader(have)
			if err != nil {
				return Packet{}, err
			}
			if n > r.max {
				return Packet{}, fmt.Errorf("session packet: %w: a trailer of %d bytes, at most %d are taken", ErrInvalid, n, r.max)
			}
			if whole := HeaderSize + n; len(have) >= whole {
				r.start += whole
				return Packet{t, have[HeaderSize:whole:whole]}, nil
			}
		}
		if err := r.fill(); err != nil {
			return Packet{}, err
		}
	}
}

// fill reads once, after making room.
func (r *Reader) fill() error {
	if r.start == r.end {
		r.start, r.end = 0, 0
	}
	switch {
	case r.buf == nil:
		r.buf = make([]byte, firstRead)
	case r.end == len(r.buf) && r.start > 0:
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	case r.end == len(r.buf):
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	switch {
	case n > 0:
		return nil // an error that came with bytes comes again
	case errors.Is(err, io.EOF) && r.start != r.end:
		return fmt.Errorf("session packet: %w", io.ErrUnexpectedEOF)
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}
