package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/messngr/messngr"
)

// A Client talks to the service that runs in a data directory.
type Client struct {
	http http.Client
}

// NewClient returns a Client. Whether a service is there shows at the first
// call.
func NewClient(data string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return dial(data) },
		DisableKeepAlives: true,
	}}}
}

// NewInjectClient returns a Client that can Post, on the socket that a service
// has for that.
func NewInjectClient(socket string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			conn, err := net.DialTimeout("unix", socket, dialTimeout)
			if err != nil {
				return nil, fmt.Errorf("no service takes messages on %s: does it run, with that path in [inject] socket? (%w)", socket, err)
			}
			return conn, nil
		},
		DisableKeepAlives: true,
	}}}
}

// Status asks the service of itself.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "/v1/status", nil)
}

// Neighbours asks for the hosts that have announced themselves.
func (c *Client) Neighbours(ctx context.Context) ([]Neighbour, error) {
	return ask[[]Neighbour](ctx, c, http.MethodGet, "/v1/neighbours", nil)
}

// Post posts a message.
func (c *Client) Post(ctx context.Context, d Draft) (Posted, error) {
	return ask[Posted](ctx, c, http.MethodPost, "/v1/messages", d)
}

// A Query says which messages are wanted.
type Query struct {
	After messngr.ID    // those after this one; zero: from the first
	State messngr.State // of these those in that state; "": all. Not with Watch.
	Last  int           // of these the last so many; negative: all
	Watch bool          // and then each new one, until ctx is done
}

// Messages calls each with the messages of q, oldest first, until there are no
// more or each returns an error, which it returns.
func (c *Client) Messages(ctx context.Context, q Query, each func(Message) error) error {
	v := url.Values{}
	if q.After != (messngr.ID{}) {
		v.Set("after", q.After.String())
	}
	if q.State != "" {
		v.Set("state", string(q.State))
	}
	if q.Last >= 0 {
		v.Set("last", strconv.Itoa(q.Last))
	}
	if q.Watch {
		v.Set("watch", "1")
	}
	body, err := c.do(ctx, http.MethodGet, "/v1/messages?"+v.Encode(), nil)
	if err != nil {
		return err
	}
	defer body.Close()
	for dec := json.NewDecoder(body); ; {
		var m Message
		switch err := dec.Decode(&m); {
		case errors.Is(err, io.EOF) && !q.Watch:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			return errors.New("the service has stopped")
		case err != nil:
			return fmt.Errorf("the service broke off its answer; its log may say why (%w)", err)
		}
		if err := each(m); err != nil {
			return err
		}
	}
}

// ask sends a request, with in as its body unless that is nil, and returns what
// the service says to it.
func ask[T any](ctx context.Context, c *Client, method, path string, in any) (out T, err error) {
	var send io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return out, err
		}
		send = bytes.NewReader(b)
	}
	body, err := c.do(ctx, method, path, send)
	if err != nil {
		return out, err
	}
	defer body.Close()
	err = json.NewDecoder(body).Decode(&out)
	return out, err
}

// change makes a change that has no result.
func (c *Client) change(ctx context.Context, method, path string) error {
	body, err := c.do(ctx, method, path, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, body)
	return errors.Join(err, body.Close())
}

// do sends a request and returns the body of a response that is not an error.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://messngr"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // the method and the URL would say nothing to a person
		}
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	p := new(Problem)
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(p); err != nil || p.Text == "" {
		return nil, fmt.Errorf("the service answered %s", resp.Status)
	}
	return nil, p
}
