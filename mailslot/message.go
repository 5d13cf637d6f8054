package mailslot

import (
	"bytes"
	"fmt"

	"github.com/messngr/messngr/internal/wire"
)

// MaxMessage is the most bytes that a Message has on the wire, its three NULs
// included: MaxData of Messenger.
const MaxMessage = 424

// A Message is what is written to \MAILSLOT\MESSNGR: [MS-MSRP] 2.2 and 3.2.4.4.
// The strings are in the OEM code page of the sender, without their NULs; line
// ends in the text are the sender's.
type Message struct {
	From, To, Text []byte
}

// Size returns the number of bytes that the message has on the wire.
func (m Message) Size() int { return len(m.From) + len(m.To) + len(m.Text) + 3 }

// AppendBinary appends the message, with a NUL behind each of its three strings.
// It fails when one of them holds a NUL, or when the message is longer than
// MaxMessage.
func (m Message) AppendBinary(b []byte) ([]byte, error) {
	if m.Size() > MaxMessage {
		return nil, fmt.Errorf("%w: a message of %d bytes, at most %d fit", ErrInvalid, m.Size(), MaxMessage)
	}
	for i, s := range [...][]byte{m.From, m.To, m.Text} {
		if at := bytes.IndexByte(s, 0); at >= 0 {
			return nil, fmt.Errorf("%w: a NUL at byte %d of %s", ErrInvalid, at, [...]string{"From", "To", "Text"}[i])
		}
	}
	b = append(append(b, m.From...), 0)
	b = append(append(b, m.To...), 0)
	return append(append(b, m.Text...), 0), nil
}

// ParseMessage reads the data of a write to \MAILSLOT\MESSNGR. The strings alias
// data.
//
// Deliberately lax where programs that write to the mailslot by themselves have
// miscounted: the NUL behind the text may be missing, and bytes behind it are
// left alone. The NULs behind From and To must be there, since nothing else
// tells the strings apart. The size is not looked at: a write of the first
// class may be longer than MaxMessage.
func ParseMessage(data []byte) (Message, error) {
	r := wire.NewReader("mailslot message", data)
	// From, To, Text: NUL-terminated
	m := Message{From: r.Until("From", 0), To: r.Until("To", 0)}
	if r.Err() == nil && bytes.IndexByte(data[r.Offset():], 0) < 0 {
		m.Text = r.Rest()
	} else {
		m.Text = r.Until("Text", 0)
	}
	if err := r.Err(); err != nil {
		return Message{}, err
	}
	return m, nil
}
