package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/messngr/messngr"
	"zombiezen.com/go/sqlite"
)

// PutRecords implements Records.
func (s *SQLite) PutRecords(ctx context.Context, records ...messngr.NameRecord) error {
	for _, r := range records {
		if err := checkRecord(r); err != nil {
			return err
		}
	}
	records = slices.Clone(records) // they are read when the caller may have given up
	return s.group.submit(ctx, request{other: func(w *writer) (refused, err error) {
		stmt, err := w.conn.Prepare(`INSERT OR REPLACE INTO name_records
			(name, scope, kind, state, static, expires, source, addrs) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
		if err != nil {
			return nil, err
		}
		var addrs []byte
		for i := range records {
			r := &records[i]
			addrs = appendAddrs(addrs[:0], r.Addrs)
			stmt.BindBytes(1, r.Name[:])
			stmt.BindBytes(2, []byte(r.Scope))
			stmt.BindInt64(3, int64(r.Kind))
			stmt.BindInt64(4, int64(r.State))
			stmt.BindBool(5, r.Static)
			stmt.BindInt64(6, nanos(r.Expires))
			stmt.BindText(7, addrText(r.Source))
			stmt.BindBytes(8, addrs)
			if err := run(stmt); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}})
}

// DeleteRecords implements Records.
func (s *SQLite) DeleteRecords(ctx context.Context, keys ...messngr.NameKey) error {
	keys = slices.Clone(keys)
	return s.group.submit(ctx, request{other: func(w *writer) (refused, err error) {
		stmt, err := w.conn.Prepare("DELETE FROM name_records WHERE name = ? AND scope = ?")
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			stmt.BindBytes(1, k.Name[:])
			stmt.BindBytes(2, []byte(k.Scope))
			if err := run(stmt); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}})
}

// Records implements Records. It reads page by page and lets the committer in
// between.
func (s *SQLite) Records(ctx context.Context, f func(messngr.NameRecord) error) error {
	var last messngr.NameKey
	page := make([]messngr.NameRecord, 0, pageRows)
	for from := "(name, scope) >= (?, ?)"; ; from = "(name, scope) > (?, ?)" {
		page = page[:0]
		err := s.read(ctx, func(r *reader) error {
			stmt, err := r.conn.Prepare(`SELECT name, scope, kind, state, static, expires, source, addrs
				FROM name_records WHERE ` + from + " ORDER BY name, scope LIMIT ?")
			if err != nil {
				return err
			}
			stmt.BindBytes(1, last.Name[:])
			stmt.BindBytes(2, []byte(last.Scope))
			stmt.BindInt64(3, pageRows)
			return each(stmt, func(row *sqlite.Stmt) error {
				record, err := nameRecord(row)
				page = append(page, record)
				return err
			})
		})
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := f(r); err != nil {
				return err
			}
		}
		if len(page) < pageRows {
			return nil
		}
		last = page[len(page)-1].NameKey
	}
}

func nameRecord(row *sqlite.Stmt) (r messngr.NameRecord, err error) {
	row.ColumnBytes(0, r.Name[:])
	if n := row.ColumnLen(1); n > 0 {
		scope := make([]byte, n)
		row.ColumnBytes(1, scope)
		r.Scope = string(scope)
	}
	r.Kind = messngr.NameKind(row.ColumnInt64(2))
	r.State = messngr.NameState(row.ColumnInt64(3))
	r.Static = row.ColumnBool(4)
	r.Expires = fromNanos(row.ColumnInt64(5))
	if text := row.ColumnText(6); text != "" {
		r.Source, err = netip.ParseAddr(text)
	}
	if err == nil {
		var buf [4 * addrSize]byte
		addrs := buf[:]
		if n := row.ColumnLen(7); n > len(buf) {
			addrs = make([]byte, n)
		}
		r.Addrs, err = parseAddrs(addrs[:row.ColumnBytes(7, addrs)])
	}
	if err != nil {
		return messngr.NameRecord{}, fmt.Errorf("name record %q: %w", r.Name[:], err)
	}
	return r, nil
}

// addrSize is the size of an address in the column addrs: the address, its
// flags, when it expires, in network order.
const addrSize = 4 + 2 + 8

func appendAddrs(b []byte, addrs []messngr.NameAddr) []byte {
	for _, a := range addrs {
		ip := a.Addr.As4()
		b = append(b, ip[:]...)
		b = binary.BigEndian.AppendUint16(b, a.Flags)
		b = binary.BigEndian.AppendUint64(b, uint64(nanos(a.Expires)))
	}
	return b
}

func parseAddrs(b []byte) ([]messngr.NameAddr, error) {
	if len(b)%addrSize != 0 {
		return nil, fmt.Errorf("addresses of %d bytes, want a multiple of %d", len(b), addrSize)
	}
	if len(b) == 0 {
		return nil, nil
	}
	addrs := make([]messngr.NameAddr, 0, len(b)/addrSize)
	for ; len(b) > 0; b = b[addrSize:] {
		addrs = append(addrs, messngr.NameAddr{
			Addr:    netip.AddrFrom4([4]byte(b)),
			Flags:   binary.BigEndian.Uint16(b[4:]),
			Expires: fromNanos(int64(binary.BigEndian.Uint64(b[6:]))),
		})
	}
	return addrs, nil
}

// checkRecord refuses a record that could not be read again as it was.
func checkRecord(r messngr.NameRecord) error {
	for _, a := range r.Addrs {
		if !a.Addr.Is4() {
			return fmt.Errorf("%w: name record %q has the address %v, want IPv4", messngr.ErrNoRoom, r.Name[:], a.Addr)
		}
	}
	return nil
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// PutRecords implements Records.
func (s *Memory) PutRecords(ctx context.Context, records ...messngr.NameRecord) error {
	for _, r := range records {
		if err := checkRecord(r); err != nil {
			return err
		}
	}
	return s.change(ctx, func() error {
		if s.records == nil {
			s.records = make(map[messngr.NameKey]messngr.NameRecord)
		}
		for _, r := range records {
			r.Expires = plain(r.Expires)
			r.Addrs = slices.Clone(r.Addrs)
			for i := range r.Addrs {
				r.Addrs[i].Expires = plain(r.Addrs[i].Expires)
			}
			s.records[r.NameKey] = r
		}
		return nil
	})
}

// DeleteRecords implements Records.
func (s *Memory) DeleteRecords(ctx context.Context, keys ...messngr.NameKey) error {
	return s.change(ctx, func() error {
		for _, k := range keys {
			delete(s.records, k)
		}
		return nil
	})
}

// Records implements Records.
func (s *Memory) Records(ctx context.Context, f func(messngr.NameRecord) error) error {
	var records []messngr.NameRecord
	err := s.change(ctx, func() error {
		records = slices.SortedFunc(maps.Values(s.records), func(a, b messngr.NameRecord) int {
			return cmp.Or(slices.Compare(a.Name[:], b.Name[:]), strings.Compare(a.Scope, b.Scope))
		})
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range records {
		r.Addrs = slices.Clone(r.Addrs)
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}
