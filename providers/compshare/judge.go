package compshare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"countersign/workflow"
)

// judge says what became of a call, from the exchange and the answer alone. Whatever is not known to be a yes or a no is
// Unclear.
func (p *Provider) judge(action string, x *exchange, a *answer) workflow.Outcome {
	out := p.verdict(action, x, a)
	out.RequestID = p.keys.text(x.requestID)
	if out.Fault != nil {
		out.Fault.Text, out.Fault.RequestID = p.keys.text(out.Fault.Text), out.RequestID
	}
	return out
}

func (p *Provider) verdict(action string, x *exchange, a *answer) workflow.Outcome {
	switch {
	case x.unsent():
		return refused(workflow.ClassVendor, "", "not sent: "+cause(x))
	case x.status != http.StatusOK && x.status != 0:
		return httpVerdict(x)
	case x.err != nil:
		return unclear(workflow.ClassUnclear, "", cause(x))
	case a.body == nil:
		return unclear(workflow.ClassUnclear, "", "the answer, of type "+orNone(x.kind)+", is not one of the API's")
	case a.code == nil:
		return unclear(workflow.ClassUnclear, "", "the answer has no RetCode")
	case a.Action != "" && a.Action != action+"Response":
		return unclear(workflow.ClassUnclear, "", "the answer is that of another call: "+a.Action)
	case *a.code != 0:
		return codeVerdict("RetCode", *a.code, a.Message)
	case a.Action == "":
		return unclear(workflow.ClassUnclear, "", "the answer does not say which call it answers")
	}
	return workflow.Outcome{Verdict: workflow.Applied}
}

func refused(class workflow.Class, code, text string) workflow.Outcome {
	return workflow.Outcome{Verdict: workflow.Refused, Fault: &workflow.Fault{Class: class, Code: code, Text: text}}
}

func unclear(class workflow.Class, code, text string) workflow.Outcome {
	return workflow.Outcome{Verdict: workflow.Unclear, Fault: &workflow.Fault{Class: class, Code: code, Text: text}}
}

// httpVerdict judges an answer that is not the API's: each of those is an HTTP 200. A redirect is no proof of a refusal,
// because forms are answered by one once they were taken.
func httpVerdict(x *exchange) workflow.Outcome {
	code := fmt.Sprintf("HTTP %d", x.status)
	text := http.StatusText(x.status)
	switch {
	case errors.Is(x.err, errRedirect):
		return unclear(workflow.ClassVendor, code, cause(x))
	case x.status == http.StatusTooManyRequests:
		return refused(workflow.ClassThrottled, code, text)
	case x.status == http.StatusRequestTimeout:
		return unclear(workflow.ClassUnclear, code, text)
	case x.status >= 400 && x.status < 500:
		return refused(workflow.ClassRefused, code, text)
	default:
		return unclear(workflow.ClassVendor, code, text)
	}
}

// codeVerdict judges a RetCode, or the Code of an ErrorMap entry. The numbers are those of docs.ucloud.cn, "public error
// codes", and of compshare.cn; the vendor publishes none of its team actions, whose refusals only the text explains.
func codeVerdict(name string, code number, text string) workflow.Outcome {
	label := fmt.Sprintf("%s %d", name, code)
	switch {
	case code == 110: // the gateway gave up after 60 s; what it called may have gone on
		return unclear(workflow.ClassUnclear, label, text)
	case code <= 0, code == 130, code == 150, code == 8433: // failures inside, at a place that is not told
		return unclear(workflow.ClassVendor, label, text)
	default:
		return refused(classOf(code), label, text)
	}
}

func classOf(code number) workflow.Class {
	switch {
	case code == 170, code == 171, code == 172, code == 174:
		return workflow.ClassKey
	case code >= 292 && code <= 295, code == 299:
		return workflow.ClassPermission
	case code == 153, code == 429:
		return workflow.ClassThrottled
	case code >= 226601 && code <= 226606:
		return workflow.ClassUnverified
	case code == 16001: // "user already in team", the one published code of the team actions
		return workflow.ClassState
	case code == 17001: // "quota insufficient", the one published code of SetCompShareTeamAmount
		return workflow.ClassQuota
	default:
		return workflow.ClassRefused
	}
}

// quota is how the vendor's texts call what may be used up. It has no code for it in the answers to team actions, so
// that the text of a refusal which no code explains decides which advice is given, and nothing else.
var quota = regexp.MustCompile(`(?i)\bquota\b|配额`)

// advised gives a refused call the class that its text names.
func advised(out workflow.Outcome) workflow.Outcome {
	if f := out.Fault; out.Verdict == workflow.Refused && f != nil && f.Class == workflow.ClassRefused && quota.MatchString(f.Text) {
		f.Class = workflow.ClassQuota
	}
	return out
}

// cause says in our words what ended an exchange. The error's own text may hold the URL.
func cause(x *exchange) string {
	err := x.err
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case err == nil:
		return "the request could not be made"
	case errors.Is(err, context.Canceled):
		return "the call was given up"
	case errors.Is(err, context.DeadlineExceeded), timeout != nil && timeout.Timeout():
		return "time ran out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was cut before the answer was whole"
	default:
		return err.Error()
	}
}

func orNone(kind string) string {
	if kind = strings.TrimSpace(kind); kind == "" {
		return "none"
	}
	return kind
}
