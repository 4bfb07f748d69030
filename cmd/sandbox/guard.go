package main

import (
	"mime"
	"net/http"
	"strings"
)

// policy lets the page load its own files and nothing else: even a mistake in it could send nothing anywhere.
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

// guard keeps other pages out. Whoever reaches the sandbox may act as anybody in it; a page from elsewhere, open in the
// same browser, must not. A name other than a loopback one in Host is DNS rebinding.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		switch why := refusal(r); why {
		case "":
			next.ServeHTTP(rw, r)
		default:
			http.Error(rw, "sandbox: "+why, http.StatusForbidden)
		}
	})
}

// refusal is why a request is not served; empty where it is.
func refusal(r *http.Request) string {
	if !isLoopback(r.Host) {
		return "it answers to loopback names only, not to " + r.Host
	}
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		return ""
	}
	if o := r.Header.Get("Origin"); o != "" && o != "http://"+r.Host {
		return "a page from elsewhere may not use it"
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return "a page from elsewhere may not use it"
	}
	// A form of another page can send no JSON without asking first.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method == http.MethodPost && kind != "application/json" {
		return "it takes application/json"
	}
	return ""
}
