package main

import "time"

// The targets of the name service.
const (
	nmbdTarget  = 1.3                     // at least, times nmbd, or:
	limitTarget = 0.9                     // at least, of the floor, which is then the client's limit, with less processor time than nmbd
	echoTarget  = 0.8                     // at least, of the floor under our own load
	firstTarget = 1000 * time.Millisecond // from start to the first name, at most
	scanTarget  = 2 * time.Second         // for 254 silent addresses, at most
)

// A namesReport is what was measured of the name service.
type namesReport struct {
	Torture []tortureRate `json:"smbtorture"`
	Asked   []askedRate   `json:"asked"`
	Start   startTimes    `json:"start"`
	Scans   []scanTimes   `json:"scans"`
	Records recordsUse    `json:"records"`
}

// A tortureRate is a load of smbtorture on three servers.
type tortureRate struct {
	Test        string    `json:"test"`
	Floor       nameServe `json:"floor"`
	NMBD        nameServe `json:"nmbd"`
	Ours        nameServe `json:"ours"`
	NMBDToFloor summary   `json:"nmbd_to_floor"`
	OursToFloor summary   `json:"ours_to_floor"`
	OursToNMBD  summary   `json:"ours_to_nmbd"`
}

// A nameServe is what a server does under a load, and what it costs.
type nameServe struct {
	Rate     summary `json:"rate"`      // answers a second
	CPU      summary `json:"cpu_us"`    // processor time of the server, in microseconds an answer
	Client   summary `json:"client_us"` // and of the client
	Failures int     `json:"failures"`  // what the client did not like
}

// verdict says whether the target is met.
func (r tortureRate) verdict() string {
	switch cpu := r.Ours.CPU.Median / r.NMBD.CPU.Median; {
	case r.Ours.Failures > 0:
		return missed + ": it failed"
	case r.OursToNMBD.Median >= nmbdTarget:
		return met
	case r.OursToFloor.Median >= limitTarget && cpu < 1:
		return met + ": the client's limit, with " + ratio(cpu) + " of nmbd's processor time"
	}
	return missed
}

// An askedRate is our own load on ours and on the floor.
type askedRate struct {
	askCell
	Floor       nameServe `json:"floor"`
	Ours        nameServe `json:"ours"`
	OursToFloor summary   `json:"ours_to_floor"`
}

// An askCell is one way to ask for names.
type askCell struct {
	Status  bool `json:"node_status"`
	Sockets int  `json:"sockets"`
}

func (c askCell) String() string {
	if c.Status {
		return "node status"
	}
	return "name query"
}

// StartTimes are the times from the start of a process until another host's
// broadcast finds its name, in milliseconds.
type startTimes struct {
	Ours summary `json:"ours_ms"`
	NMBD float64 `json:"nmbd_ms"`
}

// ScanTimes are the times of whole processes that look for all hosts of a /24,
// in milliseconds.
type scanTimes struct {
	Live          int     `json:"live"` // of 254 addresses
	Ours          summary `json:"ours_ms"`
	NBTScan       summary `json:"nbtscan_ms"`
	OursToNBTScan summary `json:"ours_to_nbtscan"`
}

// A recordsUse is a name server that knows many names.
type recordsUse struct {
	Names  int     `json:"names"`
	Fill   float64 `json:"fill_ms"`        // to put them into the store
	Start  float64 `json:"start_ms"`       // from start to the first answer
	Empty  float64 `json:"empty_start_ms"` // the same without a name
	Before size    `json:"empty"`
	After  size    `json:"loaded"`
	Peak   int64   `json:"peak_rss"`
	Each   float64 `json:"bytes_a_name"`
	Ours   waits   `json:"ours"`
	Floor  waits   `json:"floor"`
}

// Waits are the times from question to answer, in microseconds, of questions
// for names at random, one after the other.
type waits struct {
	Rate summary `json:"rate"`
	P50  summary `json:"p50_us"`
	P99  summary `json:"p99_us"`
}

// A namesSize says how much of the name service is measured.
type namesSize struct {
	Torture, Asks, Starts, Scans, Waits int // rounds
	Slice                               slice
	Records                             int
}

func (o options) namesSize() namesSize {
	if o.Quick {
		return namesSize{Torture: 1, Asks: 1, Starts: 1, Scans: 1, Waits: 1, Slice: slice{N: 1000}, Records: 10_000}
	}
	return namesSize{Torture: 7, Asks: 7, Starts: 3, Scans: 2, Waits: 3, Slice: slice{For: 300 * time.Millisecond}, Records: 1_000_000}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
