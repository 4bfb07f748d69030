package dataartsfake

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// reply is an answer before it is written.
type reply struct {
	status   int
	body     []byte
	html     bool
	location string
	applied  bool // the membership was changed
	cut      bool // the connection is cut instead of answering
	short    bool // the connection is cut in the middle of the body
}

func answer(v any) reply {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // made of strings and numbers
	}
	return reply{status: http.StatusOK, body: b}
}

// outcome is the body of the mutating calls.
type outcome struct {
	Message *string `json:"message"`
	Success bool    `json:"is_success"`
}

func succeed() reply { return answer(outcome{Success: true}) }

func fail(message string) reply { return answer(outcome{Message: &message}) }

// refuse is an error as API Gateway and DataArts Studio write it.
func refuse(status int, code, message string) reply {
	r := answer(map[string]string{"error_code": code, "error_msg": message})
	r.status = status
	return r
}

func (r reply) write(w http.ResponseWriter, requestID string) {
	if r.cut {
		panic(http.ErrAbortHandler) // net/http closes the connection and logs nothing
	}
	h := w.Header()
	h.Set("X-Request-Id", requestID)
	h.Set("Content-Type", "application/json")
	if r.html {
		h.Set("Content-Type", "text/html")
	}
	if r.location != "" {
		h.Set("Location", r.location)
	}
	body := r.body
	if r.short {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		body = body[:len(body)/2]
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(body) // a client that has gone away misses nothing
	if r.short {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
