package messngr

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
)

// An ID identifies a message everywhere and for ever: a UUID of version 7, 16
// bytes, as described in RFC 9562 5.7. The IDs that one process makes grow in
// the order in which they were made.
type ID [16]byte

var lastID struct {
	sync.Mutex
	millis uint64
	count  uint16 // rand_a, 12 bits, counts up within a millisecond: RFC 9562 6.2, method 1
}

// NewID returns an ID of the time now.
func NewID(now time.Time) ID {
	var id ID
	rand.Read(id[8:]) // never fails: crypto/rand

	lastID.Lock()
	if millis := uint64(now.UnixMilli()); millis > lastID.millis {
		lastID.millis, lastID.count = millis, 0
	} else if lastID.count++; lastID.count == 1<<12 {
		lastID.millis, lastID.count = lastID.millis+1, 0 // borrow from the next millisecond
	}
	millis, count := lastID.millis, lastID.count
	lastID.Unlock()

	binary.BigEndian.PutUint64(id[:8], millis<<16|7<<12|uint64(count))
	id[8] = id[8]&0x3F | 0x80
	return id
}

// ErrInvalidID is what ParseID's errors wrap.
var ErrInvalidID = errors.New("invalid message id")

// ParseID reads the form that String writes: 8-4-4-4-12 hexadecimal digits.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, fmt.Errorf("%w %q: want 8-4-4-4-12 hexadecimal digits", ErrInvalidID, s)
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return ID{}, fmt.Errorf("%w %q: %w", ErrInvalidID, s, err)
	}
	return id, nil
}

// AppendText appends the form 8-4-4-4-12 in lower case; it never fails.
func (id ID) AppendText(b []byte) ([]byte, error) {
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b, nil
}

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// String returns the form 8-4-4-4-12 in lower case.
func (id ID) String() string {
	b, _ := id.AppendText(make([]byte, 0, 36))
	return string(b)
}
