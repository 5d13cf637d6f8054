package wins

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios"
)

// maxMembers is the most addresses of one name: what Windows keeps of an
// internet group. A reply with all of them stays below nbns.MaxSize.
const maxMembers = 25

// A key is a name with its scope.
type key struct {
	name  netbios.Name
	scope netbios.Scope
}

func (k key) String() string {
	if k.scope == "" {
		return k.name.String()
	}
	return k.name.String() + "." + k.scope.String()
}

// Times are seconds since 1970, which fit until 2106.

// never is the expiry of a static name.
const never = math.MaxUint32

func seconds(t time.Time) uint32 { return uint32(min(max(t.Unix(), 0), never)) }

func fromSeconds(n uint32) time.Time {
	if n == never {
		return time.Time{}
	}
	return time.Unix(int64(n), 0).UTC()
}

// compare puts keys into the order of their bytes.
func (k key) compare(other key) int {
	return cmp.Or(bytes.Compare(k.name[:], other.name[:]), cmp.Compare(k.scope, other.scope))
}

// A member is an address of a name.
type member struct {
	addr    [4]byte
	expires uint32
	kept    uint32 // its expiry in the store: never before expires
	flags   uint16 // NB_FLAGS
}

// An entry is what there is to know of a name, opened up to be looked at and
// changed. The table keeps it as a record.
type entry struct {
	kind   messngr.NameKind
	state  messngr.NameState
	static bool
	source [4]byte  // who has registered it
	forget uint32   // of a released one: when it is forgotten
	addrs  []member // at least one
}

// expires returns when the last of the addresses expires.
func (e *entry) expires() (last uint32) {
	for _, m := range e.addrs {
		last = max(last, m.expires)
	}
	return last
}

// active reports whether the name has an owner.
func (e *entry) active(now uint32) bool {
	return e.static || e.state == messngr.NameActive && e.expires() > now
}

// find returns the place of an address, -1 if it is not there.
func (e *entry) find(addr [4]byte) int {
	for i := range e.addrs {
		if e.addrs[i].addr == addr {
			return i
		}
	}
	return -1
}

// A record is an entry, packed: there are a million of them. It has no
// pointers, so that the garbage collector passes them by.
type record struct {
	member         // the first one
	source [4]byte // as in an entry
	kind   messngr.NameKind
	marks  uint8
}

// The marks of a record.
const (
	markReleased uint8 = 1 << iota // expires says when it is forgotten
	markStatic
	markSeveral // the addresses are in shard.several
)

func (r record) static() bool { return r.marks&markStatic != 0 }

// active reports whether the name has an owner.
func (r record) active(now uint32) bool {
	return r.marks&markReleased == 0 && r.expires > now
}

// A table holds all names, in shards that each have a lock of their own: who
// reads all of them never stops a query for long.
type table struct {
	seed   maphash.Seed
	shards [shards]shard
}

const shards = 256

type shard struct {
	mu      sync.RWMutex
	plain   map[netbios.Name]record // those without a scope: nearly all
	scoped  map[key]record
	several map[key][]member // the addresses of records that have more than one; never changed, only replaced
}

func newTable() *table {
	t := &table{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].plain = make(map[netbios.Name]record)
		t.shards[i].scoped = make(map[key]record)
		t.shards[i].several = make(map[key][]member)
	}
	return t
}

func (t *table) shard(name netbios.Name) *shard {
	return &t.shards[maphash.Bytes(t.seed, name[:])%shards]
}

// lookup returns the record of a name. The shard must be locked.
func (sh *shard) lookup(k key) (record, bool) {
	if k.scope == "" {
		r, ok := sh.plain[k.name]
		return r, ok
	}
	r, ok := sh.scoped[k]
	return r, ok
}

// get returns the record of a name.
func (t *table) get(k key) (record, bool) {
	sh := t.shard(k.name)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.lookup(k)
}

// open returns the entry of a name, which is the caller's to change.
func (t *table) open(k key) (entry, bool) {
	sh := t.shard(k.name)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	r, ok := sh.lookup(k)
	if !ok {
		return entry{}, false
	}
	return sh.entry(k, r), true
}

// entry opens a record of the shard, which must be locked.
func (sh *shard) entry(k key, r record) entry {
	e := entry{kind: r.kind, state: messngr.NameActive, static: r.static(), source: r.source}
	if r.marks&markSeveral != 0 {
		e.addrs = append(e.addrs, sh.several[k]...)
	} else {
		e.addrs = []member{r.member}
	}
	if r.marks&markReleased != 0 {
		e.state, e.forget = messngr.NameReleased, r.expires
	}
	return e
}

// put replaces what there is of a name. It does not keep e.addrs.
func (t *table) put(k key, e entry) {
	r := record{member: e.addrs[0], source: e.source, kind: e.kind}
	r.expires = e.expires()
	if e.state == messngr.NameReleased {
		r.marks |= markReleased
		r.expires = e.forget
	}
	if e.static {
		r.marks |= markStatic
	}
	var several []member
	if len(e.addrs) > 1 {
		r.marks |= markSeveral
		several = append(several, e.addrs...)
	}

	sh := t.shard(k.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if several != nil {
		sh.several[k] = several
	} else {
		delete(sh.several, k)
	}
	if k.scope == "" {
		sh.plain[k.name] = r
	} else {
		sh.scoped[k] = r
	}
}

// delete forgets a name.
func (t *table) delete(k key) {
	sh := t.shard(k.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.several, k)
	if k.scope == "" {
		delete(sh.plain, k.name)
	} else {
		delete(sh.scoped, k)
	}
}

// fromRecord returns what a record says.
func fromRecord(r messngr.NameRecord) (key, entry, error) {
	k := key{name: r.Name, scope: netbios.Scope(r.Scope)}
	if len(r.Addrs) == 0 || len(r.Addrs) > maxMembers {
		return k, entry{}, fmt.Errorf("%v: %w", k, errNoAddress)
	}
	e := entry{kind: r.Kind, state: r.State, static: r.Static}
	if r.Source.Is4() {
		e.source = r.Source.As4()
	}
	if r.State == messngr.NameReleased {
		e.forget = seconds(r.Expires)
	}
	for _, a := range r.Addrs {
		if !a.Addr.Is4() {
			return k, entry{}, fmt.Errorf("%v: address %v, want IPv4", k, a.Addr)
		}
		m := member{addr: a.Addr.As4(), flags: a.Flags, expires: never}
		if !r.Static {
			m.expires = seconds(a.Expires)
		}
		m.kept = m.expires
		e.addrs = append(e.addrs, m)
	}
	return k, e, nil
}

// toRecord is the reverse of fromRecord. Stored says that it is for the store:
// then the times are those that are kept.
func toRecord(k key, e entry, stored bool) messngr.NameRecord {
	r := messngr.NameRecord{
		NameKey: messngr.NameKey{Name: k.name, Scope: string(k.scope)},
		Kind:    e.kind,
		State:   e.state,
		Static:  e.static,
		Addrs:   make([]messngr.NameAddr, len(e.addrs)),
	}
	if !e.static {
		r.Source = netip.AddrFrom4(e.source)
	}
	var last uint32
	for i, m := range e.addrs {
		expires := m.expires
		if stored {
			expires = m.kept
		}
		last = max(last, expires)
		r.Addrs[i] = messngr.NameAddr{Addr: netip.AddrFrom4(m.addr), Flags: m.flags, Expires: fromSeconds(expires)}
	}
	if e.state == messngr.NameReleased {
		last = e.forget
	}
	r.Expires = fromSeconds(last)
	return r
}
