package ncacn

import (
	"errors"
	"fmt"
	"io"
)

// A Reader reads PDUs from a stream, with one Read for as many as have arrived.
type Reader struct {
	src        io.Reader
	buf        []byte
	start, end int // the bytes read and not yet returned
}

// NewReader returns a Reader of src that refuses PDUs of more than max bytes. It
// has a buffer of that size and allocates nothing more.
func NewReader(src io.Reader, max int) *Reader {
	return &Reader{src: src, buf: make([]byte, max)}
}

// Reset makes r read from src, keeping its buffer.
func (r *Reader) Reset(src io.Reader) { r.src, r.start, r.end = src, 0, 0 }

// Next returns the next PDU: its header, and all its bytes, which are valid
// until the next call.
//
// The error is io.EOF when the stream ends between two PDUs,
// io.ErrUnexpectedEOF when it ends inside one, what the stream returned, or
// wraps ErrInvalid. The header comes with an error too if all that is wrong is
// the length.
func (r *Reader) Next() (Header, []byte, error) {
	for {
		have := r.buf[r.start:r.end]
		if len(have) >= HeaderSize {
			h, err := ParseHeader(have)
			if err != nil {
				return Header{}, nil, err
			}
			n := int(h.Length)
			if n > len(r.buf) {
				return h, nil, fmt.Errorf("RPC packet %v: %w: a frag_length of %d, at most %d are taken", h.Type, ErrInvalid, n, len(r.buf))
			}
			if len(have) >= n {
				r.start += n
				return h, have[:n:n], nil
			}
		}
		if err := r.fill(); err != nil {
			return Header{}, nil, err
		}
	}
}

// fill reads once, after making room.
func (r *Reader) fill() error {
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	switch {
	case n > 0:
		return nil // an error that came with bytes comes again
	case errors.Is(err, io.EOF) && r.end > 0:
		return fmt.Errorf("RPC packet: %w", io.ErrUnexpectedEOF)
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}
