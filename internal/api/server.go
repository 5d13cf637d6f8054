package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/hub"
	"github.com/messngr/messngr/internal/store"
)

// maxDraft is the most bytes of a request body.
const maxDraft = 1 << 20

// shutdownGrace is how long the end of the service waits for requests. A
// client that watches and does not read, as one that is stopped, takes it all.
const shutdownGrace = 2 * time.Second

// page is the number of messages that are read from the store at once.
const page = 200

// Config is what the API serves. All fields must be set.
type Config struct {
	Store  store.Store
	Hub    *hub.Hub
	Status func() Status
	// Post takes a draft through the one door. With messngr.ErrPaused it is kept
	// all the same.
	Post  func(context.Context, Draft) (messngr.ID, error)
	Names Names
	// Control pauses and ends the service.
	Control Control
	// Neighbours lists the hosts that have announced themselves.
	Neighbours func() []Neighbour
	// WINS goes through the names that the service knows as a name server. If
	// it is none the error is ErrNoWINS.
	WINS func() (iter.Seq[WINSName], error)
	Log  *slog.Logger
}

// A Server serves the API on a unix socket.
type Server struct {
	cfg   Config
	ln    net.Listener
	mux   *http.ServeMux
	ready chan struct{}
	taken atomic.Int64 // messages
}

// New returns a server on ln, which Run closes.
func New(ln net.Listener, cfg Config) *Server {
	s := &Server{cfg: cfg, ln: ln, mux: http.NewServeMux(), ready: make(chan struct{})}
	s.mux.HandleFunc("GET /v1/status", s.status)
	s.mux.HandleFunc("GET /v1/messages", s.messages)
	s.mux.HandleFunc("POST /v1/messages", s.post)
	s.mux.HandleFunc("GET /v1/names", s.names)
	s.mux.HandleFunc("POST /v1/names", s.addName)
	s.mux.HandleFunc("DELETE /v1/names", s.deleteName)
	s.mux.HandleFunc("POST /v1/pause", change(func(ctx context.Context) error { return cfg.Control.Pause(ctx) }))
	s.mux.HandleFunc("POST /v1/continue", change(func(ctx context.Context) error { return cfg.Control.Continue(ctx) }))
	s.mux.HandleFunc("POST /v1/release", s.release)
	s.mux.HandleFunc("POST /v1/stop", s.stop)
	s.mux.HandleFunc("GET /v1/wins", s.wins)
	s.mux.HandleFunc("GET /v1/neighbours", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.cfg.Neighbours()) })
	return s
}

// NewInject returns a server on ln that takes messages and does nothing else:
// what every user of this host may reach. post takes a draft through the one
// door.
func NewInject(ln net.Listener, post func(context.Context, Draft) (messngr.ID, error), log *slog.Logger) *Server {
	s := &Server{cfg: Config{Post: post, Log: log}, ln: ln, mux: http.NewServeMux(), ready: make(chan struct{})}
	s.mux.HandleFunc("POST /v1/messages", s.post)
	return s
}

// String names the server in logs.
func (s *Server) String() string { return "api " + s.ln.Addr().String() }

// Counters returns what the server has counted, by name.
func (s *Server) Counters() map[string]int64 { return map[string]int64{"messages": s.taken.Load()} }

// Ready is closed when requests are taken.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run serves until ctx is done. Requests that have begun are answered, except
// that those that watch end.
func (s *Server) Run(ctx context.Context) error {
	srv := &http.Server{
		Handler:           s.mux,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // ends those that watch
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	down := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(down)
		grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	defer stop()
	close(s.ready)
	if err := srv.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-down // Serve returns as soon as Shutdown begins
	return nil
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, s.cfg.Status())
}

func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	var d Draft
	if err := decode(w, r, &d); err != nil {
		fail(w, statusOf(err), err)
		return
	}
	id, err := s.cfg.Post(r.Context(), d)
	state := messngr.Received
	if errors.Is(err, messngr.ErrPaused) {
		state, err = messngr.Held, nil
	}
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	s.taken.Add(1)
	reply(w, http.StatusCreated, Posted{id, state})
}

// errBody is wrapped by every error about a body that is not what it should be.
var errBody = errors.New("the body is not what is asked for")

// decode reads a request's body into v.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDraft))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return fmt.Errorf("%w: it has more than %d bytes: %w", errBody, large.Limit, err)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows it", errBody)
	}
	return nil
}

// messages writes stored messages, oldest first, and with watch=1 goes on with
// each new one.
func (s *Server) messages(w http.ResponseWriter, r *http.Request) {
	q := store.Query{Limit: page}
	var err error
	if v := r.FormValue("after"); v != "" {
		if q.After, err = messngr.ParseID(v); err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("after: %w", err))
			return
		}
	}
	last := -1
	if v := r.FormValue("last"); v != "" {
		if last, err = strconv.Atoi(v); err != nil || last < 0 {
			fail(w, http.StatusBadRequest, fmt.Errorf("last: %q is not a number of messages", v))
			return
		}
	}
	q.State = messngr.State(r.FormValue("state"))
	watch := r.FormValue("watch") == "1"
	if q.State != "" && watch {
		// A message changes its state after it has been passed.
		fail(w, http.StatusBadRequest, errors.New("state and watch do not go together: watch, and look at the state of each message"))
		return
	}
	// The subscription only says that there is something new; what it is comes
	// from the store, so that a slow reader misses nothing.
	news := s.cfg.Hub.Subscribe()
	if last == 0 {
		q.Last = 1 // to know after which one the new ones come
	} else if last > 0 {
		q.Last = last
	}

	w.Header().Set("Content-Type", "application/x-ndjson")
	flush := http.NewResponseController(w).Flush
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for first := true; ; first = false {
		entries, err := s.cfg.Store.Entries(r.Context(), q)
		if err != nil {
			if first {
				if errors.Is(err, store.ErrUnknown) { // where it is kept is nothing to the client
					err = fmt.Errorf("after: %w %v", store.ErrUnknown, q.After)
				}
				fail(w, statusOf(err), err)
				return
			}
			if r.Context().Err() == nil {
				s.cfg.Log.Error("messages could not be read to their end", "error", err)
			}
			panic(http.ErrAbortHandler) // breaks the response off, else it would look complete
		}
		if n := len(entries); n > 0 {
			q.After = entries[n-1].ID
		}
		q.Last = 0 // was about those that were there
		if first && last == 0 {
			entries = nil
		}
		for i := range entries {
			if enc.Encode(toMessage(&entries[i])) != nil {
				return // the client has gone
			}
		}
		if len(entries) == q.Limit {
			continue
		}
		if flush() != nil || !watch {
			return
		}
		if _, _, err := news.Next(r.Context(), nil); err != nil {
			return
		}
	}
}

// statusOf returns the HTTP status that says what kind of error err is.
func statusOf(err error) int {
	var large *http.MaxBytesError
	var nerr messngr.NERR
	switch {
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrDraft), errors.Is(err, ErrName), errors.Is(err, errBody):
		return http.StatusBadRequest
	case errors.Is(err, store.ErrUnknown), errors.Is(err, ErrNoWINS), errors.Is(err, messngr.NERRNotLocalName):
		return http.StatusNotFound
	case errors.As(err, &nerr), errors.Is(err, ErrState):
		return http.StatusConflict
	case errors.Is(err, messngr.ErrNoRoom):
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

func fail(w http.ResponseWriter, code int, err error) {
	p := Problem{Text: err.Error()}
	errors.As(err, &p.NERR)
	reply(w, code, p)
}

func reply(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body)
}
