package sender

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/netbios"
)

const (
	// askAtOnce is how many hosts are asked for their names at the same time.
	askAtOnce = 64
	// callAtOnce is how many users are sent to at the same time.
	callAtOnce = 16
)

// A Station is a host by its node status.
type Station struct {
	Addr  netip.Addr
	Name  string // of the computer; "" if it does not say
	Users []User
}

// A User is a name that messages can be sent to, of a person or an alias: they
// look the same. It is what a host says of itself.
type User struct {
	Name string
	Host netip.Addr
	name netbios.Name // <03>
}

// Stations returns the hosts that can be seen in a workgroup, with the names
// that they have. The error is a *resolver.NotFoundError if there are none.
func (s *Sender) Stations(ctx context.Context, workgroup string) ([]Station, error) {
	group, err := encodeGroup(s.cfg.Page(netip.Addr{}, workgroup), workgroup)
	if err != nil {
		return nil, err
	}
	members, err := s.cfg.Resolver.Members(ctx, group)
	if err != nil {
		return nil, err
	}
	return s.stations(ctx, members)
}

// Users returns the users of all hosts that can be seen on the networks of this
// one, in the order of the hosts, and how many hosts those are. They are in
// whatever workgroup: who does not answer when everybody is asked, but is in
// the workgroup named here, is seen too.
func (s *Sender) Users(ctx context.Context, workgroup string) (users []User, hosts int, err error) {
	group, err := encodeGroup(s.cfg.Page(netip.Addr{}, workgroup), workgroup)
	if err != nil {
		return nil, 0, err
	}
	var found [2][]resolver.Found
	var asking sync.WaitGroup
	for i, name := range []netbios.Name{netbios.Wildcard, group} {
		asking.Go(func() { found[i], _ = s.cfg.Resolver.Members(ctx, name) }) // nobody is no error here
	}
	asking.Wait()
	all := found[0]
	for _, f := range found[1] {
		if !slices.ContainsFunc(all, func(a resolver.Found) bool { return a.Addr == f.Addr }) {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b resolver.Found) int { return a.Addr.Compare(b.Addr) })
	stations, err := s.stations(ctx, all)
	for _, st := range stations {
		users = append(users, st.Users...)
	}
	return users, len(stations), err
}

// stations asks hosts for their names.
func (s *Sender) stations(ctx context.Context, hosts []resolver.Found) ([]Station, error) {
	stations := make([]Station, len(hosts))
	var asking sync.WaitGroup
	limit := make(chan struct{}, askAtOnce)
	for i, h := range hosts {
		asking.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			stations[i] = s.station(ctx, h.Addr)
		})
	}
	asking.Wait()
	// A host on two networks answers on both, and says the same.
	seen := map[string]bool{}
	stations = slices.DeleteFunc(stations, func(st Station) bool {
		says := st.says()
		again := st.Name != "" && seen[says]
		seen[says] = true
		return again
	})
	return stations, ctx.Err()
}

// says returns what the station says of itself, as one string.
func (st Station) says() string {
	all := st.Name
	for _, u := range st.Users {
		all += "\n" + u.Name
	}
	return all
}

// station asks a host for its names.
func (s *Sender) station(ctx context.Context, addr netip.Addr) Station {
	st := Station{Addr: addr}
	status, err := s.cfg.Resolver.NodeStatus(ctx, addr)
	if err != nil {
		return st
	}
	page := s.cfg.Page(addr)
	host := resolver.Host{Addr: addr, Status: status}
	if computer, ok := host.Computer(); ok {
		st.Name = page.DecodeName([]byte(computer.Base()))
	}
	for _, name := range host.Users() {
		st.Users = append(st.Users, User{page.DecodeName([]byte(name.Base())), addr, name})
	}
	return st
}

// SendToUsers sends d to each of the users, whatever its To, and calls report
// with what became of each, in their order.
//
// They are called at the hosts that said to have them, under those names and no
// others. To look a name up that a host has made up, such as an address or a
// host of the DNS, would send the message wherever that host likes.
func (s *Sender) SendToUsers(ctx context.Context, users []User, d Draft, report func(messngr.Delivery)) {
	limit := make(chan struct{}, callAtOnce)
	outcomes := make([]chan messngr.Delivery, len(users))
	for i := range outcomes {
		outcomes[i] = make(chan messngr.Delivery, 1)
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		for i, u := range users {
			limit <- struct{}{}
			sending.Go(func() {
				outcomes[i] <- s.sendToUser(ctx, u, d)
				<-limit
			})
		}
	})
	for _, outcome := range outcomes {
		report(<-outcome)
	}
}

func (s *Sender) sendToUser(ctx context.Context, u User, d Draft) messngr.Delivery {
	d.To = u.Name
	return s.deliver(ctx, d, func() (resolver.Found, error) {
		return resolver.Found{Addr: u.Host, Name: u.name, From: resolver.FromBroadcast}, nil
	})
}
